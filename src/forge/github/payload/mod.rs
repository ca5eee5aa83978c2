//! Types of GitHub's webhook payloads, with the fields that phasebot reads.
//!
//! Every field is a [`Maybe`]: a field that is missing, null or of another type is absent and never
//! an error. Enumerations are plain strings, so a new value is never an error either.
//!
//! Source: GitHub Docs, "Webhook events and payloads", and its machine-readable form, npm
//! `@octokit/openapi-webhooks`.

mod admin;
mod body;
mod check;
mod common;
mod deploy;
mod git;
mod item;
mod lenient;

pub use crate::forge::github::payload::admin::{InstallationFull, InstalledRepository, LabelChanges};
pub use crate::forge::github::payload::body::{Payload, json};
pub use crate::forge::github::payload::check::{CheckRun, CheckSuite, Commit as StatusCommit, WorkflowRun};
pub use crate::forge::github::payload::common::{Label, Numbered, Repository, User, Via};
pub use crate::forge::github::payload::deploy::{DeployingRun, Deployment, DeploymentStatus, Release};
pub use crate::forge::github::payload::git::{MergeGroup, PushedCommit, Pusher};
pub use crate::forge::github::payload::item::{Comment, Issue, Pull, PullEnd, Review, Stack};
pub use crate::forge::github::payload::lenient::{Field, Maybe, Read};
