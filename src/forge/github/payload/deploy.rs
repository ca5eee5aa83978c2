//! Releases and deployments.

use jiff::Timestamp;
use serde::Deserialize;

use crate::{
    domain::id::Sha,
    forge::github::payload::{Maybe, Numbered, User, lenient::objects},
};

/// A release.
///
/// Its `created_at` is not read: that is the time of the commit, not of the release (GitHub Docs,
/// "REST API endpoints for releases").
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Release {
    /// Release id.
    pub id: Maybe<u64>,
    /// Tag name.
    pub tag_name: Maybe<String>,
    /// Branch or commit that the tag is created from.
    pub target_commitish: Maybe<String>,
    /// Whether the release is a draft, and therefore unpublished.
    pub draft: Maybe<bool>,
    /// Whether the release is marked as not ready for production.
    pub prerelease: Maybe<bool>,
    /// Time of publication; null for a draft.
    pub published_at: Maybe<Timestamp>,
    /// Time of the last change; only in newer payloads.
    pub updated_at: Maybe<Timestamp>,
}

/// A deployment.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Deployment {
    /// Deployment id.
    pub id: Maybe<u64>,
    /// Commit that is deployed.
    pub sha: Maybe<Sha>,
    /// Ref that the deployment was requested for.
    #[serde(rename = "ref")]
    pub reference: Maybe<String>,
    /// Its purpose, `deploy` by default.
    pub task: Maybe<String>,
    /// Environment; a deployment status may change it.
    pub environment: Maybe<String>,
    /// GitHub's flag for a production environment.
    pub production_environment: Maybe<bool>,
    /// Whether the environment is made for the deployment and goes with it.
    pub transient_environment: Maybe<bool>,
    /// Time of creation.
    pub created_at: Maybe<Timestamp>,
    /// Time of the last change.
    pub updated_at: Maybe<Timestamp>,
    /// Account that created the deployment.
    pub creator: Maybe<User>,
}

/// A deployment status.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct DeploymentStatus {
    /// Deployment status id.
    pub id: Maybe<u64>,
    /// `queued`, `pending`, `waiting`, `in_progress`, `success`, `failure`, `error`, `inactive`.
    pub state: Maybe<String>,
    /// Environment of the deployment from this status on.
    pub environment: Maybe<String>,
    /// Time of creation.
    pub created_at: Maybe<Timestamp>,
    /// Time of the last change.
    pub updated_at: Maybe<Timestamp>,
}

/// The workflow run whose job created a deployment.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct DeployingRun {
    /// Workflow run id.
    pub id: Maybe<u64>,
    /// Repository whose code the run executes: for a fork's pull request, the fork.
    pub head_repository: Maybe<Numbered>,
}

objects!(Release, Deployment, DeploymentStatus, DeployingRun);
