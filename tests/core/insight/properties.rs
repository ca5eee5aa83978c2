//! Rows are the same in any order of events, however often they arrive, and derived from scratch.

use phasebot_core::insight::{Walk, all_rows, figures};
use proptest::prelude::*;

use super::{played::play, table::InsightTable};
use crate::scenario::{
    folder::files,
    script::{History, Script, read},
    shuffle::{any_order, order},
    stage::Stage,
};

/// The rows of everything that is on record.
fn from_scratch(stage: &Stage) -> InsightTable {
    let mut table = InsightTable::default();
    for group in all_rows(&stage.repository.facts, &stage.policy, stage.now) {
        table.keep(&group);
    }
    table
}

/// Everything that the vectors are about, in one history.
const STORY: &str = "00:00 push main c0\n\
    00:05 deploy 1 production of c0 success\n\
    08:00 issue 1 opened by ann\n\
    08:10 push topic2 h2 from c0\n\
    08:20 pull 2 opened by ann head topic2 at h2 body \"Closes #1\"\n\
    09:00 push main c2\n09:00 pull 2 merged by ann as c2\n09:00 issue 1 closed by ann\n\
    09:30 deploy 2 staging of c2 success\n\
    10:00 deploy 3 production of c2 in_progress\n10:02 deploy 3 production of c2 success\n\
    10:03 deploy 1 production of c0 inactive\n\
    10:20 alert prod cart a=firing labels env=production\n\
    11:00 alert prod cart a=over\n\
    12:00 pull 4 opened by ann head topic4\n\
    13:00 push main c4\n13:00 pull 4 merged by ann as c4\n\
    13:30 push main c5\n\
    14:00 deploy 4 production of c5 success\n\
    15:00 deploy 5 production of c2 success\n\
    16:00 pull 6 opened by ann head topic6 body \"Reverts #4\" labels hotfix\n\
    16:10 push main c6\n16:10 pull 6 merged by ann as c6\n\
    17:00 deploy 6 production of c6 success\n\
    18:00 issue 7 opened by bob\n18:10 issue 7 closed by bob as not_planned\n\
    1d08:00 issue 1 reopened by ann\n";

/// Commits that landed without a pull request: brought, rolled back, and deployed again.
const DIRECT_PUSHES: &str = "00:00 push main c0\n00:05 deploy 1 production of c0 success\n\
    01:00 push main d1\n01:10 deploy 11 production of d1 success\n\
    02:00 push main d2\n02:10 deploy 12 production of d2 success\n\
    03:00 push main d3\n03:10 deploy 13 production of d3 success\n\
    04:00 deploy 14 production of d1 success\n\
    05:00 deploy 15 production of d3 success\n";

/// A fix whose issue becomes a feedback issue after it shipped.
const FEEDBACK: &str = "00:00 push main c0\n00:05 deploy 1 production of c0 success\n\
    06:00 issue 20 opened by ann\n\
    06:10 pull 21 opened by ann head topic21 body \"Closes #20\"\n\
    07:00 push main c21\n07:00 pull 21 merged by ann as c21\n\
    07:10 deploy 16 production of c21 success\n\
    08:00 issue 20 labeled feedback by ann\n";

/// A deployment that first seems to repair another one, and ran before it.
const MOVED: &str = "00:00 push main c0\n00:05 deploy 1 production of c0 success\n\
    01:00 push main c2\n01:10 push main c3\n\
    02:00 deploy 2 production of c2 success\n\
    4d00:50 deploy 3 production of c3 success\n\
    4d01:00 deploy 2 production of c2 failure\n\
    4d02:00 deploy 3 production of c3 success\n\
    4d05:00 tick\n";

#[test]
fn any_order_and_repetition_give_the_same_rows() {
    for story in [STORY, DIRECT_PUSHES, FEEDBACK, MOVED] {
        any_order_gives_the_same_rows(story);
    }
}

#[test]
fn a_rollback_takes_direct_pushes_out_and_a_deployment_brings_them_back() {
    let until = |time: &str| {
        let lines: Vec<&str> = DIRECT_PUSHES.lines().filter(|line| *line < time).collect();
        play(&(lines.join("\n") + "\n")).rows.changes.iter().filter(|row| row.lost.is_some()).count()
    };
    assert_eq!((until("04"), until("05"), until("06")), (0, 2, 0), "the second commit comes back inside the third");
}

/// The answer to our own write shows the label before any event does.
#[test]
fn a_label_in_the_answer_to_a_write_makes_a_fix_rework() {
    rows_in_order(&read(FEEDBACK), &[0, 0, 1, 6, 3, 5, 4, 2, 7]);
}

/// The failure of the second deployment first seems to bring the first one back.
#[test]
fn a_late_deployment_takes_back_that_an_earlier_one_returned() {
    rows_in_order(&read(MOVED), &[0, 0, 1, 6, 2, 6, 4, 3, 5, 7]);
}

/// Delivers the events of a history in an order, all after its end; returns the rows, which must be
/// those that a derivation from scratch gives.
fn rows_in_order(history: &History, order: &[usize]) -> InsightTable {
    let mut stage = Stage::of(history);
    stage.until(Some(history.end));
    for index in order {
        stage.deliver(&history.events[*index]);
    }
    stage.decide();
    let differences = stage.insight.differences(&from_scratch(&stage));
    assert_eq!(differences, [""; 0], "incremental and from scratch, in the order {order:?}");
    stage.insight
}

fn any_order_gives_the_same_rows(story: &str) {
    let history = read(story);
    let count = history.events.len();
    let rows = |order: &[usize]| rows_in_order(&history, order);
    let straight = rows(&(0..count).collect::<Vec<_>>());
    any_order(12, count, |keys| {
        let shuffled = rows(&order(count, keys));
        prop_assert_eq!(shuffled.differences(&straight), Vec::<String>::new());
        Ok(())
    });
}

/// The rows that the decisions of every scenario left are those that a derivation from scratch
/// gives.
#[test]
fn incremental_is_from_scratch_in_every_scenario() {
    let mut rows = 0;
    let mut found: Vec<String> = Vec::new();
    for folder in ["", "alerts", "commands", "deploys", "gates", "people"] {
        for (path, text) in files(folder) {
            let script = Script::read(&text);
            let mut stage = Stage::new(script.policy.as_deref());
            stage.play(&script);
            stage.decide();
            found.extend(
                stage.insight.differences(&from_scratch(&stage)).into_iter().map(|row| format!("{path}: {row}")),
            );
            rows += stage.insight.0.len();
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert!(rows > 500, "only {rows} rows");
}

#[test]
fn one_function_gives_the_figures() {
    let played = play(STORY);
    assert_eq!(figures(&played.rows, &played.query()), played.figures());
}

/// The derivation of every row can stop after each step and go on from what was stored.
#[test]
fn the_steps_of_a_walk_can_be_stored_and_gone_on_from() {
    let script = Script::read(STORY);
    let mut stage = Stage::new(None);
    stage.play(&script);
    stage.decide();
    let (mut table, mut steps, mut next) = (InsightTable::default(), 0, Some(Walk::default()));
    while let Some(walk) = next {
        let stored = serde_json::to_string(&walk).unwrap();
        let (groups, rest) =
            serde_json::from_str::<Walk>(&stored).unwrap().step(&stage.repository.facts, &stage.policy, stage.now);
        for group in &groups {
            table.keep(group);
        }
        (next, steps) = (rest, steps + 1);
    }
    assert_eq!(table.differences(&stage.insight), [""; 0]);
    assert!(steps >= 4, "{steps} steps");
}
