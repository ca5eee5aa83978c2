//! Workflow runs, and their jobs that wait.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::{
    event::RunOutcome,
    id::{Actor, Sha},
};

/// A workflow run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkflowSeen {
    /// The run's id.
    pub id: u64,
    /// Commit.
    pub sha: Sha,
    /// The check suite of its jobs.
    pub suite: Option<u64>,
    /// What started it, such as `push` or `schedule`.
    pub trigger: String,
    /// How it stands.
    pub outcome: RunOutcome,
    /// Which attempt at it, from 1.
    pub attempt: u64,
    /// Its title, as the workflow's `run-name` has it.
    pub title: String,
    /// The workflow's file.
    pub workflow: String,
    /// When it was made; `None` where the payload does not say.
    pub created_at: Option<Timestamp>,
    /// Its page.
    pub url: String,
    /// Who started it: the run's actor, and who had this attempt run.
    #[serde(default)]
    pub started_by: Vec<Actor>,
}

/// A job that waits for a protection rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtectionSeen {
    /// The run is of a pull request: its author chose what runs, whatever commit
    /// the forge lists it under.
    pub of_pull: bool,
    /// The workflow run, read from the callback's path.
    pub run: Option<u64>,
    /// Environment.
    pub environment: String,
    /// Commit.
    pub sha: Option<Sha>,
    /// The deployment that the job made.
    pub deployment: Option<u64>,
    /// Who made that deployment: whoever started the run.
    #[serde(default)]
    pub creator: Option<Actor>,
}
