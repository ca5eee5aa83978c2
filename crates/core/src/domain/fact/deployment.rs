//! Facts about deployments.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::{
    event::{DeployStatus, DeploymentSeen},
    id::{Account, Actor, Sha},
};

/// A deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentFacts {
    /// The commit that the forge lists it under. Private: what it put into its
    /// environment may be another one.
    sha: Sha,
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
    pub creator: Option<Account>,
    /// The workflow run whose job made it.
    #[serde(default)]
    pub run: Option<u64>,
    /// The commit that its run was given, once it is known to be the run of a
    /// deploy of ours.
    #[serde(default, alias = "told")]
    given: Option<Sha>,
    /// Whether its run is of another repository's code; `None`: not told.
    #[serde(default)]
    pub from_fork: Option<bool>,
    /// Whether its commit is on a branch or tag of this repository. Kept here,
    /// because what shows it is forgotten in time.
    #[serde(default)]
    pub(super) commit_is_here: Option<bool>,
    /// Every status seen.
    pub statuses: BTreeSet<DeployStatus>,
}

impl DeploymentFacts {
    /// A deployment as it is first seen, without a status.
    pub fn new(seen: &DeploymentSeen) -> Self {
        Self {
            sha: seen.sha.clone(),
            reference: seen.reference.clone(),
            environment: seen.environment.clone(),
            production: seen.production,
            placed_at: None,
            created_at: seen.created_at,
            creator: seen.creator.as_ref().map(Actor::account),
            run: seen.run,
            given: None,
            from_fork: seen.from_fork,
            commit_is_here: None,
            statuses: BTreeSet::new(),
        }
    }

    /// Whose commit it deploys. A job of a pull request deploys none of this
    /// repository's: not even the merge that the forge makes to test it.
    pub fn origin(&self) -> DeploymentOrigin {
        let of_pull = self.reference.starts_with("refs/pull/");
        match (self.from_fork, self.commit_is_here) {
            _ if of_pull => DeploymentOrigin::Foreign,
            (Some(true), _) | (None, Some(false)) => DeploymentOrigin::Foreign,
            (Some(false), _) | (None, Some(true)) => DeploymentOrigin::Own,
            (None, None) => DeploymentOrigin::Unknown,
        }
    }

    /// The commit that it puts into the environment: what its workflow was
    /// given, else the one that the forge lists it under. Whether it may still
    /// turn out to be another one, only `decide::environment::history` knows.
    pub fn commit(&self) -> &Sha {
        self.given.as_ref().unwrap_or(&self.sha)
    }

    /// The commit that the forge lists it under: where its workflow ran, which
    /// need not be what it deployed.
    pub fn listed_commit(&self) -> &Sha {
        &self.sha
    }

    /// Whether it is known which commit its run was given.
    pub fn is_linked(&self) -> bool {
        self.given.is_some()
    }

    /// Notes the commit that its run was given.
    pub fn link(&mut self, commit: Sha) {
        self.given = Some(commit);
    }
}

/// Whose commit a deployment deploys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeploymentOrigin {
    /// This repository's.
    Own,
    /// A fork's, or a pull request's.
    Foreign,
    /// Not known yet.
    Unknown,
}
