//! A label counts, whatever policy was in force when it arrived.

use phasebot_core::{
    domain::{
        derived::Derived,
        fact::label::{LabelEvent, LabelEvents},
        policy::Policy,
    },
    ingest, phase,
};
use proptest::prelude::*;

use super::{
    forge::{repo, words::start},
    script::{History, read},
    shuffle::Items,
    stage::Stage,
};

const LATER: &str = "phases:\n  - name: dev\n    label: stage/dev\n    when: [pull_request_open]\n  - name: done\n    label: stage/done\n    when: [merged]\n";

/// Returns the final state of a scenario in which the first `switch` events come before the push of
/// `LATER`.
fn ending(story: &str, switch: usize) -> Items {
    across(&read(story), switch, crate::policy_of(Some(LATER)))
}

/// Delivers the events of a history; before the event `switch`, another policy comes into force.
fn across(history: &History, switch: usize, later: Policy) -> Items {
    let mut stage = Stage::of(history);
    let mut later = Some(later);
    for (index, event) in history.events.iter().enumerate() {
        stage.until(Some(event.at));
        if index == switch {
            stage.put_in_force(later.take().unwrap());
        }
        stage.deliver(event);
    }
    stage.until(Some(history.end));
    if let Some(later) = later {
        stage.put_in_force(later);
    }
    stage.decide();
    stage.fresh_items()
}

/// Runs a scenario with the push of `LATER` at every position.
fn pushed_anywhere(story: &str, holds: impl Fn(&Derived) -> bool) {
    let count = read(story).events.len();
    let wanted = ending(story, 0);
    assert!(holds(&wanted[&1]), "{:?}", wanted[&1]);
    for switch in 1..=count {
        assert_eq!(ending(story, switch), wanted, "pushed after {switch} events");
    }
}

#[test]
fn a_persons_label_counts_though_the_policy_came_later() {
    let story = "09:00 issue 1 opened by alice\n09:10 issue 1 labeled bug by carol\n\
                 09:20 issue 1 labeled stage/done by carol\n09:30 issue 1 edited by alice";
    pushed_anywhere(story, |derived| {
        derived.phase.as_deref() == Some("done") && derived.reason.sentence == "`carol` set it to `done`"
    });
}

#[test]
fn an_opt_out_counts_though_the_policy_came_later() {
    let story = "09:00 issue 1 opened by alice\n09:10 issue 1 labeled stage/dev by carol\n\
                 09:20 issue 1 labeled bug by carol\n09:30 issue 1 unlabeled stage/dev by carol\n\
                 09:40 issue 1 edited by alice";
    pushed_anywhere(story, |derived| !derived.ours && derived.reason.code == "opted_out");
}

#[test]
fn a_swap_of_labels_is_no_opt_out_though_the_policy_came_later() {
    let story = "09:00 issue 1 opened by alice\n09:10 issue 1 labeled stage/dev by carol\n\
                 09:20 issue 1 labeled stage/done by carol\n09:30 issue 1 unlabeled stage/dev by carol\n\
                 09:40 issue 1 edited by alice";
    pushed_anywhere(story, |derived| derived.phase.as_deref() == Some("done"));
}

#[test]
fn another_bots_labels_count_though_the_policy_came_later() {
    let story = "09:00 issue 1 opened by alice\n09:10 issue 1 labeled stage/dev by meddler[bot]\n\
                 09:20 issue 1 unlabeled stage/dev by meddler[bot]\n09:30 issue 1 edited by alice";
    pushed_anywhere(story, |derived| !derived.ours && derived.reason.code == "contested");
}

#[test]
fn what_people_said_with_a_label_holds_when_the_policy_renames_it() {
    let renamed = || {
        let mut policy = crate::policy_of(None);
        for phase in &mut policy.phases {
            phase.label = phase.label.replace("phase/", "stage: ");
        }
        policy
    };
    let play = |story: &str| {
        let history = read(story);
        across(&history, history.events.len(), renamed())
    };
    let set = play("09:00 issue 1 opened by alice\n09:10 issue 1 labeled phase/code by carol");
    assert_eq!(set[&1].phase.as_deref(), Some("code"), "{:?}", set[&1]);
    let opted_out = play(
        "09:00 issue 1 opened by alice\n09:05 issue 1 labeled phase/plan by phasebot[bot]\n\
         09:10 issue 1 unlabeled phase/plan by carol",
    );
    assert_eq!(opted_out[&1].reason.code, "opted_out", "{:?}", opted_out[&1]);
    let swapped = play(
        "09:00 issue 1 opened by alice\n09:10 issue 1 labeled phase/plan by carol\n\
         09:11 issue 1 labeled phase/code by carol\n09:12 issue 1 unlabeled phase/plan by carol",
    );
    assert_eq!(swapped[&1].phase.as_deref(), Some("code"), "{:?}", swapped[&1]);
}

/// Adding and removing labels many times cannot make a derivation slow.
#[test]
fn label_events_of_an_item_are_bounded() {
    let mut events = LabelEvents::default();
    for n in 0..2000_i64 {
        for bot in [true, false] {
            events.record(event(n, format!("label {}", n % 100), n % 2 == 0, bot));
        }
    }
    assert!(events.iter().count() <= 64, "{}", events.iter().count());
    let last = events.iter().next_back().unwrap();
    assert_eq!(last.at, at(1999), "the newest is kept");
    let mut policy: Policy = crate::policy_of(None);
    policy.phases[0].label = "label 99".into();
    let history = read("09:00 issue 1 opened by alice");
    let mut facts = phasebot_core::domain::fact::RepoFacts::new(repo().key);
    ingest::observe(&mut facts, &history.events[0], &policy, &ingest::Us { bot: None });
    facts.items.get_mut(&1).unwrap().label_events = events;
    let derived = phase::derive(&facts, 1, &policy, start() + jiff::SignedDuration::from_hours(48));
    assert_eq!(derived.reason.code, "opted_out");
}

fn at(minute: i64) -> jiff::Timestamp {
    start() + jiff::SignedDuration::from_mins(minute)
}

fn event(minute: i64, label: String, on: bool, bot: bool) -> LabelEvent {
    LabelEvent {
        at: at(minute),
        label,
        on,
        by: "x".into(),
        id: None,
        bot,
        beside: std::collections::BTreeSet::new(),
        meant: None,
    }
}

proptest! {
    #[test]
    fn recording_label_events_is_a_join(
        said in prop::collection::vec((0..200_i64, 0..30_u8, any::<bool>(), any::<bool>()), 0..200),
        keys in prop::collection::vec(any::<u32>(), 400),
    ) {
        let all: Vec<LabelEvent> =
            said.iter().map(|(minute, label, on, bot)| event(*minute, format!("l{label}"), *on, *bot)).collect();
        let record = |events: Vec<LabelEvent>| {
            let mut kept = LabelEvents::default();
            for event in events {
                kept.record(event);
            }
            kept
        };
        let straight = record(all.clone());
        let mut doubled: Vec<(u32, LabelEvent)> = keys.into_iter().zip(all.iter().chain(&all).cloned()).collect();
        doubled.sort();
        let shuffled = record(doubled.into_iter().map(|(_, event)| event).collect());
        prop_assert_eq!(shuffled, straight);
    }
}
