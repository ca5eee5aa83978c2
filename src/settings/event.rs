//! `[events.NAME]`: one connection of a system that deploys without the forge.

use std::collections::BTreeSet;

use http::HeaderName;
use secrecy::SecretString;

use crate::settings::problem::{Place, Problem};

/// An event connection.
#[derive(Debug, Clone)]
pub struct EventConnection {
    /// Kind of its messages.
    pub kind: EventKind,
    /// Bearer tokens or HMAC keys; one or two.
    pub secrets: Vec<SecretString>,
    /// `owner/name` of the repositories whose deployments it may report; the first is the default.
    pub repositories: Vec<String>,
    /// Header with the hex HMAC-SHA256 of the body; `None` requires a bearer token.
    pub signature_header: Option<HeaderName>,
    /// Globs of the environments that it may report; empty: all.
    pub environments: Vec<String>,
    /// True if GitHub shows what it reports, too, as deployments.
    pub github: bool,
    /// JSON pointers to the fields of the body (`generic` only).
    pub fields: EventFields,
    /// Values of the field `state` that mean in progress (`generic` only).
    pub in_progress: Vec<String>,
    /// Values of the field `state` that mean success (`generic` only).
    pub success: Vec<String>,
    /// Values of the field `state` that mean failure (`generic` only).
    pub failure: Vec<String>,
    /// Values of the field `state` that mean that what ran was taken down (`generic` only).
    pub removed: Vec<String>,
}

/// Kinds of messages of event connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// CDEvents in CloudEvents.
    Cdevents,
    /// Any JSON.
    Generic,
}

/// JSON pointers into the body of a generic event; empty if there is no such field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventFields {
    /// Identifier of the deployment.
    pub key: String,
    /// `owner/name` of the repository.
    pub repository: String,
    /// The commit's full hash, or a tag.
    pub commit: String,
    /// Environment.
    pub environment: String,
    /// State.
    pub state: String,
    /// Time of the state.
    pub at: String,
}

impl EventKind {
    /// Every kind with its name.
    pub const ALL: [(Self, &'static str); 2] = [(Self::Cdevents, "cdevents"), (Self::Generic, "generic")];
}

impl Default for EventFields {
    fn default() -> Self {
        Self {
            key: "/id".to_owned(),
            repository: "/repository".to_owned(),
            commit: "/commit".to_owned(),
            environment: "/environment".to_owned(),
            state: "/state".to_owned(),
            at: "/at".to_owned(),
        }
    }
}

/// A connection while it is read, with the names of its settings that were given.
pub(super) struct Draft {
    pub(super) connection: EventConnection,
    pub(super) given: BTreeSet<String>,
}

impl Default for Draft {
    fn default() -> Self {
        let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect();
        Self {
            connection: EventConnection {
                kind: EventKind::Generic,
                secrets: Vec::new(),
                repositories: Vec::new(),
                signature_header: None,
                environments: Vec::new(),
                github: false,
                fields: EventFields::default(),
                in_progress: words(&["in_progress", "running", "started"]),
                success: words(&["success", "succeeded"]),
                failure: words(&["failure", "failed", "error"]),
                removed: words(&["removed"]),
            },
            given: BTreeSet::new(),
        }
    }
}

impl Draft {
    /// Returns the problems of the connection as a whole.
    pub(super) fn problems(&self, name: &str) -> Vec<Problem> {
        const GENERIC_ONLY: [&str; 5] = ["fields", "in_progress", "success", "failure", "removed"];
        let problem =
            |key: &str, message: &str| Problem::new(Place::Setting(format!("events.{name}.{key}")), message.to_owned());
        let mut problems = Vec::new();
        for key in ["kind", "repositories"] {
            if !self.given.contains(key) {
                problems.push(problem(key, "is missing"));
            }
        }
        if self.given.contains("kind") && self.connection.kind != EventKind::Generic {
            let misplaced = GENERIC_ONLY.iter().filter(|key| self.given.contains(**key));
            problems.extend(misplaced.map(|key| problem(key, "is only for connections of kind \"generic\"")));
        }
        problems
    }
}

/// Checks a list of globs.
pub(super) fn globs(list: Vec<String>) -> Result<Vec<String>, String> {
    match list.iter().find(|glob| globset::Glob::new(glob).is_err()) {
        Some(_) => Err("one of the globs is not right".to_owned()),
        None => Ok(list),
    }
}
