//! Failed deployments whose evidence comes late, is far apart, or is forgotten.

use phasebot_core::insight::row::FailureReason;

use super::played::{at, merges, play, shipped};
use crate::scenario::{script::Script, stage::Stage};

/// A smoke test that fails, and a repair four days later: longer than the rework window.
const SMOKE_TEST: &str = "01:00 deploy 1 production of c1 success\n\
    02:00 deploy 2 production of c2 success\n\
    02:10 deploy 2 production of c2 failure\n\
    4d02:00 deploy 3 production of c3 success\n";

#[test]
fn a_failure_after_a_success_ends_with_the_next_deployment_however_late() {
    let played = play(&(merges(3) + SMOKE_TEST));
    let row = played.deployment(2);
    assert_eq!((row.failures.as_slice(), row.restored), (&[FailureReason::FailedLater][..], Some(at("4d02:00"))));
    assert!(played.deployment(3).rework, "it repaired");
    assert_eq!(played.figures().recovery_time.open_since, []);
}

#[test]
fn a_word_on_the_repair_does_not_forget_what_it_repaired() {
    let played = play(&(merges(3) + SMOKE_TEST + "5d08:00 pull 3 labeled docs by ann\n"));
    assert!(played.deployment(3).rework);
}

/// What an incident was blamed on is asked again when a late message moves its beginning.
#[test]
fn a_late_message_moves_the_blame() {
    let text = merges(2)
        + "01:00 deploy 1 production of c1 success\n\
           03:00 deploy 2 production of c2 success\n\
           03:10 alert prod cart a=firing labels env=production\n\
           03:30 alert prod cart a=over\n04:00 tick\n";
    assert_eq!(play(&text).failed(), [2]);
    let late = text
        + "05:00 alert prod cart b=firing@01:10 sent 01:12 labels env=production\n\
           05:01 alert prod cart b=over@03:20 sent 03:25 labels env=production\n";
    assert_eq!(play(&late).failed(), [1], "it began before the second deployment");
}

/// Evidence is kept for a year. A row that rested on what is gone stays as it was.
#[test]
fn a_failure_outlives_its_evidence() {
    let text = shipped(&[(1, "08:00", "09:00"), (2, "2d08:00", "2d09:00")])
        + "2d09:20 alert prod cart a=firing labels env=production\n2d09:50 alert prod cart a=over\n3d08:00 tick\n";
    let mut stage = Stage::new(None);
    stage.play(&Script::read(&text));
    let failures = |stage: &Stage| {
        let rows = stage.insight.rows().deployments;
        rows.iter().filter(|row| !row.failures.is_empty()).map(|row| row.id).collect::<Vec<_>>()
    };
    assert_eq!(failures(&stage), [2]);
    stage.until(Some(at("400d08:00")));
    stage.repository.forget(at("35d08:00"));
    stage.play(&Script::read("400d08:00 pull 2 labeled hotfix by ann\n400d08:01 tick\n"));
    assert!(stage.repository.facts.incidents.is_empty(), "the incident is forgotten");
    assert_eq!(failures(&stage), [2]);
}
