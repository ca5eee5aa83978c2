//! What a week was like, in numbers and references.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::{
    domain::id::ItemId,
    insight::{
        figures::{Figures, Query, Rollout, figures, gates::GateWaits, select},
        row::{ChangeRow, FailureReason},
        rows::InsightRows,
        window::Window,
    },
};

/// Weeks that a week is compared with: those before it.
pub const COMPARED: u32 = 4;
/// Most entries of a list.
pub const MOST: usize = 5;
/// Time without a move after which an old item is stuck.
const STILL: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Percentile of age beyond which an item is old.
const OLD: u8 = 85;

/// What a week was like.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Figures of the week.
    pub week: Figures,
    /// Figures of the four weeks before it.
    pub before: Figures,
    /// Changes that took longest until they were live, the slowest first.
    pub slowest: Vec<Slow>,
    /// Items that are older than most and did not move for a week, the oldest first.
    pub stuck: Vec<Stuck>,
    /// Number of such items that are not listed.
    pub more_stuck: usize,
    /// Conditions that blocked longest in the week.
    pub waits: Vec<GateWaits>,
    /// Deployments of the week that failed.
    pub failed: Vec<Failed>,
    /// Incidents whose loop closed in the week.
    pub loops_closed: usize,
    /// Conditions that were overridden in the week, each with its gate and for how many commits, the most
    /// frequent first.
    pub overrides: Vec<(String, String, usize)>,
}

/// A change that took long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slow {
    /// The pull request as `#12`, or the commit.
    pub change: String,
    /// Seconds until it was live.
    pub lead_time: i64,
    /// Its longest part: `coding`, `review`, `waiting` or `deploying`.
    pub part: &'static str,
    /// Seconds of that part.
    pub part_time: i64,
}

/// An item that does not move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stuck {
    /// The item.
    pub item: ItemId,
    /// Its phase.
    pub phase: Option<String>,
    /// Time since when it is there.
    pub since: Option<Timestamp>,
    /// Its age in seconds.
    pub age: i64,
}

/// A deployment that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// The deployment.
    pub deployment: u64,
    /// Its environment.
    pub environment: String,
    /// Why it counts as failed.
    pub reasons: Vec<FailureReason>,
    /// Seconds until service was restored; `None`: it is not.
    pub recovery: Option<i64>,
}

impl Summary {
    /// Returns the time from which rows are needed.
    #[must_use]
    pub fn rows_since(query: &Query) -> Timestamp {
        let earlier = SignedDuration::from_hours(24 * 7 * i64::from(COMPARED));
        let first = query.window.from.checked_sub(earlier).unwrap_or(Timestamp::MIN);
        first.min(query.rows_since())
    }

    /// Returns what a window of some days was like. `rows` reach back four weeks further.
    #[must_use]
    pub fn of(rows: &InsightRows, query: &Query) -> Self {
        let window = &query.window;
        let from = window.first.checked_sub(jiff::Span::new().weeks(COMPARED)).unwrap_or(window.first);
        let earlier = Query { window: Window::days(from, window.first, &window.zone), ..query.clone() };
        let (week, before) = (figures(rows, query), figures(rows, &earlier));
        let selection = select(rows, query);
        let mut slowest: Vec<Slow> = selection.changes.iter().map(|change| slow(change)).collect();
        slowest.sort_by(|a, b| b.lead_time.cmp(&a.lead_time).then_with(|| a.change.cmp(&b.change)));
        slowest.truncate(MOST);
        let still = window.to.checked_sub(STILL).unwrap_or(Timestamp::MIN);
        let mut stuck: Vec<Stuck> = week
            .flow
            .ageing
            .iter()
            .filter(|one| one.band.is_some_and(|band| band >= OLD) && one.since.is_some_and(|since| since <= still))
            .map(|one| Stuck { item: one.item, phase: one.phase.clone(), since: one.since, age: one.age })
            .collect();
        let more_stuck = stuck.len().saturating_sub(MOST);
        stuck.truncate(MOST);
        let failed = selection.forward.iter().filter_map(Rollout::failed).take(MOST).map(|one| Failed {
            deployment: one.id,
            environment: one.environment.clone(),
            reasons: one.failures.clone(),
            recovery: one.hurt.zip(one.restored).map(|(hurt, restored)| restored.duration_since(hurt).as_secs()),
        });
        let closed = rows.incidents.iter().filter(|one| one.loop_closed.is_some_and(|at| window.covers(at)));
        Self {
            waits: week.gate_waits.iter().filter(|wait| wait.total > 0).take(MOST).cloned().collect(),
            failed: failed.collect(),
            loops_closed: closed.count(),
            overrides: overrides(rows, window),
            week,
            before,
            slowest,
            stuck,
            more_stuck,
        }
    }
}

/// Returns the conditions that were overridden in a window. Two people who confirm one override made one.
fn overrides(rows: &InsightRows, window: &Window) -> Vec<(String, String, usize)> {
    let within = rows.overrides.iter().filter(|one| window.covers(one.at));
    let each = within.flat_map(|one| one.conditions.iter().map(move |name| (name, &one.gate, &one.commit)));
    let mut counts: BTreeMap<(&String, &String), usize> = BTreeMap::new();
    for (condition, gate, _) in each.collect::<BTreeSet<_>>() {
        *counts.entry((condition, gate)).or_default() += 1;
    }
    let mut counts: Vec<(String, String, usize)> =
        counts.into_iter().map(|((condition, gate), count)| (condition.clone(), gate.clone(), count)).collect();
    counts.sort_by(|a, b| b.2.cmp(&a.2).then_with(|| a.cmp(b)));
    counts.truncate(MOST);
    counts
}

fn slow(change: &ChangeRow) -> Slow {
    let parts = change.parts();
    let parts = [
        ("coding", parts.coding),
        ("review", parts.review),
        ("waiting", parts.waiting),
        ("deploying", parts.deploying),
    ];
    // Of equal ones, the first.
    let (part, part_time) = parts.into_iter().rev().max_by_key(|(_, time)| *time).unwrap_or(("coding", 0));
    Slow { change: change.change.clone(), lead_time: change.lead_time(), part, part_time }
}
