//! What each environment ran, and when.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{
    carry::Carrier,
    look::Look,
    message,
    ship::{first, within},
};
use crate::domain::{event::DeployState, fact::ship::DeploymentFacts, id::Sha, when::Span};

/// One stretch of time in which an environment ran one commit.
struct Running<'f> {
    from: Timestamp,
    until: Option<Timestamp>,
    id: u64,
    deployment: &'f DeploymentFacts,
}

/// An environment, as its deployments tell it.
pub(super) struct Environment<'f> {
    /// Its name in lower case.
    pub(super) name: &'f str,
    pub(super) production: bool,
    /// By time of making.
    deployments: Vec<(u64, &'f DeploymentFacts)>,
    /// What it ran, in order of time.
    running: Vec<Running<'f>>,
}

impl<'f> Environment<'f> {
    /// Deployments made when `carrier` existed: no older one can contain it.
    pub(super) fn since(&self, carrier: &Carrier) -> &[(u64, &'f DeploymentFacts)] {
        let first = self.deployments.partition_point(|(_, d)| d.created_at < carrier.born);
        &self.deployments[first..]
    }

    /// What it ran while a deployment lived, and on either side of that;
    /// `None` if nothing ran there when the deployment began.
    pub(super) fn ran_about(&self, begun: Timestamp, ended: Timestamp, id: u64) -> Option<Vec<&'f Sha>> {
        let first = self.running.partition_point(|r| r.until.is_some_and(|end| end < begun));
        let before = self.running.get(first).filter(|r| r.from < begun || r.until == Some(begun));
        before.filter(|r| r.id != id)?;
        let last = (self.running.partition_point(|r| r.from <= ended) + 1).min(self.running.len());
        Some(self.running.get(first..last)?.iter().filter(|r| r.id != id).map(|r| r.deployment.commit()).collect())
    }

    /// What it ran, in order of time: commit, from, until.
    pub(super) fn stretches(&self) -> impl Iterator<Item = (&'f Sha, Timestamp, Option<Timestamp>)> {
        self.running.iter().map(|ran| (ran.deployment.commit(), ran.from, ran.until))
    }
}

impl<'f> Look<'f> {
    /// Every environment that was ever deployed to.
    pub(super) fn environments(&self) -> &[Environment<'f>] {
        self.environments.get_or_init(|| {
            let facts = self.facts;
            let all = facts.index.deployments_to.iter().map(|(name, ids)| {
                let mut deployments: Vec<(u64, &'f DeploymentFacts)> =
                    ids.iter().filter_map(|id| facts.deployments.get(id).map(|d| (*id, d))).collect();
                deployments.sort_by_key(|(id, d)| (d.created_at, *id));
                let production = deployments.iter().any(|(_, d)| self.is_production(d));
                let running = running(&deployments);
                Environment { name, production, deployments, running }
            });
            all.collect()
        })
    }

    /// When an environment ran a commit that contains the carrier.
    pub(super) fn runs_of(&self, environment: &Environment<'_>, carrier: &Carrier) -> Vec<Span> {
        let mut spans: Vec<Span> = Vec::new();
        // Each success is a fact of its own, and what it put there runs on for
        // as long as the next one still has it: these began and did not end yet.
        let mut going_on = 0;
        let mut ends: Option<Option<Timestamp>> = None;
        let end_all = |spans: &mut [Span], ends: Option<Option<Timestamp>>| {
            for span in spans {
                span.until = ends.unwrap_or(span.until);
            }
        };
        let first = environment.running.partition_point(|r| r.until.is_some_and(|end| end <= carrier.from));
        for running in &environment.running[first..] {
            let too_old = running.deployment.created_at < carrier.born;
            if too_old || !self.contains(running.deployment.commit(), &carrier.sha) {
                continue;
            }
            if ends.is_some_and(|end| end != Some(running.from)) {
                end_all(&mut spans[going_on..], ends);
                going_on = spans.len();
            }
            ends = Some(running.until);
            let deployment = running.deployment;
            let name = message::quoted(&deployment.environment);
            let because = format!("deployed to {name} as {} (deployment {})", deployment.commit().short(), running.id);
            spans.push(Span { from: running.from, until: running.until, because });
        }
        end_all(&mut spans[going_on..], ends);
        within(spans, carrier)
    }

    /// When production deployments of the carrier failed or were rolled back.
    pub(super) fn production_falls(&self, carrier: &Carrier) -> BTreeSet<Timestamp> {
        let mut falls = BTreeSet::new();
        for environment in self.environments().iter().filter(|e| e.production) {
            falls.extend(self.runs_of(environment, carrier).iter().filter_map(|run| run.until));
            for (_, deployment) in environment.since(carrier) {
                let failed = deployment.statuses.iter().filter(|s| s.state == DeployState::Failure).map(|s| s.at);
                let failed: Vec<_> = failed.collect();
                if !failed.is_empty() && self.contains(deployment.commit(), &carrier.sha) {
                    falls.extend(failed);
                }
            }
        }
        falls
    }

    /// Whether a deployment is to production: the policy says so, else the forge.
    pub(super) fn is_production(&self, deployment: &DeploymentFacts) -> bool {
        self.policy
            .production(&deployment.environment)
            .or(deployment.production)
            .unwrap_or_else(|| deployment.environment.eq_ignore_ascii_case("production"))
    }
}

/// What an environment ran, in order of time. A deployment runs from its
/// success until the next success, or until it is said to have failed after
/// all: then what ran before runs again.
fn running<'f>(deployments: &[(u64, &'f DeploymentFacts)]) -> Vec<Running<'f>> {
    let mut stretches: Vec<(Timestamp, Option<Timestamp>, u64, &'f DeploymentFacts)> = Vec::new();
    let mut turns: Vec<Timestamp> = Vec::new();
    for (id, deployment) in deployments {
        if let Some(success) = first(deployment, DeployState::Success) {
            let later = deployment.statuses.iter().filter(|s| s.at > success);
            let failed = later.filter(|s| s.state == DeployState::Failure).map(|s| s.at).next();
            stretches.push((success, failed, *id, deployment));
            turns.push(success);
            turns.extend(failed);
        }
    }
    stretches.sort_by_key(|(from, _, id, _)| (*from, *id));
    turns.sort_unstable();
    turns.dedup();
    let mut running: Vec<Running<'f>> = Vec::new();
    for at in turns {
        let begun = stretches.partition_point(|(from, ..)| *from <= at);
        let now_runs = stretches[..begun].iter().rev().find(|(_, failed, ..)| failed.is_none_or(|f| f > at));
        let current = running.last_mut().filter(|r| r.until.is_none());
        if current.as_ref().map(|r| r.id) == now_runs.map(|(_, _, id, _)| *id) {
            continue;
        }
        if let Some(current) = current {
            current.until = Some(at);
        }
        running.extend(now_runs.map(|(_, _, id, deployment)| Running { from: at, until: None, id: *id, deployment }));
    }
    running
}
