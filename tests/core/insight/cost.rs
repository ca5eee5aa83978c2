//! A decision derives the rows that it concerns, and not those of the whole history.

use std::collections::BTreeSet;

use phasebot_core::domain::insight::RowKind;

use super::played::{at, shipped};
use crate::scenario::{script::Script, stage::Stage};

/// Plays days with one shipped change each, then one more; returns the rows that its last event
/// derived: kinds and owners.
fn after(days: u64) -> BTreeSet<(RowKind, String)> {
    let list: Vec<(u64, String, String)> =
        (1..=days).map(|n| (n, format!("{n}d08:00"), format!("{n}d09:00"))).collect();
    let list: Vec<(u64, &str, &str)> = list.iter().map(|(n, from, to)| (*n, from.as_str(), to.as_str())).collect();
    let mut stage = Stage::new(None);
    stage.play(&Script::read(&shipped(&list)));
    stage.until(Some(at(&format!("{}d12:00", days + 1))));
    stage.derived_rows.clear();
    let last = format!(
        "{0}d12:00 pull {1} opened by ann head more\n{0}d12:01 push main more\n{0}d12:01 pull {1} merged by ann as more\n\
         {0}d12:02 deploy 999 production of more success\n",
        days + 1,
        days + 1
    );
    let script = Script::read(&last);
    for step in &script.steps {
        stage.until(step.at);
        stage.derived_rows.clear();
        stage.step(step);
    }
    stage.derived_rows
}

/// Returns the deployments among rows.
fn deployments(rows: &BTreeSet<(RowKind, String)>) -> Vec<&str> {
    let found = rows.iter().filter(|(kind, _)| *kind == RowKind::Deployment);
    found.map(|(_, owner)| owner.as_str()).collect()
}

#[test]
fn a_deployment_derives_its_own_row() {
    let (short, long) = (after(8), after(40));
    assert_eq!(short.len(), long.len(), "after 8 days {short:?}\nafter 40 days {long:?}");
    assert_eq!(deployments(&long), ["999"], "{long:?}");
}

/// Plays `count` shipped changes of one day, ten minutes each; returns the rows that the last one's
/// deployment derived.
fn after_a_busy_day(count: u64) -> BTreeSet<(RowKind, String)> {
    let time = |minutes: u64| format!("1d{:02}:{:02}", minutes / 60, minutes % 60);
    let list: Vec<(u64, String, String)> = (1..=count).map(|n| (n, time(10 * n), time(10 * n + 5))).collect();
    let list: Vec<(u64, &str, &str)> = list.iter().map(|(n, from, to)| (*n, from.as_str(), to.as_str())).collect();
    let mut stage = Stage::new(None);
    let script = Script::read(&shipped(&list));
    for step in &script.steps {
        stage.until(step.at);
        stage.derived_rows.clear();
        stage.step(step);
    }
    stage.derived_rows
}

#[test]
fn a_deployment_derives_as_many_rows_on_a_busy_day_as_on_a_quiet_one() {
    let (quiet, busy) = (after_a_busy_day(5), after_a_busy_day(120));
    assert_eq!(quiet.len(), busy.len(), "of 5 {quiet:?}\nof 120 {busy:?}");
    assert_eq!(deployments(&busy).len(), 1, "{busy:?}");
}

#[test]
fn a_word_on_an_old_pull_request_derives_its_own_deployment() {
    let list: Vec<(u64, String, String)> = (1..=30).map(|n| (n, format!("{n}d08:00"), format!("{n}d09:00"))).collect();
    let list: Vec<(u64, &str, &str)> = list.iter().map(|(n, from, to)| (*n, from.as_str(), to.as_str())).collect();
    let mut stage = Stage::new(None);
    stage.play(&Script::read(&shipped(&list)));
    stage.until(Some(at("40d00:00")));
    stage.derived_rows.clear();
    stage.play(&Script::read("40d00:00 pull 5 labeled hotfix by ann\n"));
    let deployments: Vec<&str> = stage
        .derived_rows
        .iter()
        .filter(|(kind, _)| *kind == RowKind::Deployment)
        .map(|(_, owner)| owner.as_str())
        .collect();
    assert!(deployments.contains(&"5") && deployments.len() <= 4, "{deployments:?}");
}

/// Plays an alert that fires once a week for `weeks`, with a shipped change a day, then fires again;
/// returns the rows that its last message derived.
fn alert_after(weeks: u64) -> BTreeSet<(RowKind, String)> {
    let list: Vec<(u64, String, String)> =
        (1..=weeks * 7).map(|n| (n, format!("{n}d08:00"), format!("{n}d09:00"))).collect();
    let list: Vec<(u64, &str, &str)> = list.iter().map(|(n, from, to)| (*n, from.as_str(), to.as_str())).collect();
    let mut lines: Vec<String> = shipped(&list).lines().map(str::to_owned).collect();
    for week in 1..=weeks {
        let day = 7 * week;
        lines.push(format!("{day}d09:20 alert prod cart a=firing labels env=production"));
        lines.push(format!("{day}d09:50 alert prod cart a=over"));
    }
    let when = |line: &String| at(line.split(' ').next().unwrap());
    lines.sort_by_key(when);
    let mut stage = Stage::new(None);
    stage.play(&Script::read(&(lines.join("\n") + "\n")));
    let day = weeks * 7 + 1;
    stage.until(Some(at(&format!("{day}d03:00"))));
    let last = Script::read(&format!("{day}d03:00 alert prod cart a=firing labels env=production\n"));
    stage.derived_rows.clear();
    stage.step(&last.steps[0]);
    stage.derived_rows
}

#[test]
fn an_alert_derives_what_it_is_blamed_on_and_not_what_was_deployed_since_it_first_fired() {
    let (short, long) = (alert_after(2), alert_after(12));
    let deployments =
        |rows: &BTreeSet<(RowKind, String)>| rows.iter().filter(|(kind, _)| *kind == RowKind::Deployment).count();
    assert_eq!(deployments(&short), deployments(&long), "after 2 weeks {short:?}\nafter 12 weeks {long:?}");
    assert!(deployments(&long) <= 10, "its two last cycles, each with a rework window: {long:?}");
}
