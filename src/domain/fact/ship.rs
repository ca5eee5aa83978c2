//! Facts about releases and deployments.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Newest;
use crate::domain::{event::DeployStatus, id::Sha};

/// A release at its newest sight.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ReleaseFacts {
    /// Its state, newest by the forge's time.
    pub state: Newest<ReleaseState>,
}

/// How a release stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ReleaseState {
    /// Deleted or unpublished: outweighs everything of the same moment.
    pub withdrawn: bool,
    /// When it was published; `None` for a draft.
    pub published_at: Option<Timestamp>,
    /// Its tag.
    pub tag: String,
    /// Branch or commit that the tag is made from.
    pub target: String,
    /// Not for production.
    pub prerelease: bool,
}

/// A deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentFacts {
    /// Commit.
    pub sha: Sha,
    /// What was asked for.
    pub reference: String,
    /// Environment, as written. A status may name another one than its deployment.
    pub environment: String,
    /// The forge's own production flag.
    pub production: Option<bool>,
    /// When environment and production flag were seen so, by the newest status.
    #[serde(default)]
    pub placed_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub creator: Option<String>,
    /// The workflow run whose job made it.
    #[serde(default)]
    pub run: Option<u64>,
    /// The commit that its run was told to deploy, where the forge names the
    /// one that the workflow ran from.
    #[serde(default)]
    pub told: Option<Sha>,
    /// Every status seen.
    pub statuses: BTreeSet<DeployStatus>,
}

impl DeploymentFacts {
    /// The commit that it puts into the environment.
    pub fn commit(&self) -> &Sha {
        self.told.as_ref().unwrap_or(&self.sha)
    }
}
