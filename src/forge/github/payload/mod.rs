//! What GitHub's webhook payloads look like, as far as we read them.
//!
//! Every field is a [`Maybe`]: a field that is missing, null or of another
//! type is absent, never an error. Enumerations are plain strings, so a new
//! value is never an error either.
//!
//! Source: GitHub Docs, «Webhook events and payloads», and the machine-readable
//! form of it, npm `@octokit/openapi-webhooks`.

mod admin;
mod body;
mod check;
mod common;
mod deploy;
mod git;
mod item;
mod lenient;

pub use admin::{InstallationFull, InstalledRepository, LabelChanges};
pub use body::{Payload, json};
pub use check::{CheckRun, CheckSuite, Commit as StatusCommit, WorkflowRun};
pub use common::{Label, Numbered, Repository, User, Via};
pub use deploy::{DeployingRun, Deployment, DeploymentStatus, Release};
pub use git::{MergeGroup, PushedCommit, Pusher};
pub use item::{Comment, Issue, Pull, PullEnd, Review};
pub use lenient::{Maybe, Read};
