//! Conditions of a decision in Markdown: a table of those that block or are waived, and one line of
//! those that pass.

use std::fmt::Write as _;

use jiff::tz::TimeZone;

use crate::{
    domain::{
        decision::{Condition, ConditionState, Decision},
        policy::Policy,
    },
    gate::{
        condition_order::{blocking, symbol},
        sentence_of,
    },
    text::{
        links::Links,
        message::{capitalized, cell, moment},
    },
};

/// Limit on the rows of a table; a policy file may nest hundreds.
const MOST_ROWS: usize = 100;

/// Returns the conditions in Markdown: a table of those that block or are waived, and one line of
/// those that pass.
pub(crate) fn conditions(decision: &Decision, policy: &Policy, links: &Links) -> String {
    conditions_but(decision, FirstLine { condition: None, waiver: None }, policy, links)
}

/// What the first line tells.
#[derive(Clone, Copy)]
pub(super) struct FirstLine<'a> {
    /// The condition that keeps the gate closed.
    pub(super) condition: Option<&'a Condition>,
    /// By whom and why conditions are waived.
    pub(super) waiver: Option<&'a str>,
}

/// Returns the conditions, without what the first line tells.
pub(super) fn conditions_but(decision: &Decision, first_line: FirstLine<'_>, policy: &Policy, links: &Links) -> String {
    let named = first_line.condition;
    let is_said = |condition: &Condition| condition.parts.is_empty() && condition.next_at.is_none();
    let mut out = String::new();
    let mut table = Table { zone: &policy.commands.zone, links, waived: first_line.waiver, left: MOST_ROWS };
    let waived = decision.conditions.iter().filter(|condition| condition.standing == ConditionState::Waived);
    let shown: Vec<&Condition> =
        blocking(decision).into_iter().chain(waived).filter(|one| Some(*one) != named || !is_said(one)).collect();
    if !shown.is_empty() {
        out.push_str("| Condition | Reason |\n| --- | --- |\n");
        for condition in &shown {
            match condition.parts.first() {
                // Of several holds, each is a row of its own once they are named together.
                Some(part) if part.name == condition.name && named == Some(*condition) => {
                    condition.parts.iter().for_each(|part| table.row(part, 0, &mut out));
                }
                _ => table.row(condition, 0, &mut out),
            }
        }
        if table.left == 0 {
            out.push_str("| … | more than fits here |\n");
        }
    }
    let passed: Vec<&Condition> =
        decision.conditions.iter().filter(|condition| condition.standing == ConditionState::Pass).collect();
    if !passed.is_empty() {
        let names: Vec<&str> = passed.iter().map(|condition| condition.name.as_str()).collect();
        let _ = writeln!(
            out,
            "{}<details><summary>✅ {}</summary>\n\n| Condition | Reason |\n| --- | --- |",
            if shown.is_empty() { "" } else { "\n" },
            names.join(" · ")
        );
        for condition in &passed {
            table.row(condition, 0, &mut out);
        }
        out.push_str("\n</details>\n");
    }
    out
}

/// Rows of conditions.
struct Table<'a> {
    zone: &'a TimeZone,
    links: &'a Links,
    /// The waiver that the first line tells.
    waived: Option<&'a str>,
    /// Number of rows that may still be written.
    left: usize,
}

impl Table<'_> {
    fn row(&mut self, condition: &Condition, depth: usize, out: &mut String) {
        let Some(rest) = self.left.checked_sub(1) else { return };
        self.left = rest;
        let indent = "&nbsp;&nbsp;".repeat(depth);
        let mut sentence = sentence_of(condition, self.links);
        if let Some(waiver) = condition.waiver.as_deref().filter(|waiver| self.waived == Some(waiver))
            && let Some(rest) = sentence.strip_prefix(waiver)
        {
            sentence = rest.trim_start_matches("; ").to_owned();
        }
        let mut reason = capitalized(&cell(&sentence));
        if let Some(link) = condition.link.as_ref().filter(|link| is_plain_link(link)) {
            reason = format!("{reason} · [details]({link})");
        }
        let turns = condition.next_at.map(|at| cell(&moment(at, self.zone))).filter(|at| !reason.contains(at.as_str()));
        if let Some(at) = turns {
            reason = format!("{reason} · until {at} at the latest");
        }
        let _ = writeln!(out, "| {indent}{}\u{a0}**{}** | {reason} |", symbol(condition), cell(&condition.name));
        for part in &condition.parts {
            self.row(part, depth + 1, out);
        }
    }
}

/// Returns true if an address may stand in a Markdown link.
pub(super) fn is_plain_link(link: &str) -> bool {
    link.starts_with("https://") && link.bytes().all(|b| b.is_ascii_graphic() && !b"()<>|`\"[]\\".contains(&b))
}
