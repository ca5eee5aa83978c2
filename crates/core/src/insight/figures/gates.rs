//! Time for which gates blocked commits, by condition.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::insight::{
    figures::{Query, Selection},
    row::GateRow,
    statistic::Spread,
};

/// Time for which one condition of a gate blocked commits. A condition blocks while the gate is
/// closed and the condition does not hold; conditions that block at the same time each count. Only
/// the part of a time that lies in the window counts.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct GateWaits {
    /// The gate's check run, such as `phasebot/deploy/production`.
    pub gate: String,
    /// The condition's name in the policy.
    pub condition: String,
    /// Sum over all commits, in seconds.
    pub total: i64,
    /// Time for each commit.
    pub each: Option<Spread>,
    /// Commits that it blocks at the end of the window.
    pub blocking: usize,
}

/// Returns the waits of a selection, the longest first.
pub(crate) fn waits(selection: &Selection<'_>, query: &Query) -> Vec<GateWaits> {
    let mut by: BTreeMap<(&str, &str), Vec<&GateRow>> = BTreeMap::new();
    for row in &selection.gates {
        by.entry((&row.gate, &row.condition)).or_default().push(row);
    }
    let time = |row: &GateRow| row.blocked_in(&query.window, query.now).unwrap_or(0);
    let mut waits: Vec<GateWaits> = by
        .into_iter()
        .map(|((gate, condition), rows)| GateWaits {
            gate: gate.to_owned(),
            condition: condition.to_owned(),
            total: rows.iter().map(|row| time(row)).sum(),
            each: Spread::of(rows.iter().map(|row| time(row))),
            blocking: rows.iter().filter(|row| row.blocks_before(query.window.to)).count(),
        })
        .collect();
    waits.sort_by(|a, b| b.total.cmp(&a.total).then_with(|| (&a.gate, &a.condition).cmp(&(&b.gate, &b.condition))));
    waits
}
