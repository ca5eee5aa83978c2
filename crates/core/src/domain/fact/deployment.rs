//! Facts about deployments.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::{
    event::{DeployState, DeployStatus, DeploymentSeen},
    id::{Account, Actor, Sha},
};

/// Maximum statuses that are kept of one deployment.
const MOST_STATUSES: usize = 100;

/// A deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentFacts {
    /// The commit that the forge lists it under. Private, because the commit that it deployed may
    /// be another one.
    sha: Sha,
    /// The ref that was requested.
    pub reference: String,
    /// Environment, as written. A status may name another one than its deployment.
    pub environment: String,
    /// The forge's own production flag.
    pub production: Option<bool>,
    /// Time of the newest status from which environment and production flag were read.
    #[serde(default)]
    pub placed_at: Option<Timestamp>,
    /// Creation time.
    pub created_at: Timestamp,
    /// The account that created it.
    pub creator: Option<Account>,
    /// The workflow run whose job created it.
    #[serde(default)]
    pub run: Option<u64>,
    /// The commit that its run was given as an input. It is set once the run is known to belong to
    /// a deployment of ours.
    #[serde(default, alias = "told")]
    given: Option<Sha>,
    /// True if its run is of another repository's code; `None` if unknown.
    #[serde(default)]
    pub from_fork: Option<bool>,
    /// True if its commit is on a branch or tag of this repository. It is stored here because the
    /// facts that show it are removed in time.
    #[serde(default)]
    pub(super) commit_is_here: Option<bool>,
    /// True if its environment is made for it and goes with it. It is then in no environment's
    /// history.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub transient: bool,
    /// The connection that reported it, as in `[events.NAME]`; `None` for one of the forge's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Its copy among the forge's own deployments, if it is to have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirror: Option<Mirror>,
    /// The statuses seen, at most the newest hundred.
    pub statuses: BTreeSet<DeployStatus>,
}

/// A copy of an external deployment among the forge's own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Mirror {
    /// The copy, once it exists.
    pub made: Option<MadeCopy>,
    /// True if an attempt to create the copy failed: it may exist without our knowledge.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_doubt: bool,
    /// The newest reported state that needs no effect any more: the forge shows it, or it is not to
    /// be shown.
    pub settled: Option<DeployState>,
    /// What is done about a newer one.
    #[serde(default)]
    pub step: MirrorStep,
}

/// A copy as the forge created it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeCopy {
    /// The forge's id.
    pub id: u64,
    /// The commit.
    pub sha: Sha,
    /// Creation time, by the forge's clock if it said so.
    pub at: Timestamp,
}

/// What is done to show a state of an external deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum MirrorStep {
    /// Nothing.
    #[default]
    Idle,
    /// An effect is queued that creates the copy or sets its state.
    Queued,
    /// The last effect failed. The next one is due at this time.
    Again(Timestamp),
}

impl DeploymentFacts {
    /// Returns whether it is in the history of its environment: one that is made for a deployment has
    /// none. The forge's flag for production weighs more.
    pub fn has_history(&self) -> bool {
        !self.transient || self.production == Some(true)
    }

    /// Returns what is done about a state that the forge is still to show of a deployment that has a
    /// copy there; `None` if it shows the newest one.
    pub fn mirror_step(&self) -> Option<MirrorStep> {
        let mirror = self.mirror.as_ref().filter(|_| self.origin() == DeploymentOrigin::Own)?;
        let state = self.statuses.last()?.state;
        (state != DeployState::Waiting && mirror.settled != Some(state)).then_some(mirror.step)
    }

    /// Keeps a status. The oldest goes first: without it the deployment seems to run for a shorter
    /// time, never for a longer one.
    pub fn keep_status(&mut self, status: DeployStatus) {
        self.statuses.insert(status);
        if self.statuses.len() > MOST_STATUSES {
            self.statuses.pop_first();
        }
    }

    /// Creates a deployment as it is first seen, without a status.
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
            transient: seen.transient,
            source: seen.source.clone(),
            mirror: None,
            statuses: BTreeSet::new(),
        }
    }

    /// Returns the origin of the commit that it deploys. A job of a pull request never deploys a
    /// commit of this repository, not even with the merge that the forge makes to test it.
    pub fn origin(&self) -> DeploymentOrigin {
        let of_pull = self.reference.starts_with("refs/pull/");
        match (self.from_fork, self.commit_is_here) {
            _ if of_pull => DeploymentOrigin::Foreign,
            (Some(true), _) | (None, Some(false)) => DeploymentOrigin::Foreign,
            (Some(false), _) | (None, Some(true)) => DeploymentOrigin::Own,
            (None, None) => DeploymentOrigin::Unknown,
        }
    }

    /// Returns the commit that it deploys: the one that its workflow was given, else the one that
    /// the forge lists it under. Only `environment::history` knows if it may still turn out to be
    /// another one.
    pub fn commit(&self) -> &Sha {
        self.given.as_ref().unwrap_or(&self.sha)
    }

    /// Returns the commit that the forge lists it under. Its workflow ran at that commit, but need
    /// not have deployed it.
    pub fn listed_commit(&self) -> &Sha {
        &self.sha
    }

    /// Returns whether an earlier state of it names the same commits.
    pub fn names_commits_of(&self, before: &Self) -> bool {
        (&self.sha, &self.given) == (&before.sha, &before.given)
    }

    /// Lists it under a commit: of an external deployment, the one that its tag named. Returns whether
    /// that is another one.
    pub fn list_under(&mut self, commit: Sha) -> bool {
        std::mem::replace(&mut self.sha, commit) != self.sha
    }

    /// Returns true if it is known which commit its run was given.
    pub fn is_linked(&self) -> bool {
        self.given.is_some()
    }

    /// Records the commit that its run was given.
    pub fn link(&mut self, commit: Sha) {
        self.given = Some(commit);
    }
}

/// The origin of a deployment's commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeploymentOrigin {
    /// This repository.
    Own,
    /// A fork, or a pull request.
    Foreign,
    /// Not known yet.
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_bounded_and_the_newest_stay_in_any_order() {
        let status = |second: i64| DeployStatus {
            at: Timestamp::from_second(second).unwrap(),
            id: second.unsigned_abs(),
            state: DeployState::Success,
        };
        let empty = DeploymentFacts {
            sha: Sha::FIRST,
            reference: String::new(),
            environment: String::new(),
            production: None,
            placed_at: None,
            created_at: Timestamp::UNIX_EPOCH,
            creator: None,
            run: None,
            given: None,
            from_fork: None,
            commit_is_here: None,
            transient: false,
            source: None,
            mirror: None,
            statuses: BTreeSet::new(),
        };
        let (mut forwards, mut backwards) = (empty.clone(), empty);
        for second in 0..300 {
            forwards.keep_status(status(second));
            backwards.keep_status(status(299 - second));
        }
        assert_eq!(forwards, backwards);
        assert_eq!((forwards.statuses.len(), forwards.statuses.first()), (100, Some(&status(200))));
    }
}
