//! Locks that rollbacks take.

use jiff::Timestamp;

use super::{
    RepoFacts,
    command::{Deed, Guard},
    deploy::{DeployRequest, Origin, RequestKind},
};

/// Why the environment is locked.
const REASON: &str = "it was rolled back";

impl RepoFacts {
    /// The lock that the last rollback took, unless someone lifted it: nothing
    /// goes there on its own, also not for the one who rolled back.
    pub fn rollback_lock<'a>(&'a self, environment: &str) -> Option<Guard<'a>> {
        let rolled = self.requests.values().filter(|r| r.environment == environment && r.kind == RequestKind::Rollback);
        let (request, since) = rolled.filter_map(|r| Some((r, r.started_at?))).max_by_key(|(r, at)| (*at, r.at))?;
        (!self.lifted_after(environment, since)).then(|| guard(request, since))
    }

    fn lifted_after(&self, environment: &str, since: Timestamp) -> bool {
        self.commands.values().any(|command| {
            matches!(&command.deed, Some(Deed::Unlock { environment: name }) if name == environment)
                && command.at >= since
        })
    }
}

fn guard(request: &DeployRequest, since: Timestamp) -> Guard<'_> {
    let item = match &request.origin {
        Origin::Command(id) => id.item,
        Origin::Tag(_) | Origin::Merge(_) => 0,
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
