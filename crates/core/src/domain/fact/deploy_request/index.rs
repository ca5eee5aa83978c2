//! Look-up tables over requests and workflow runs.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::domain::{
    fact::{
        deploy_request::{DeployRequest, RequestKind, RunFacts},
        indexed::{IndexedMap, KeysBy, MapIndex},
    },
    id::{ItemId, Sha},
};

/// Deployments requested from us, by our id for each.
pub type Requests = IndexedMap<String, DeployRequest, RequestIndex>;

/// Look-up tables over [`Requests`].
#[derive(Debug, Clone, Default)]
pub struct RequestIndex {
    /// Requests that have not ended.
    pub open: BTreeSet<String>,
    /// Requests by the time at which they ended.
    pub ended: BTreeSet<(Timestamp, String)>,
    /// Requests by environment, each with the time of the request.
    pub by_environment: KeysBy<String, (Timestamp, String)>,
    /// Rollbacks that were started, by environment: start, time of the request, id.
    pub rollbacks: KeysBy<String, (Timestamp, Timestamp, String)>,
    /// Requests by commit.
    pub by_commit: KeysBy<Sha, String>,
    /// Requests by the deployments that we or their jobs created for them.
    pub by_deployment: KeysBy<u64, String>,
    /// Requests by the workflow run that carries them out.
    pub by_run: KeysBy<u64, String>,
    /// Rollbacks by the pull requests that they took out of production.
    pub by_taken_back: KeysBy<ItemId, String>,
    /// Dispatched requests whose workflow run is unknown, by environment.
    pub without_run: KeysBy<String, String>,
    /// Requests that started in an environment made for a pull request, by each of these that lives.
    pub live: KeysBy<String, String>,
}

impl MapIndex<String, DeployRequest> for RequestIndex {
    fn add(&mut self, id: &String, request: &DeployRequest) {
        if request.is_open() {
            self.open.insert(id.clone());
        } else {
            self.ended.insert((request.since, id.clone()));
        }
        if request.for_pull.is_some() && request.started_at.is_some() && !request.teardown.is_over() && !request.dry_run
        {
            self.live.add(request.environment.clone(), id.clone());
        }
        self.by_environment.add(request.environment.clone(), (request.at, id.clone()));
        if let Some(rollback) = request.as_started_rollback(id) {
            self.rollbacks.add(request.environment.clone(), rollback);
        }
        if let Some(sha) = &request.sha {
            self.by_commit.add(sha.clone(), id.clone());
        }
        for deployment in request.deployments() {
            self.by_deployment.add(deployment, id.clone());
        }
        for pull in &request.took_back {
            self.by_taken_back.add(*pull, id.clone());
        }
        if let Some(run) = request.run {
            self.by_run.add(run, id.clone());
        } else if request.is_dispatched() {
            self.without_run.add(request.environment.clone(), id.clone());
        }
    }

    fn remove(&mut self, id: &String, request: &DeployRequest) {
        self.open.remove(id);
        self.live.remove(&request.environment, id);
        self.ended.remove(&(request.since, id.clone()));
        self.by_environment.remove(&request.environment, &(request.at, id.clone()));
        if let Some(rollback) = request.as_started_rollback(id) {
            self.rollbacks.remove(&request.environment, &rollback);
        }
        if let Some(sha) = &request.sha {
            self.by_commit.remove(sha, id);
        }
        for deployment in request.deployments() {
            self.by_deployment.remove(&deployment, id);
        }
        for pull in &request.took_back {
            self.by_taken_back.remove(pull, id);
        }
        if let Some(run) = request.run {
            self.by_run.remove(&run, id);
        }
        self.without_run.remove(&request.environment, id);
    }
}

impl DeployRequest {
    /// Returns start, time of the request and id of a rollback that was started.
    fn as_started_rollback(&self, id: &str) -> Option<(Timestamp, Timestamp, String)> {
        let started = self.started_at.filter(|_| self.kind == RequestKind::Rollback)?;
        Some((started, self.at, id.to_owned()))
    }

    /// Returns the deployments that we or its jobs created for it.
    pub fn deployments(&self) -> impl Iterator<Item = u64> {
        self.deployment.into_iter().chain(self.linked.iter().copied())
    }
}

/// Workflow runs that deploy, by id.
pub type Runs = IndexedMap<u64, RunFacts, RunIndex>;

/// Look-up tables over [`Runs`].
#[derive(Debug, Clone, Default)]
pub struct RunIndex {
    /// Runs by the commit that they run at.
    pub by_commit: KeysBy<Sha, u64>,
    /// Runs by each request of ours that their title names.
    pub by_named_request: KeysBy<String, u64>,
}

impl MapIndex<u64, RunFacts> for RunIndex {
    fn add(&mut self, id: &u64, run: &RunFacts) {
        self.by_commit.add(run.sha.clone(), *id);
        for request in run.named_requests() {
            self.by_named_request.add(request.to_owned(), *id);
        }
    }

    fn remove(&mut self, id: &u64, run: &RunFacts) {
        self.by_commit.remove(&run.sha, id);
        for request in run.named_requests() {
            self.by_named_request.remove(&request.to_owned(), id);
        }
    }
}

/// Prefix of our request ids.
pub const REQUEST_PREFIX: &str = "pb-";

impl RunFacts {
    /// Returns the ids in the run's title that may be those of our requests.
    pub fn named_requests(&self) -> impl Iterator<Item = &str> {
        self.title.match_indices(REQUEST_PREFIX).map(|(start, _)| {
            let name = &self.title[start..];
            let end = name.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_')).unwrap_or(name.len());
            &name[..end]
        })
    }
}
