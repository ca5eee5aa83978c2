//! The rows that figures are computed from. They hold times, numbers and names of environments,
//! services, phases and conditions, and nothing that a person wrote.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    domain::{
        fact::gate::WaitSpan,
        id::ItemId,
        insight::{InsightRow, OPEN},
    },
    insight::window::Window,
};

/// A row that can be stored.
pub(crate) trait Row: Serialize {
    /// Returns the object that it belongs to.
    fn owner(&self) -> String;
    /// Returns its name among the rows of its owner.
    fn part(&self) -> String;
    /// Returns the time after which it concerns no window.
    fn at(&self) -> Timestamp;

    /// Returns its stored form.
    fn stored(&self) -> InsightRow {
        // Structs of strings, numbers and lists always have a JSON form.
        let body = serde_json::to_string(self).unwrap_or_default();
        InsightRow { owner: self.owner(), part: self.part(), at: self.at(), body }
    }
}

/// Returns a time as text that sorts in order of time.
pub(crate) fn sortable(at: Timestamp) -> String {
    format!("{:020}", at.as_millisecond().max(0))
}

/// One cycle of an issue, or of a pull request that closes no issue. Reopening begins a new one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitRow {
    /// The item.
    pub item: ItemId,
    /// True for a pull request.
    pub is_pull: bool,
    /// Beginning of the cycle: its creation, or reopening.
    pub cycle: Timestamp,
    /// Its phase; `None` if it has none.
    pub phase: Option<String>,
    /// Time since when it is in that phase.
    pub since: Option<Timestamp>,
    /// Last entry into the starting phase or a later one without a return before it.
    pub started: Option<Timestamp>,
    /// True if it started before our record of it: its cycle time is unknown.
    pub started_before_record: bool,
    /// Entry into the finishing phase or a later one that still stands.
    pub finished: Option<Timestamp>,
    /// Time at which it left unfinished: closed as not planned, opted out, or gone.
    pub left: Option<Timestamp>,
    /// For each phase that it has reached, its last entry into that phase or a later one without a
    /// return before it. The times never fall from one phase to the next.
    pub arrivals: Vec<(String, Timestamp)>,
    /// Seconds in each phase, over all visits that have ended.
    pub spent: Vec<(String, i64)>,
    /// Number of times that it fell back to an earlier phase.
    pub fell_back: u32,
}

impl UnitRow {
    /// Returns the time at which it was finished or left.
    pub fn ended(&self) -> Option<Timestamp> {
        self.finished.or(self.left)
    }

    /// Returns its arrival in a phase.
    pub fn arrival(&self, phase: &str) -> Option<Timestamp> {
        self.arrivals.iter().find(|(name, _)| name == phase).map(|(_, at)| *at)
    }
}

impl Row for UnitRow {
    fn owner(&self) -> String {
        format!("#{}", self.item)
    }

    fn part(&self) -> String {
        sortable(self.cycle)
    }

    fn at(&self) -> Timestamp {
        self.ended().unwrap_or(OPEN)
    }
}

/// A change that went live in an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeRow {
    /// The pull request as `#12`, or the commit that landed without one.
    pub change: String,
    /// The environment, lower case.
    pub environment: String,
    /// True if that is production.
    pub production: bool,
    /// The environment's services that it belongs to; `None`: the repository has none.
    pub services: Option<BTreeSet<String>>,
    /// Number of commits with which it was pushed; 1 if that is unknown.
    pub commits: u32,
    /// Its beginning: its first commit, the first sight of a head of it, or its opening, whichever
    /// was first.
    pub start: Timestamp,
    /// True if the time of its first commit is known.
    pub has_first_commit: bool,
    /// Opening of the pull request.
    pub opened: Option<Timestamp>,
    /// Time at which it landed.
    pub merged: Option<Timestamp>,
    /// Beginning of the deployment that brought it.
    pub begun: Timestamp,
    /// First moment at which the environment ran it.
    pub live: Timestamp,
    /// The deployment that brought it.
    pub deployment: u64,
    /// True if its author's pull requests are ignored: bots.
    pub automated: bool,
    /// True if it went live before it was merged.
    pub before_merge: bool,
    /// Time since when it no longer runs there: rolled back, reverted, or lost by a later
    /// deployment.
    pub lost: Option<Timestamp>,
    /// True if another production environment ran it before.
    pub again: bool,
    /// Services of which another production environment ran it before.
    pub again_for: BTreeSet<String>,
}

/// The parts of a change's lead time, in seconds. They are at least 0, and add up to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LeadTimeParts {
    /// From its start until its pull request was opened.
    pub coding: i64,
    /// From there until it was merged.
    pub review: i64,
    /// From there until its deployment began.
    pub waiting: i64,
    /// From there until it was live.
    pub deploying: i64,
}

impl ChangeRow {
    /// Returns its lead time in seconds: from its start until it was live.
    pub fn lead_time(&self) -> i64 {
        seconds(self.start, self.live)
    }

    /// Returns the parts of its lead time.
    pub fn parts(&self) -> LeadTimeParts {
        let opened = self.opened.unwrap_or(self.start).clamp(self.start, self.live);
        let merged = self.merged.unwrap_or(opened).clamp(opened, self.live);
        let begun = self.begun.clamp(merged, self.live);
        LeadTimeParts {
            coding: seconds(self.start, opened),
            review: seconds(opened, merged),
            waiting: seconds(merged, begun),
            deploying: seconds(begun, self.live),
        }
    }
}

impl Row for ChangeRow {
    fn owner(&self) -> String {
        self.change.clone()
    }

    fn part(&self) -> String {
        self.environment.clone()
    }

    fn at(&self) -> Timestamp {
        self.lost.map_or(self.live, |lost| lost.max(self.live))
    }
}

/// A deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentRow {
    /// Its id, or that of the first one of its request.
    pub id: u64,
    /// The environment, lower case.
    pub environment: String,
    /// True if that is production.
    pub production: bool,
    /// The services that the environment belongs to; `None`: the repository has none.
    pub services: Option<BTreeSet<String>>,
    /// The commit; `None` if it is not known yet.
    pub commit: Option<String>,
    /// Its kind.
    pub kind: DeploymentKind,
    /// Its first success; of an attempt, its beginning.
    pub at: Timestamp,
    /// Number of changes that it brought.
    pub brought: u32,
    /// Why it failed; empty: it did not.
    pub failures: Vec<FailureReason>,
    /// If it failed: since when users were hurt.
    pub hurt: Option<Timestamp>,
    /// If it failed: the beginning of its first incident.
    pub alerted: Option<Timestamp>,
    /// If it failed: the time at which service was restored.
    pub restored: Option<Timestamp>,
    /// True if it was rework: it was a rollback, or a forward deployment that only repaired.
    pub rework: bool,
}

/// The kind of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeploymentKind {
    /// It brought a commit that did not run, and that is no older one.
    Forward,
    /// It returned to a commit that what ran contains, or was asked for as a rollback.
    Rollback,
    /// It deployed the commit that ran.
    Redeploy,
    /// It never succeeded.
    Attempt,
    /// Its commit is not known yet.
    Unknown,
}

/// Why a deployment counts as failed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureReason {
    /// This deployment rolled it back.
    RolledBack(u64),
    /// It caused this incident: `/cause` says so, or it was the only suspect.
    Incident(String),
    /// This deployment brought a revert of something that it had brought.
    Reverted(u64),
    /// It was reported as failed after it had succeeded.
    FailedLater,
}

impl FailureReason {
    /// Returns the incident that it is about.
    pub fn incident(&self) -> Option<String> {
        match self {
            Self::Incident(id) => Some(id.clone()),
            Self::RolledBack(_) | Self::Reverted(_) | Self::FailedLater => None,
        }
    }
}

impl Row for DeploymentRow {
    fn owner(&self) -> String {
        self.id.to_string()
    }

    fn part(&self) -> String {
        self.environment.clone()
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// The time that one condition of a gate blocked one commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateRow {
    /// The gate's check run, such as `phasebot/deploy/production`.
    pub gate: String,
    /// The commit.
    pub commit: String,
    /// The condition's name in the policy.
    pub condition: String,
    /// Code of its last reason, such as `window_closed`.
    pub code: String,
    /// Beginning of the first time that it blocked.
    pub from: Timestamp,
    /// End of the last time; `None` while it blocks.
    pub until: Option<Timestamp>,
    /// Seconds of all times that have ended.
    pub blocked: i64,
    /// Beginning of the present time, if it blocks.
    pub since: Option<Timestamp>,
    /// The times that have ended, oldest first.
    #[serde(default)]
    pub spans: Vec<WaitSpan>,
}

impl GateRow {
    /// Returns the seconds for which it blocked in a window, up to `now`; `None` if it did not block
    /// there.
    pub fn blocked_in(&self, window: &Window, now: Timestamp) -> Option<i64> {
        // A row that an earlier version wrote has their sum only.
        let whole = self.until.filter(|_| self.spans.is_empty());
        let whole = whole.map(|until| WaitSpan { from: self.from, until, blocked: self.blocked });
        let present = self.since.map(|since| WaitSpan { from: since, until: now, blocked: seconds(since, now) });
        let all = self.spans.iter().copied().chain(whole).chain(present);
        let within = all.filter(|span| span.from < window.to && span.until >= window.from);
        within.map(|span| part(span, window)).reduce(|sum, part| sum + part)
    }

    /// Returns whether it blocked at a time, or just before it.
    pub fn blocks_before(&self, at: Timestamp) -> bool {
        self.since.is_some_and(|since| since < at) || self.spans.iter().any(|span| span.from < at && span.until >= at)
    }

    /// Returns the owner of the rows of a gate on a commit.
    pub(crate) fn owner_of(gate: &str, commit: &str) -> String {
        format!("{gate} {commit}")
    }
}

impl Row for GateRow {
    fn owner(&self) -> String {
        Self::owner_of(&self.gate, &self.commit)
    }

    fn part(&self) -> String {
        self.condition.clone()
    }

    fn at(&self) -> Timestamp {
        self.until.unwrap_or(OPEN)
    }
}

/// One cycle of an incident. If it fires again within the policy's `reopen_window`, it is the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentRow {
    /// The incident's id.
    pub id: String,
    /// The environment, lower case; `None` if unknown.
    pub environment: Option<String>,
    /// Its beginning, by its source's clock.
    pub began: Timestamp,
    /// Its last end, by its source's clock; `None` while it fires.
    pub ended: Option<Timestamp>,
    /// The deployment that caused it; `None`: none did, or that is not known.
    pub deployment: Option<u64>,
    /// Time at which its loop closed: a linked change runs where it fired, and it stayed quiet.
    pub loop_closed: Option<Timestamp>,
}

impl Row for IncidentRow {
    fn owner(&self) -> String {
        self.id.clone()
    }

    fn part(&self) -> String {
        sortable(self.began)
    }

    fn at(&self) -> Timestamp {
        self.ended.unwrap_or(OPEN)
    }
}

/// Returns the seconds of a time that lie in a window. Of one that stands for several, with gaps, it is
/// their share.
fn part(span: WaitSpan, window: &Window) -> i64 {
    let length = seconds(span.from, span.until);
    let inside = seconds(span.from.max(window.from), span.until.min(window.to));
    if length <= span.blocked {
        return inside;
    }
    let share = i128::from(span.blocked) * i128::from(inside) / i128::from(length);
    i64::try_from(share).unwrap_or(inside)
}

/// Returns the whole seconds from one time to a later one; 0 if that is earlier.
pub(crate) fn seconds(from: Timestamp, to: Timestamp) -> i64 {
    to.duration_since(from).as_secs().max(0)
}
