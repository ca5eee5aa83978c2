//! The same issues for any order and number of deliveries; and many deliveries at once.

use std::{collections::BTreeMap, fmt::Write as _};

use jiff::{SignedDuration, Timestamp};
use phasebot_core::domain::{
    event::{Event, Seen},
    fact::incident::IncidentFacts,
};
use proptest::prelude::*;

use crate::scenario::{
    forge::{Issue, words::start},
    script::{History, read},
    shuffle::{any_order, order},
    stage::Stage,
};

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

/// Results to compare: facts without the numbers of issues, which depend on the order of creation,
/// and the issues by their markers, without comments.
type Ending = (BTreeMap<String, IncidentFacts>, BTreeMap<String, Issue>);

/// All messages arrive within a second, as after an outage; then time passes.
fn play(history: &History, order: &[usize]) -> Ending {
    let mut stage = Stage::new(history.policy.as_deref());
    let now = start() + SignedDuration::from_hours(24);
    stage.until(Some(now));
    for index in order {
        stage.deliver(&history.events[*index]);
    }
    stage.until(Some(now + SignedDuration::from_hours(2)));
    stage.decide();
    let mut incidents = stage.repository.facts.incidents.clone();
    for incident in incidents.values_mut() {
        incident.cycles.clear();
    }
    let shown = stage.forge.issues.into_values();
    let shown = shown.map(|issue| (issue.marker.clone(), Issue { comments: Vec::new(), ..issue }));
    (incidents, shown.collect())
}

#[test]
fn five_hundred_messages_in_any_order_end_in_the_same_issues() {
    let history = read(&messages());
    let count = history.events.len();
    assert_eq!(count, 500);
    let expected = play(&history, &(0..count).collect::<Vec<_>>());
    let firing = expected.1.len();
    assert!((10..40).contains(&firing), "{firing} of 40 groups fire in the end");
    any_order(4, count, |keys| {
        prop_assert_eq!(&play(&history, &order(count, keys)), &expected);
        Ok(())
    });
}

#[test]
fn a_thousand_groups_at_once_are_six_issues() {
    let mut stage = Stage::new(None);
    let sample = read("10:00 alert prod g a=firing labels env=production,severity=critical\n").events.remove(0);
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
    stage.until(Some(at));
    for event in &all {
        stage.observe(event);
    }
    stage.decide();
    let end = at + SignedDuration::from_mins(30);
    stage.until(Some(end));
    let told = stage.transcript.take();
    let issues = &stage.forge.issues;
    assert_eq!(issues.len(), 6);
    let storm = issues.values().find(|issue| issue.marker.contains("storm")).unwrap();
    assert!(storm.title.starts_with("Alert storm in production: 995 firing ("), "{}", storm.title);
    assert!(storm.body.chars().count() <= 60_000 && storm.body.contains("- … 795 more"), "{}", storm.body.len());
    assert!(stage.repository.facts.incidents.values().all(|incident| incident.cycles.len() == 1));
    let edits = told.lines().filter(|line| line.contains("edited")).count();
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
        stage.observe(&event);
    }
    stage.decide();
    stage.until(Some(over + SignedDuration::from_mins(30)));
    let said = |issue: &Issue| issue.comments.len() == 1 && issue.labels.contains("alert/resolved");
    assert!(stage.forge.issues.values().all(said), "{}", stage.transcript.take());
}
