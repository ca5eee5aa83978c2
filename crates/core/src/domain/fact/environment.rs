//! Look-up tables over deployments, in the order in which `environment::history` needs them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::domain::{
    event::DeployState,
    fact::{
        deployment::{DeploymentFacts, DeploymentOrigin, MirrorStep},
        indexed::{IndexedMap, KeysBy, MapIndex},
    },
    id::Sha,
    rule::name_key,
};

/// The deployments to one environment.
#[derive(Debug, Clone, Default)]
pub struct EnvironmentIndex {
    /// Every deployment, by creation time.
    pub made: BTreeSet<(Timestamp, u64)>,
    /// Every time at which a deployment changed what runs, or tried to.
    pub turns: BTreeSet<DeploymentChange>,
    /// Deployments without any status, or whose last status is that they wait.
    pub waiting: BTreeSet<u64>,
    /// Deployments by the forge's own production flag.
    pub flagged: KeysBy<Option<bool>, u64>,
}

/// A change that a deployment made, or tried to make, to what runs.
///
/// Changes are ordered by time. At the same time, a success comes before an end, because a forge
/// that ends the old deployment does so for the new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeploymentChange {
    /// Time.
    pub at: Timestamp,
    /// Kind of change.
    pub kind: DeploymentChangeKind,
    /// The deployment.
    pub deployment: u64,
}

/// The kind of a deployment's change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeploymentChangeKind {
    /// It was first in progress, or ended without having been.
    Begun,
    /// It succeeded: from here on it may run.
    Succeeded,
    /// It was taken down, or replaced.
    Inactive,
    /// It failed, before or after it had succeeded.
    Failed,
}

/// A period for which a deployment reports that it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// Time of its success.
    pub from: Timestamp,
    /// Time at which it was first reported as taken down or replaced.
    pub inactive: Option<Timestamp>,
    /// Time at which it was found to have failed after all.
    pub failed: Option<Timestamp>,
}

/// Deployments by id.
pub type Deployments = IndexedMap<u64, DeploymentFacts, DeploymentIndex>;

/// Look-up tables over [`Deployments`].
#[derive(Debug, Clone, Default)]
pub struct DeploymentIndex {
    /// The deployments to each environment, by its lower-case name.
    pub environments: BTreeMap<String, EnvironmentIndex>,
    /// Deployments by each commit that they may have deployed.
    pub by_commit: KeysBy<Sha, u64>,
    /// Deployments by the workflow run whose job created them.
    pub by_run: KeysBy<u64, u64>,
    /// Deployments of which it is unknown whose commit they deploy.
    pub of_unknown_origin: BTreeSet<u64>,
    /// External deployments whose state the forge is still to show, and for which nothing is queued.
    pub to_mirror: BTreeSet<u64>,
    /// Those of which the last effect failed, by the time at which the next one is due.
    pub to_mirror_again: BTreeSet<(Timestamp, u64)>,
    /// Copies of external deployments by their commit, each with the time of its creation.
    pub copies: KeysBy<Sha, (Timestamp, u64)>,
}

impl MapIndex<u64, DeploymentFacts> for DeploymentIndex {
    fn add(&mut self, id: &u64, deployment: &DeploymentFacts) {
        if deployment.has_history() {
            let index = self.environments.entry(name_key(&deployment.environment)).or_default();
            index.made.insert((deployment.created_at, *id));
            index.turns.extend(turns(*id, deployment));
            if waits(deployment) {
                index.waiting.insert(*id);
            }
            index.flagged.add(deployment.production, *id);
        }
        for commit in [deployment.listed_commit(), deployment.commit()] {
            self.by_commit.add(commit.clone(), *id);
        }
        if let Some(run) = deployment.run {
            self.by_run.add(run, *id);
        }
        if deployment.origin() == DeploymentOrigin::Unknown {
            self.of_unknown_origin.insert(*id);
        }
        match deployment.mirror_step() {
            Some(MirrorStep::Idle) => drop(self.to_mirror.insert(*id)),
            Some(MirrorStep::Again(at)) => drop(self.to_mirror_again.insert((at, *id))),
            Some(MirrorStep::Queued) | None => {}
        }
        if let Some(copy) = deployment.mirror.as_ref().and_then(|mirror| mirror.made.as_ref()) {
            self.copies.add(copy.sha.clone(), (copy.at, copy.id));
        }
    }

    fn remove(&mut self, id: &u64, deployment: &DeploymentFacts) {
        let name = name_key(&deployment.environment);
        if let Some(index) = self.environments.get_mut(&name).filter(|_| deployment.has_history()) {
            index.made.remove(&(deployment.created_at, *id));
            index.waiting.remove(id);
            for turn in turns(*id, deployment) {
                index.turns.remove(&turn);
            }
            index.flagged.remove(&deployment.production, id);
            if index.made.is_empty() {
                self.environments.remove(&name);
            }
        }
        for commit in [deployment.listed_commit(), deployment.commit()] {
            self.by_commit.remove(commit, id);
        }
        if let Some(run) = deployment.run {
            self.by_run.remove(&run, id);
        }
        self.of_unknown_origin.remove(id);
        self.to_mirror.remove(id);
        if let Some(MirrorStep::Again(at)) = deployment.mirror_step() {
            self.to_mirror_again.remove(&(at, *id));
        }
        if let Some(copy) = deployment.mirror.as_ref().and_then(|mirror| mirror.made.as_ref()) {
            self.copies.remove(&copy.sha, &(copy.at, copy.id));
        }
    }
}

fn waits(deployment: &DeploymentFacts) -> bool {
    deployment.statuses.last().is_none_or(|status| status.state == DeployState::Waiting)
}

/// Returns the periods for which a deployment reports that it runs, in order. A repeated success
/// starts no new period, unless the last period has ended, or another system than the forge reported
/// that the deployment was in progress again.
pub fn stretches(deployment: &DeploymentFacts) -> Vec<Stretch> {
    let mut found: Vec<Stretch> = Vec::new();
    let mut runs_again = false;
    for status in &deployment.statuses {
        match status.state {
            DeployState::Success => {
                if runs_again || found.last().is_none_or(|last| last.inactive.is_some() || last.failed.is_some()) {
                    found.push(Stretch { from: status.at, inactive: None, failed: None });
                }
                runs_again = false;
            }
            DeployState::Inactive => {
                if let Some(last) = found.last_mut().filter(|last| last.failed.is_none()) {
                    last.inactive.get_or_insert(status.at);
                }
            }
            // A rollback never returns to a failed deployment, in whichever period it failed.
            DeployState::Failure => {
                for stretch in &mut found {
                    stretch.failed.get_or_insert(status.at);
                }
            }
            DeployState::InProgress => runs_again = deployment.source.is_some() && !found.is_empty(),
            DeployState::Waiting => {}
        }
    }
    found
}

/// Returns when a deployment was first in progress, or ended without having been.
pub fn begun(deployment: &DeploymentFacts) -> Option<Timestamp> {
    let first = |is_it: fn(DeployState) -> bool| {
        deployment.statuses.iter().find(|status| is_it(status.state)).map(|status| status.at)
    };
    first(|state| state == DeployState::InProgress).or_else(|| first(|state| state != DeployState::Waiting))
}

fn turns(id: u64, deployment: &DeploymentFacts) -> Vec<DeploymentChange> {
    let turn = |at, kind| DeploymentChange { at, kind, deployment: id };
    let begun = begun(deployment);
    let ends = deployment.statuses.iter().filter_map(|status| match status.state {
        DeployState::Failure => Some(turn(status.at, DeploymentChangeKind::Failed)),
        DeployState::Inactive => Some(turn(status.at, DeploymentChangeKind::Inactive)),
        DeployState::Success | DeployState::Waiting | DeployState::InProgress => None,
    });
    let begun = begun.map(|at| turn(at, DeploymentChangeKind::Begun));
    let runs = stretches(deployment).into_iter().map(|stretch| turn(stretch.from, DeploymentChangeKind::Succeeded));
    begun.into_iter().chain(ends).chain(runs).collect()
}
