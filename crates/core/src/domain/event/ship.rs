//! Releases and deployments as seen in events.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::id::{Actor, Sha};

/// A release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseSeen {
    /// Release id.
    pub id: u64,
    /// Tag.
    pub tag: String,
    /// Branch or commit that the tag will be created from.
    pub target: String,
    /// True if it is not published yet.
    pub draft: bool,
    /// True for a pre-release.
    pub prerelease: bool,
    /// Publication time.
    pub published_at: Option<Timestamp>,
    /// True if it was deleted or unpublished.
    pub withdrawn: bool,
}

/// The state of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum DeployState {
    /// Requested, waiting or queued.
    Waiting,
    /// In progress.
    InProgress,
    /// Succeeded.
    Success,
    /// Failed, or errored.
    Failure,
    /// Replaced or taken down; or a value we don't know.
    Inactive,
}

/// A deployment, and a status of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentSeen {
    /// Deployment id.
    pub id: u64,
    /// Commit.
    pub sha: Sha,
    /// The ref that was requested: branch, tag or commit.
    pub reference: String,
    /// Environment, as written.
    pub environment: String,
    /// The forge's own production flag.
    pub production: Option<bool>,
    /// Creation time.
    pub created_at: Timestamp,
    /// The account that created it.
    pub creator: Option<Actor>,
    /// The workflow run whose job created it.
    pub run: Option<u64>,
    /// True if that run is of another repository's code; `None` if unknown.
    #[serde(default)]
    pub from_fork: Option<bool>,
    /// The connection that reported it, if it is not one of the forge's own.
    #[serde(default)]
    pub source: Option<String>,
    /// True if its environment is made for it and goes with it, such as a pull request's preview.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub transient: bool,
    /// The status that the event carries.
    pub status: Option<DeployStatus>,
}

/// A status of a deployment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DeployStatus {
    /// Time.
    pub at: Timestamp,
    /// Status id. It orders statuses with the same time, to the second.
    pub id: u64,
    /// State.
    pub state: DeployState,
}
