//! The same issues for any order and number of deliveries; and many deliveries at once.

use std::{collections::BTreeMap, fmt::Write as _};

use jiff::{SignedDuration, Timestamp};
use phasebot_core::domain::{
    event::{Event, Seen},
    fact::incident::IncidentFacts,
};
use proptest::{
    prelude::*,
    test_runner::{RngAlgorithm, TestRng, TestRunner},
};

use super::stage::Stage;
use crate::scenario::world::{read, start};

/// Returns 500 messages about 40 groups of two connections, over a day: some groups are resolved at
/// the end, some fire, some are missing in the last message.
fn messages() -> String {
    let mut steps = String::from("| alerts: { storm: { issues: 100 } }\n");
    for n in 0..500_u32 {
        let (minute, group) = (n * 2, n * 7 % 40);
        let connection = if group % 3 == 0 { "prod" } else { "edge" };
        // Each group occurs in every fortieth message; its alerts take turns.
        let quiet = (n / 40 + group) % 5 < 2;
        let state = |alert: u32| if quiet || (n + alert).is_multiple_of(3) { "over" } else { "firing" };
        let (a, b) = (state(0), state(1));
        let tail = if group % 11 == 5 && n > 400 { " left 2" } else { "" };
        let (day, hour, minute) = (minute / 1440, minute / 60 % 24, minute % 60);
        let _ = writeln!(
            steps,
            "{day}d{hour}:{minute:02} alert {connection} g{group} a={a} b={b} labels env=production title \"Group {group}\"{tail}"
        );
    }
    steps
}

fn events(steps: &str) -> Vec<Event> {
    read(steps).events
}

/// Results to compare: facts without the numbers of issues, which depend on the order of creation,
/// and the issues by their markers.
type Ending = (BTreeMap<String, IncidentFacts>, BTreeMap<String, (String, String, Vec<String>, bool)>);

/// All messages arrive within a second, as after an outage; then time passes.
fn play(steps: &str, events: &[Event], order: &[usize]) -> Ending {
    let mut stage = Stage::new(steps);
    let now = start() + SignedDuration::from_hours(24);
    for index in order {
        stage.event(&events[*index], now);
    }
    let end = now + SignedDuration::from_hours(2);
    stage.until(end);
    stage.advance(end);
    let mut incidents = stage.facts.incidents.clone();
    for incident in incidents.values_mut() {
        incident.cycles.clear();
    }
    let shown = stage
        .issues
        .into_values()
        .map(|issue| (issue.marker, (issue.title, issue.body, issue.labels.into_iter().collect(), issue.closed)));
    (incidents, shown.collect())
}

#[test]
fn five_hundred_messages_in_any_order_end_in_the_same_issues() {
    let steps = messages();
    let events = events(&steps);
    assert_eq!(events.len(), 500);
    let straight: Vec<usize> = (0..events.len()).collect();
    let expected = play(&steps, &events, &straight);
    let firing = expected.1.len();
    assert!((10..40).contains(&firing), "{firing} of 40 groups fire in the end");
    let mut runner = TestRunner::new_with_rng(
        ProptestConfig { cases: 4, failure_persistence: None, ..ProptestConfig::default() },
        TestRng::deterministic_rng(RngAlgorithm::ChaCha),
    );
    let count = events.len();
    let keys = (prop::collection::vec(0..count, 100), prop::collection::vec(any::<u32>(), count + 100));
    runner
        .run(&keys, |(doubles, keys)| {
            let mut keyed: Vec<(u32, usize)> = keys.into_iter().zip(straight.iter().copied().chain(doubles)).collect();
            keyed.sort_unstable();
            let order: Vec<usize> = keyed.into_iter().map(|(_, index)| index).collect();
            let shuffled = play(&steps, &events, &order);
            prop_assert_eq!(&shuffled, &expected);
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn a_thousand_groups_at_once_are_six_issues() {
    let mut stage = Stage::new("");
    let sample = events("10:00 alert prod g a=firing labels env=production,severity=critical\n").remove(0);
    let all: Vec<Event> = (0..1000)
        .map(|n| {
            let mut event = sample.clone();
            if let Seen::Alert(message) = &mut event.seen
                && let phasebot_core::domain::alert::Says::Group(group) = &mut message.says
            {
                group.key = format!("g{n}");
                group.title = Some(format!("Group {n} @everyone is down, and says so at some length #{n}"));
            }
            event
        })
        .collect();
    let at = sample.at;
    // They arrive at the same time.
    for event in &all {
        stage.observe(event, at);
    }
    let end = at + SignedDuration::from_mins(30);
    stage.until(end);
    assert_eq!(stage.issues.len(), 6);
    let storm = stage.issues.values().find(|issue| issue.marker.contains("storm")).unwrap();
    assert!(storm.title.starts_with("Alert storm in production: 995 firing ("), "{}", storm.title);
    assert!(storm.body.chars().count() <= 60_000 && storm.body.contains("- … 795 more"), "{}", storm.body.len());
    assert!(stage.facts.incidents.values().all(|incident| incident.cycles.len() == 1));
    let edits = stage.out.lines().filter(|line| line.contains("edited")).count();
    assert!(edits <= 1, "{edits} edits for what was told at once");

    // All of them end at once: every issue reports it, once.
    let over: Timestamp = end;
    for event in &all {
        let mut event = event.clone();
        if let Seen::Alert(message) = &mut event.seen
            && let phasebot_core::domain::alert::Says::Group(group) = &mut message.says
        {
            message.at = over;
            for alert in &mut group.alerts {
                (alert.firing, alert.ended_at) = (false, Some(over));
            }
        }
        stage.observe(&event, over);
    }
    stage.until(over + SignedDuration::from_mins(30));
    let said = |issue: &super::stage::Issue| issue.comments.len() == 1 && issue.labels.contains("alert/resolved");
    assert!(stage.issues.values().all(said), "{}", stage.out);
}
