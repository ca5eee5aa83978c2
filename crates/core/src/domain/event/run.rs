//! Workflow runs, and jobs that wait for a protection rule.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::{
    event::RunOutcome,
    id::{Actor, Sha},
};

/// The kind of event that started a workflow run. It is stored as one word.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum RunTrigger {
    /// A deployment was created.
    Deployment,
    /// Someone started it by hand or through the API.
    Dispatch,
    /// A schedule.
    Schedule,
    /// Another event, by the forge's name. It only tells runs of one workflow apart.
    Other(String),
}

impl RunTrigger {
    /// Returns the stored word, which is also for people.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Deployment => "deployment",
            Self::Dispatch => "workflow_dispatch",
            Self::Schedule => "schedule",
            Self::Other(name) => name,
        }
    }
}

impl From<String> for RunTrigger {
    fn from(word: String) -> Self {
        [Self::Deployment, Self::Dispatch, Self::Schedule]
            .into_iter()
            .find(|known| known.as_str() == word)
            .unwrap_or(Self::Other(word))
    }
}

impl From<RunTrigger> for String {
    fn from(trigger: RunTrigger) -> Self {
        trigger.as_str().to_owned()
    }
}

/// A workflow run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkflowSeen {
    /// Workflow run id.
    pub id: u64,
    /// Commit.
    pub sha: Sha,
    /// The check suite of its jobs.
    pub suite: Option<u64>,
    /// The kind of event that started it.
    pub trigger: RunTrigger,
    /// Outcome.
    pub outcome: RunOutcome,
    /// Number of the attempt, from 1.
    pub attempt: u64,
    /// Title, from the workflow's `run-name`.
    pub title: String,
    /// The workflow file.
    pub workflow: String,
    /// Creation time; `None` if the payload does not have it.
    pub created_at: Option<Timestamp>,
    /// URL of its page.
    pub url: String,
    /// The accounts that started it: the run's actor, and the account that started this attempt.
    #[serde(default)]
    pub started_by: Vec<Actor>,
}

/// A job that waits for a deployment protection rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtectionSeen {
    /// True if the run belongs to a pull request: the pull request's author chose what runs,
    /// whatever commit the forge lists it under.
    pub of_pull: bool,
    /// The workflow run, read from the callback's path.
    pub run: Option<u64>,
    /// Environment.
    pub environment: String,
    /// Commit.
    pub sha: Option<Sha>,
    /// The deployment that the job created.
    pub deployment: Option<u64>,
    /// The account that created that deployment: whoever started the run.
    #[serde(default)]
    pub creator: Option<Actor>,
}
