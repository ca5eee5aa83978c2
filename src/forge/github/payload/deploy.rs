//! Releases and deployments.

use jiff::Timestamp;
use serde::Deserialize;

use crate::{
    domain::id::Sha,
    forge::github::payload::{Maybe, Numbered, User, lenient::objects},
};

/// A release.
///
/// Its `created_at` is not read: that is the time of the commit, not of the
/// release (GitHub Docs, «REST API endpoints for releases»).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Release {
    /// Its number.
    pub id: Maybe<u64>,
    /// Tag.
    pub tag_name: Maybe<String>,
    /// Branch or commit that the tag is made from.
    pub target_commitish: Maybe<String>,
    /// Not yet published.
    pub draft: Maybe<bool>,
    /// Not for production.
    pub prerelease: Maybe<bool>,
    /// When it was published; null of a draft.
    pub published_at: Maybe<Timestamp>,
    /// When it last changed; newer payloads have it.
    pub updated_at: Maybe<Timestamp>,
}

/// A deployment.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Deployment {
    /// Its number.
    pub id: Maybe<u64>,
    /// Commit.
    pub sha: Maybe<Sha>,
    /// What was asked for.
    #[serde(rename = "ref")]
    pub reference: Maybe<String>,
    /// Environment; a status may change it.
    pub environment: Maybe<String>,
    /// Production, by the forge's own flag.
    pub production_environment: Maybe<bool>,
    /// When it was made.
    pub created_at: Maybe<Timestamp>,
    /// When it last changed.
    pub updated_at: Maybe<Timestamp>,
    /// Who made it.
    pub creator: Maybe<User>,
}

/// A status of a deployment.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct DeploymentStatus {
    /// Its number.
    pub id: Maybe<u64>,
    /// `queued`, `pending`, `waiting`, `in_progress`, `success`, `failure`, `error`, `inactive`.
    pub state: Maybe<String>,
    /// Environment that the deployment has from this status on.
    pub environment: Maybe<String>,
    /// When it was set.
    pub created_at: Maybe<Timestamp>,
    /// When it last changed.
    pub updated_at: Maybe<Timestamp>,
}

/// The workflow run whose job made a deployment.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct DeployingRun {
    /// Its number.
    pub id: Maybe<u64>,
    /// The repository whose code it runs: a fork's for its pull requests.
    pub head_repository: Maybe<Numbered>,
}

objects!(Release, Deployment, DeploymentStatus, DeployingRun);
