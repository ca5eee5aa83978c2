//! Releases and deployments as they are seen.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::id::{Actor, Sha};

/// A release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseSeen {
    /// Its id.
    pub id: u64,
    /// Its tag.
    pub tag: String,
    /// Branch or commit that the tag will be made from.
    pub target: String,
    /// Not yet published.
    pub draft: bool,
    /// Not for production.
    pub prerelease: bool,
    /// When it was published.
    pub published_at: Option<Timestamp>,
    /// It was deleted or unpublished.
    pub withdrawn: bool,
}

/// How a deployment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum DeployState {
    /// Asked for, waiting or queued.
    Waiting,
    /// Under way.
    InProgress,
    /// Done.
    Success,
    /// Failed, or errored.
    Failure,
    /// Replaced or taken down; or a value we don't know.
    Inactive,
}

/// A deployment, and a status of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentSeen {
    /// Its id.
    pub id: u64,
    /// Commit.
    pub sha: Sha,
    /// What was asked for: branch, tag or commit.
    pub reference: String,
    /// Environment, as written.
    pub environment: String,
    /// The forge's own production flag.
    pub production: Option<bool>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub creator: Option<Actor>,
    /// The workflow run whose job made it.
    pub run: Option<u64>,
    /// Whether that run is of another repository's code; `None`: not told.
    #[serde(default)]
    pub from_fork: Option<bool>,
    /// The status that the event carries.
    pub status: Option<DeployStatus>,
}

/// A status of a deployment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DeployStatus {
    /// When.
    pub at: Timestamp,
    /// Its id: breaks ties within a second.
    pub id: u64,
    /// How it stands.
    pub state: DeployState,
}
