//! What became of the work on an item: where its changes ran, and the gates that its commits met.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::{
    domain::{
        decision::GateName,
        fact::{DocumentKey, gate::GateFacts},
        id::{ItemId, Sha},
        insight::RowKind,
        policy::Policy,
    },
    insight::row::{ChangeRow, DeploymentRow, FailureReason},
    port::store::RepositoryRow,
    web::{Web, failure::Failure},
};

/// Most pull requests of an item that are looked at, and most commits whose gates are.
const MOST_PULLS: usize = 30;
const MOST_COMMITS: usize = 60;

/// What became of the work on an item.
pub(super) struct Work {
    /// Where its changes ran, the newest first, each with the deployment that brought it.
    pub(super) deployments: Vec<(ChangeRow, Option<DeploymentRow>)>,
    /// Issues that show the incidents which these deployments caused.
    pub(super) issues: BTreeMap<String, ItemId>,
    /// Decisions of gates on its commits and on those that carried it, the newest first.
    pub(super) gates: Vec<GateFacts>,
    /// It is one pull request.
    pub(super) is_one: bool,
}

/// The part of a pull request's facts that names its commits.
#[derive(Deserialize)]
struct Commits {
    pull: Option<Pull>,
}

#[derive(Deserialize)]
struct Pull {
    merged: Option<Merged>,
    #[serde(default)]
    heads: BTreeMap<Sha, jiff::Timestamp>,
}

#[derive(Deserialize)]
struct Merged {
    sha: Sha,
}

impl Web {
    /// Returns what became of these pull requests.
    pub(super) async fn work(
        &self,
        row: &RepositoryRow,
        policy: &Policy,
        pulls: &BTreeSet<ItemId>,
    ) -> Result<Work, Failure> {
        // The newest count most.
        let pulls: Vec<ItemId> = pulls.iter().rev().take(MOST_PULLS).copied().collect();
        let owners: Vec<String> = pulls.iter().map(|pull| format!("#{pull}")).collect();
        let mut changes: Vec<ChangeRow> = self.rows_by(row, RowKind::Change, &owners).await?;
        changes.sort_by(|a, b| (b.live, &a.environment).cmp(&(a.live, &b.environment)));
        let ids: Vec<String> = changes.iter().map(|change| change.deployment.to_string()).collect();
        let rows: Vec<DeploymentRow> = self.rows_by(row, RowKind::Deployment, &ids).await?;
        let find = |change: &ChangeRow| {
            let is_its = |one: &&DeploymentRow| {
                (one.id, one.environment.as_str()) == (change.deployment, change.environment.as_str())
            };
            rows.iter().find(is_its).cloned()
        };
        let deployments: Vec<(ChangeRow, Option<DeploymentRow>)> =
            changes.into_iter().map(|change| (change.clone(), find(&change))).collect();
        let failures = deployments.iter().filter_map(|(_, one)| one.as_ref()).flat_map(|one| &one.failures);
        let issues = self.incident_issues(row, failures.filter_map(FailureReason::incident).collect()).await?;
        let mut commits: BTreeSet<Sha> = self.commits_of(row, &pulls).await?;
        let deployed = deployments.iter().filter_map(|(_, one)| one.as_ref()?.commit.as_deref()?.parse().ok());
        commits.extend(deployed);
        let names: Vec<GateName> = policy
            .environments
            .keys()
            .map(|name| GateName::Deploy(name.clone()))
            .chain(policy.gates.keys().map(|name| GateName::Release(name.clone())))
            .collect();
        let commits = commits.into_iter().take(MOST_COMMITS);
        let keys = commits.flat_map(|sha| names.iter().map(move |name| (name.clone(), sha.clone())));
        let mut gates = self.gates_on(row, keys.collect()).await?;
        gates.sort_by(|a, b| (b.live, b.since, &b.decision.gate).cmp(&(a.live, a.since, &a.decision.gate)));
        Ok(Work { deployments, issues, gates, is_one: pulls.len() == 1 })
    }

    /// Returns the newest head of each of these pull requests, and the commit of its merge.
    async fn commits_of(&self, row: &RepositoryRow, pulls: &[ItemId]) -> Result<BTreeSet<Sha>, Failure> {
        let keys: Vec<String> = pulls.iter().map(|pull| DocumentKey::Item(*pull).to_string()).collect();
        let found = self.store.documents(&row.repo, &keys).await?;
        let parsed = found.iter().filter_map(|document| serde_json::from_str(document.body.as_deref()?).ok());
        let pulls = parsed.filter_map(|item: Commits| item.pull);
        let commits = pulls.flat_map(|pull| {
            let head = pull.heads.into_iter().max_by_key(|(_, seen)| *seen).map(|(sha, _)| sha);
            head.into_iter().chain(pull.merged.map(|merged| merged.sha))
        });
        Ok(commits.collect())
    }
}
