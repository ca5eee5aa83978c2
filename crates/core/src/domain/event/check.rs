//! Check runs and commit statuses as they are seen.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::id::Sha;

/// How something that runs stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum RunOutcome {
    /// Not ended.
    Running,
    /// Ended well.
    Success,
    /// Ended badly: failed, timed out, could not start, needs action.
    Failure,
    /// Ended without a verdict: stale, or a value we don't know.
    NoVerdict,
    /// Was cancelled.
    Cancelled,
    /// Ended on purpose without running, or without an opinion.
    Skipped,
}

/// A check run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckSeen {
    /// The run's id.
    pub id: u64,
    /// Commit it ran on.
    pub sha: Sha,
    /// Its name.
    pub name: String,
    /// Id of the App that made it; 0 where the forge does not say.
    pub app: u64,
    /// The App's slug, or empty.
    #[serde(default)]
    pub app_slug: String,
    /// The suite it belongs to; a workflow run names the same one.
    pub suite: Option<u64>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended, and how.
    pub completed: Option<(Timestamp, RunOutcome)>,
    /// Made by ourselves.
    pub ours: bool,
    /// Somebody asks for it to be run again.
    #[serde(default)]
    pub asked_again: bool,
    /// Its page, or empty. Whoever reports a check may name any page.
    #[serde(default)]
    pub url: String,
}

/// A commit status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusSeen {
    /// The status' id.
    pub id: u64,
    /// Commit.
    pub sha: Sha,
    /// Its context, the status' name.
    pub context: String,
    /// How it stands.
    pub outcome: RunOutcome,
    /// When it was set.
    pub at: Timestamp,
    /// Its page, or empty. Whoever reports a status may name any page.
    #[serde(default)]
    pub url: String,
}
