//! Time for which conditions of gates block commits.

use jiff::{SignedDuration, civil::date, tz::TimeZone};
use phasebot_core::{
    domain::{
        decision::{Condition, ConditionState, Decision, GateName},
        fact::gate::GateFacts,
        turn::Turn,
    },
    insight::{Figures, Query, Step, Window, figures, series},
};

use super::played::{at, play};

#[test]
fn a_wait_is_told_by_its_condition() {
    let text = "| mode: act\n\
                | environments: { production: { production: true, deploy: { via: deployment }, require: [approval] } }\n\
                roles alice=write meg=maintain\n\
                07:00 push main c1\n\
                07:01 issue 1 opened by alice\n\
                08:00 comment on 1 by alice\n: /deploy production\n\
                09:00 comment on 1 by meg\n: /approve deploy production\n\
                10:00 tick\n";
    let played = play(text);
    let waits = played.figures().gate_waits;
    let approval = waits.iter().find(|wait| wait.condition == "approval").unwrap();
    assert_eq!((approval.gate.as_str(), approval.total, approval.blocking), ("phasebot/deploy/production", 3_600, 0));
    assert_eq!(approval.each.as_ref().unwrap().n, 1);
}

/// The changes of state that are kept are bounded; the time is not.
#[test]
fn the_time_of_a_gate_that_turns_often_is_kept() {
    let decision = |standing| Decision {
        gate: GateName::Deploy("production".into()),
        sha: format!("{:040x}", 1).parse().unwrap(),
        policy: String::new(),
        at: at("00:00"),
        standing,
        needs_person: false,
        conditions: vec![Condition {
            name: "window".into(),
            standing,
            code: "window_closed".into(),
            sentence: String::new(),
            link: None,
            observed_at: None,
            next_at: None,
            parts: Vec::new(),
            waiver: None,
            approval: None,
            turn: Turn::Nobody,
        }],
        next_at: None,
    };
    let mut gate = GateFacts::new(decision(ConditionState::Pending), at("00:00"), Vec::new());
    for turn in 0..200 {
        let standing = if turn % 2 == 0 { ConditionState::Pending } else { ConditionState::Pass };
        gate.decision = decision(standing);
        gate.note_waits(at("00:00") + SignedDuration::from_mins(turn));
    }
    let wait = &gate.waits["window"];
    assert_eq!((wait.blocked, wait.since, wait.until), (100 * 60, None, Some(at("03:19"))));
    assert!(wait.spans.len() <= 30, "{} spans", wait.spans.len());
    assert_eq!(wait.spans.iter().map(|span| span.blocked).sum::<i64>(), 100 * 60);
}

/// A wait over two weeks counts in each with the part that lies in it.
#[test]
fn a_wait_counts_in_each_week_with_its_part() {
    let text = "| mode: act\n\
                | environments: { production: { production: true, deploy: { via: deployment }, require: [approval] } }\n\
                roles alice=write meg=maintain\n\
                07:00 push main c1\n\
                07:01 issue 1 opened by alice\n\
                6d20:00 comment on 1 by alice\n: /deploy production\n\
                7d06:00 comment on 1 by meg\n: /approve deploy production\n\
                7d10:00 tick\n";
    let played = play(text);
    let window = Window::days(date(2026, 3, 2), date(2026, 3, 16), &TimeZone::UTC);
    let query = Query::new(window, played.now);
    let of = |figures: &Figures| figures.gate_waits.iter().find(|wait| wait.condition == "approval").map(|w| w.total);
    let weeks: Vec<Option<i64>> = series(&played.rows, &query, Step::Week).iter().map(of).collect();
    assert_eq!(weeks, [Some(4 * 3_600), Some(6 * 3_600)]);
    assert_eq!(of(&figures(&played.rows, &query)), Some(10 * 3_600));
}
