//! Presentation of a decision: a check run, or a table in a comment.

use std::fmt::Write as _;

use jiff::{Timestamp, tz::TimeZone};

use crate::domain::{
    decision::{Condition, ConditionState, Decision, GateName},
    effect::{CheckVerdict, Effect},
};

/// Limit on the rows of a table; a policy file may nest hundreds.
const MOST_ROWS: usize = 100;
/// Limit on the characters of a reason in a title.
const TITLE: usize = 120;

/// Returns a decision as one line of plain text.
pub fn title(decision: &Decision) -> String {
    let (closed, all) = decision.closed();
    let Some(worst) = decision.worst() else {
        let waived = decision.conditions.iter().filter(|c| c.standing == ConditionState::Waived).count();
        return if waived == 0 { "Passed".to_owned() } else { format!("Passed with {waived} of {all} waived") };
    };
    format!("Blocked: {closed} of {all} — {}", plain(&worst.sentence))
}

/// Returns the check run that shows a decision, with the list of what its subject carries. If it is
/// not `live`, a pending one fails.
pub(super) fn check(decision: &Decision, live: bool, carries: Option<&str>) -> Effect {
    let verdict = match decision.standing {
        ConditionState::Pass | ConditionState::Waived => CheckVerdict::Success,
        ConditionState::Fail | ConditionState::Error => CheckVerdict::Failure,
        ConditionState::Pending if !live => CheckVerdict::Failure,
        ConditionState::Pending if decision.needs_person => CheckVerdict::ActionRequired,
        ConditionState::Pending => CheckVerdict::InProgress,
    };
    let mut summary = table(decision);
    if let Some(carries) = carries {
        let _ = write!(summary, "\n### What it carries\n\n{carries}\n");
    }
    if !live {
        summary.push_str("\nNobody asks for this any more; it is not decided again.\n");
    }
    run(decision, verdict, title(decision), summary)
}

/// Returns the check run of an automatic deploy that did not happen, with the reason.
pub(super) fn came_to_nothing(decision: &Decision, why: &str) -> Effect {
    let summary = format!("{why}\n\nHow its gate stood last:\n\n{}", table(decision));
    run(decision, CheckVerdict::Failure, format!("Not deployed — {}", plain(why)), summary)
}

/// Returns the check run of a gate that the policy no longer has. It fails.
pub(super) fn abolished(decision: &Decision) -> Effect {
    let words = "the policy no longer has this gate, so nothing passes it";
    let summary = format!("The policy no longer has this gate. Its last evaluation:\n\n{}", table(decision));
    run(decision, CheckVerdict::Failure, format!("Not evaluated — {words}"), summary)
}

fn run(decision: &Decision, verdict: CheckVerdict, title: String, summary: String) -> Effect {
    let name = decision.gate.check();
    Effect::Report {
        external_id: format!("{name}@{}", decision.sha),
        name,
        gate: Some(decision.gate.clone()),
        sha: decision.sha.clone(),
        verdict,
        title,
        summary,
        annotations: Vec::new(),
        or_comment: None,
    }
}

/// Returns a reason without backticks, cut to length: titles are not Markdown.
fn plain(reason: &str) -> String {
    reason.chars().filter(|c| *c != '`').take(TITLE).collect()
}

/// Returns the conditions as a Markdown table, with the subject and time of the decision.
pub fn table(decision: &Decision) -> String {
    let mut out = String::from("| condition | state | reason | next change |\n| --- | --- | --- | --- |\n");
    let mut left = MOST_ROWS;
    rows(&decision.conditions, 0, &mut left, &mut out);
    if left == 0 {
        out.push_str("| … | | more than fits here | |\n");
    }
    let what = match &decision.gate {
        GateName::Release(name) => format!("gate {}", cell(&crate::gate::quoted(name))),
        GateName::Deploy(name) => format!("environment {}", cell(&crate::gate::quoted(name))),
    };
    let (at, policy) = (moment(decision.at), crate::gate::quoted(&decision.policy));
    let _ = writeln!(out, "\nDecided at {at} on {} for {what}, policy {policy}.", decision.sha.short());
    out
}

fn rows(conditions: &[Condition], depth: usize, left: &mut usize, out: &mut String) {
    for condition in conditions {
        let Some(rest) = left.checked_sub(1) else { return };
        *left = rest;
        let indent = "&nbsp;&nbsp;".repeat(depth);
        let (name, state) = (cell(&condition.name), state(condition.standing));
        let mut reason = cell(&condition.sentence);
        if let Some(link) = condition.link.as_ref().filter(|link| is_plain_link(link)) {
            reason = format!("{reason} ([evidence]({link}))");
        }
        let next = condition.next_at.map(moment).unwrap_or_default();
        let _ = writeln!(out, "| {indent}{name} | {state} | {reason} `{}` | {next} |", condition.code);
        rows(&condition.parts, depth + 1, left, out);
    }
}

fn state(standing: ConditionState) -> &'static str {
    match standing {
        ConditionState::Pass => "✅ pass",
        ConditionState::Waived => "⚠️ waived",
        ConditionState::Pending => "⏳ pending",
        ConditionState::Fail => "❌ fail",
        ConditionState::Error => "❌ error",
    }
}

/// Escapes text for a table cell: a bar would end the cell even in code.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}

fn is_plain_link(link: &str) -> bool {
    link.starts_with("https://") && link.bytes().all(|b| b.is_ascii_graphic() && !b"()<>|`\"[]\\".contains(&b))
}

/// Formats a time in full and in UTC: a check run has readers in every time zone.
fn moment(at: Timestamp) -> String {
    crate::text::message::moment(at, &TimeZone::UTC)
}
