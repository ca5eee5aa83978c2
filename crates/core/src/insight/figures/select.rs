//! The rows that figures of a query count.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use crate::insight::{
    figures::Query,
    row::{ChangeRow, DeploymentKind, DeploymentRow, GateRow, IncidentRow},
    rows::InsightRows,
};

/// Time within which several environments that get one commit count as one deployment.
const ROLLOUT: SignedDuration = SignedDuration::from_hours(24);

/// The rows that figures of a query count.
#[derive(Debug, Clone, Default)]
pub struct Selection<'r> {
    /// Changes that went live in the window, each where it was first.
    pub changes: Vec<&'r ChangeRow>,
    /// Changes by bots that went live in the window.
    pub automated: Vec<&'r ChangeRow>,
    /// Changes that stopped running in the window.
    pub lost: Vec<&'r ChangeRow>,
    /// Forward deployments of the window.
    pub forward: Vec<Rollout<'r>>,
    /// Rollbacks of the window.
    pub rollbacks: Vec<&'r DeploymentRow>,
    /// Deployments in the window of the commit that ran already.
    pub redeploys: Vec<&'r DeploymentRow>,
    /// Deployments that began in the window and never succeeded.
    pub attempts: Vec<&'r DeploymentRow>,
    /// Deployments in the window whose commit is not known yet.
    pub unknown: Vec<&'r DeploymentRow>,
    /// Incidents that began in the window.
    pub incidents: Vec<&'r IncidentRow>,
    /// Conditions that blocked a commit in the window.
    pub gates: Vec<&'r GateRow>,
}

/// A forward deployment: of one commit, to one environment or to several within a day.
#[derive(Debug, Clone)]
pub struct Rollout<'r> {
    /// Its first deployment.
    pub first: &'r DeploymentRow,
    /// All of them.
    pub all: Vec<&'r DeploymentRow>,
}

impl<'r> Rollout<'r> {
    /// Returns the deployment that failed first, if one did.
    #[must_use]
    pub fn failed(&self) -> Option<&'r DeploymentRow> {
        self.all.iter().copied().find(|deployment| !deployment.failures.is_empty())
    }

    /// Returns whether it was rework wherever it went.
    #[must_use]
    pub fn is_rework(&self) -> bool {
        self.all.iter().all(|deployment| deployment.rework)
    }
}

impl Selection<'_> {
    /// Returns the environments of its deployments and changes.
    #[must_use]
    pub fn environments(&self) -> Vec<String> {
        let single = [&self.rollbacks, &self.redeploys, &self.attempts, &self.unknown].into_iter().flatten().copied();
        let deployed = self.forward.iter().flat_map(|rollout| rollout.all.iter().copied()).chain(single);
        let deployed = deployed.map(|deployment| &deployment.environment);
        let live = self.changes.iter().chain(&self.automated).map(|change| &change.environment);
        deployed.chain(live).cloned().collect::<BTreeSet<_>>().into_iter().collect()
    }
}

/// Returns the rows that figures of a query count.
#[must_use]
pub fn select<'r>(rows: &'r InsightRows, query: &Query) -> Selection<'r> {
    let mut selection = Selection::default();
    let window = &query.window;
    let here = |name: &str, production: bool| query.environment.as_deref().map_or(production, |wanted| wanted == name);
    let served = |services: Option<&BTreeSet<String>>| match (&query.service, services) {
        (Some(wanted), Some(services)) => services.contains(wanted),
        _ => true,
    };
    let takes = |row: &&DeploymentRow| here(&row.environment, row.production) && served(row.services.as_ref());
    let mut deployments: Vec<&DeploymentRow> = rows.deployments.iter().filter(takes).collect();
    deployments.sort_by_key(|row| (row.at, row.id));
    let places: BTreeSet<&str> = deployments.iter().map(|row| row.environment.as_str()).collect();
    let mut rollouts: Vec<Rollout<'r>> = Vec::new();
    for row in deployments {
        let list = match row.kind {
            DeploymentKind::Forward => {
                join(&mut rollouts, row);
                continue;
            }
            DeploymentKind::Rollback => &mut selection.rollbacks,
            DeploymentKind::Redeploy => &mut selection.redeploys,
            DeploymentKind::Attempt => &mut selection.attempts,
            DeploymentKind::Unknown => &mut selection.unknown,
        };
        if window.covers(row.at) {
            list.push(row);
        }
    }
    rollouts.retain(|rollout| window.covers(rollout.first.at));
    selection.forward = rollouts;
    for row in &rows.changes {
        if !here(&row.environment, row.production) || !served(row.services.as_ref()) {
            continue;
        }
        if row.lost.is_some_and(|at| window.covers(at)) {
            selection.lost.push(row);
        }
        let is_again = match (&query.environment, &query.service) {
            (Some(_), _) => false,
            (None, Some(service)) => row.again_for.contains(service),
            (None, None) => row.again,
        };
        if !window.covers(row.live) || is_again {
            continue;
        }
        if row.automated { selection.automated.push(row) } else { selection.changes.push(row) }
    }
    selection.changes.sort_by(|a, b| (a.live, &a.change).cmp(&(b.live, &b.change)));
    let is_here = |row: &&IncidentRow| match (&row.environment, &query.environment) {
        (Some(place), Some(wanted)) => place == wanted,
        (Some(place), None) => places.contains(place.as_str()) || query.service.is_none(),
        (None, _) => true,
    };
    selection.incidents = rows.incidents.iter().filter(|row| window.covers(row.began)).filter(is_here).collect();
    let blocked = |row: &&GateRow| row.blocked_in(window, query.now).is_some();
    let deploys_here = |row: &&GateRow| match row.gate.strip_prefix("phasebot/deploy/") {
        Some(place) => match &query.environment {
            Some(wanted) => place == wanted,
            None => query.service.is_none() || places.contains(place),
        },
        None => query.environment.is_none(),
    };
    selection.gates = rows.gates.iter().filter(blocked).filter(deploys_here).collect();
    selection
}

/// Adds a deployment to the rollout that it belongs to, or begins one.
fn join<'r>(rollouts: &mut Vec<Rollout<'r>>, row: &'r DeploymentRow) {
    let recent = rollouts.iter_mut().rev().take_while(|other| row.at.duration_since(other.first.at) <= ROLLOUT);
    let same = recent.into_iter().find(|other| {
        other.first.commit == row.commit && other.all.iter().all(|deployed| deployed.environment != row.environment)
    });
    match same {
        Some(rollout) => rollout.all.push(row),
        None => rollouts.push(Rollout { first: row, all: vec![row] }),
    }
}
