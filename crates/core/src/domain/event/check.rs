//! Check runs and commit statuses as seen in events.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::id::Sha;

/// The outcome of a check run, commit status or workflow run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum RunOutcome {
    /// Not ended.
    Running,
    /// Succeeded.
    Success,
    /// Failed, timed out, could not start, or needs action.
    Failure,
    /// Ended without a verdict: stale, or a value we don't know.
    NoVerdict,
    /// Cancelled.
    Cancelled,
    /// Ended on purpose without running, or neutral.
    Skipped,
}

/// The forge's id of a program that reports check runs, such as an App.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CheckSource(pub u64);

impl CheckSource {
    /// The source of a check run for which the forge reports none.
    pub const UNKNOWN: Self = Self(0);
}

/// A check run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckSeen {
    /// Check run id.
    pub id: u64,
    /// Commit it ran on.
    pub sha: Sha,
    /// Name.
    pub name: String,
    /// Source.
    #[serde(alias = "app")]
    pub source: CheckSource,
    /// Name of the source, or empty.
    #[serde(default, alias = "app_slug")]
    pub source_name: String,
    /// The check suite it belongs to. A workflow run names the same one.
    pub suite: Option<u64>,
    /// Start time.
    pub started_at: Timestamp,
    /// Time and outcome of its completion.
    pub completed: Option<(Timestamp, RunOutcome)>,
    /// True if we created it.
    pub ours: bool,
    /// True if somebody requested a re-run.
    #[serde(default)]
    pub asked_again: bool,
    /// URL of its page, or empty. Whoever reports a check may name any page.
    #[serde(default)]
    pub url: String,
}

/// A commit status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusSeen {
    /// Status id.
    pub id: u64,
    /// Commit.
    pub sha: Sha,
    /// Context: the status' name.
    pub context: String,
    /// Outcome.
    pub outcome: RunOutcome,
    /// Time at which it was set.
    pub at: Timestamp,
    /// URL of its page, or empty. Whoever reports a status may name any page.
    #[serde(default)]
    pub url: String,
    /// True if we are known to have set it. Anyone may use our name for a status.
    #[serde(default)]
    pub ours: bool,
}

impl StatusSeen {
    /// Returns true if its context is one of ours, as those that we set are.
    pub fn is_named_ours(&self) -> bool {
        is_own_name(&self.context)
    }
}

/// Returns true if the name of a check run or commit status is one that we use.
pub fn is_own_name(name: &str) -> bool {
    name.starts_with("phasebot/")
}
