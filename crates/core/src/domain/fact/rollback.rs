//! Locks that rollbacks take.

use jiff::Timestamp;

use crate::domain::fact::{
    RepoFacts,
    command::Guard,
    deploy_request::{DeployRequest, Origin},
};

/// The reason of the lock.
const REASON: &str = "it was rolled back";

impl RepoFacts {
    /// Returns the lock that the last rollback took, unless someone lifted it. Nothing is deployed
    /// there automatically, and it also binds the person who rolled back.
    pub fn rollback_lock<'a>(&'a self, environment: &str) -> Option<Guard<'a>> {
        let (since, id) = self.locking_rollback(environment)?;
        self.requests.get(id).map(|request| guard(request, since))
    }

    /// Returns the rollback whose lock is in force, by the id of its request, and since when.
    pub fn locking_rollback(&self, environment: &str) -> Option<(Timestamp, &String)> {
        let (since, _, id) = self.requests.index().rollbacks.of(environment).next_back()?;
        let lifted = self.commands.index().unlocked_at(environment).is_some_and(|at| at >= *since);
        (!lifted).then_some((*since, id))
    }
}

fn guard(request: &DeployRequest, since: Timestamp) -> Guard<'_> {
    let item = match &request.origin {
        Origin::Command(id) => id.item,
        Origin::Label(pull) => *pull,
        Origin::Tag(_) | Origin::Merge(_) | Origin::Incident(_) => 0,
    };
    Guard {
        name: &request.environment,
        by: &request.by,
        since,
        until: None,
        reason: Some(REASON),
        item,
        binds_all: true,
    }
}
