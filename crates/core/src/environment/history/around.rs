//! The part of a history around a time.

use std::ops::Bound::{Excluded, Unbounded};

use jiff::Timestamp;

use crate::{
    domain::fact::environment::{DeploymentChange, DeploymentChangeKind},
    environment::history::{Backwards, History},
};

impl<'f> History<'f> {
    /// Returns the runs that began before a given time, the newest first. The end of the first one is not
    /// known.
    pub(crate) fn backwards_from(self, before: Timestamp) -> Backwards<'f> {
        Backwards { history: self, left: Some(before), until: None, after: None }
    }

    /// Returns a time before which at least `count` successes lie since a given one; `None` if there are
    /// fewer.
    pub(crate) fn after(self, at: Timestamp, count: usize) -> Option<Timestamp> {
        let first = DeploymentChange { at, kind: DeploymentChangeKind::Failed, deployment: u64::MAX };
        let later = self.index?.turns.range((Excluded(first), Unbounded));
        let counts = |turn: &&DeploymentChange| {
            turn.kind == DeploymentChangeKind::Succeeded
                && self.stretch(turn).is_some_and(|top| self.counts(top.deployment, top.facts))
        };
        later.filter(counts).map(|turn| turn.at).nth(count)
    }

    /// Returns the last time at which a deployment failed that succeeded between two times, inclusive.
    pub(crate) fn failure_of(self, since: Timestamp, until: Timestamp) -> Option<Timestamp> {
        let failed = |turn: &DeploymentChange| self.stretch(turn).and_then(|top| top.stretch.failed);
        self.turns(DeploymentChangeKind::Succeeded, since, until).filter_map(failed).max()
    }
}
