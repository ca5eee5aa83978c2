//! What stands now: what each environment runs, and which gates are kept up to date. A page lists it
//! from these rows and the few documents that they name, however long the history is.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    context::EvalContext,
    domain::{
        decision::GateName,
        fact::{
            DocumentKey, RepoFacts,
            command::{ALL, CommandAction, CommandId},
            deploy_request::DeployRequest,
        },
        id::Sha,
        insight::{OPEN, RowGroup, RowKind},
        rule::name_key,
    },
    insight::{
        Former,
        row::{GateRow, Row},
    },
};

/// Limit on the waiting deployments, and on the tags of a commit, in a row.
const MOST_NAMED: usize = 10;
/// Limit on the open requests in a row.
const MOST_REQUESTS: usize = 100;

/// What an environment runs, and what waits for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvironmentRow {
    /// The environment, lower case.
    pub environment: String,
    /// True if it ever received a deployment.
    pub seen: bool,
    /// What runs there; `None`: nothing, as far as is known.
    pub running: Option<RunningRow>,
    /// Deployments that wait to begin, the newest first.
    pub waiting: Vec<WaitingRow>,
    /// Keys of the documents that say the rest: by whom it runs, what is requested, locks, freezes.
    pub documents: Vec<String>,
}

/// The deployment that runs in an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningRow {
    /// Its id.
    pub deployment: u64,
    /// Its commit; `None` while it is not known.
    pub commit: Option<Sha>,
    /// Tags of the commit.
    pub tags: Vec<String>,
    /// Beginning of the run.
    pub since: Timestamp,
}

/// A deployment that waits to begin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingRow {
    /// Its id.
    pub deployment: u64,
    /// Its commit; `None` while it is not known.
    pub commit: Option<Sha>,
    /// Its creation.
    pub since: Timestamp,
}

impl Row for EnvironmentRow {
    fn owner(&self) -> String {
        self.environment.clone()
    }

    fn part(&self) -> String {
        String::new()
    }

    fn at(&self) -> Timestamp {
        OPEN
    }
}

/// A gate on a commit that is kept up to date.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveGateRow {
    /// Name of the gate's check.
    pub gate: String,
    /// The commit.
    pub commit: String,
    /// Key of the document with its decision.
    pub document: String,
}

impl Row for LiveGateRow {
    fn owner(&self) -> String {
        GateRow::owner_of(&self.gate, &self.commit)
    }

    fn part(&self) -> String {
        String::new()
    }

    fn at(&self) -> Timestamp {
        OPEN
    }
}

impl EnvironmentRow {
    /// Returns the row of an environment of which nothing is recorded.
    pub(crate) fn nothing(environment: &str) -> Self {
        let environment = environment.to_owned();
        Self { environment, seen: false, running: None, waiting: Vec::new(), documents: Vec::new() }
    }
}

/// Returns the environments that the policy names or that received a deployment, in lower case, without
/// those that are made for a pull request.
pub(crate) fn environment_names<'a>(eval: &EvalContext<'a>) -> BTreeSet<&'a str> {
    let seen = eval.facts.deployments.index().environments.keys();
    let described = eval.policy.environments.iter().filter(|(_, rule)| rule.per_pull.is_none()).map(|(name, _)| name);
    described.chain(seen).map(String::as_str).filter(|name| eval.policy.instance(name).is_none()).collect()
}

/// Returns the environments that anything is recorded of, whatever the policy says of them, in lower case.
pub(crate) fn recorded(facts: &RepoFacts) -> BTreeSet<&str> {
    let (commands, requests) = (facts.commands.index(), facts.requests.index());
    let deployed_to = facts.deployments.index().environments.keys();
    let named = commands.locks.properties().chain(commands.freezes.properties());
    deployed_to.chain(named).chain(requests.by_environment.properties()).map(String::as_str).collect()
}

/// Returns whether anything is recorded of an environment.
fn is_recorded(facts: &RepoFacts, environment: &str) -> bool {
    let (commands, requests) = (facts.commands.index(), facts.requests.index());
    facts.deployments.index().environments.contains_key(environment)
        || commands.locks.of(environment).next().is_some()
        || commands.freezes.of(environment).next().is_some()
        || requests.by_environment.of(environment).next().is_some()
}

/// Returns what an environment (lower case) runs, and what waits for it.
pub(crate) fn environment_row(eval: &EvalContext<'_>, environment: &str) -> EnvironmentRow {
    let (facts, history) = (eval.facts, eval.history(environment));
    let running = history.current().map(|run| RunningRow {
        deployment: run.deployment,
        commit: run.commit.cloned(),
        tags: run
            .commit
            .map_or_else(Vec::new, |sha| eval.tags_on(sha).into_iter().take(MOST_NAMED).map(str::to_owned).collect()),
        since: run.from,
    });
    let waiting: Vec<WaitingRow> = history
        .waiting()
        .take(MOST_NAMED)
        .map(|one| WaitingRow { deployment: one.deployment, commit: one.commit.cloned(), since: one.begun })
        .collect();
    let mut documents: BTreeSet<DocumentKey> = BTreeSet::new();
    let deployments = running.iter().map(|run| run.deployment).chain(waiting.iter().map(|one| one.deployment));
    for id in deployments {
        documents.insert(DocumentKey::Deployment(id));
        documents.extend(facts.request_of(id).map(|(id, _)| DocumentKey::Request(id.clone())));
    }
    documents.extend(open_requests(facts, environment));
    documents.extend(guards(facts, environment));
    EnvironmentRow {
        environment: environment.to_owned(),
        seen: facts.deployments.index().environments.contains_key(environment),
        running,
        waiting,
        documents: documents.iter().map(ToString::to_string).collect(),
    }
}

fn open_requests(facts: &RepoFacts, environment: &str) -> Vec<DocumentKey> {
    let is_here = |(_, request): &(&String, &DeployRequest)| request.environment == environment && !request.dry_run;
    let mut open: Vec<_> = facts.open_requests().filter(is_here).collect();
    open.sort_by_key(|(id, request)| (request.at, *id));
    open.into_iter().take(MOST_REQUESTS).map(|(id, _)| DocumentKey::Request(id.clone())).collect()
}

/// Returns the documents of the last commands and rollbacks that may lock or freeze an environment, and
/// of the items that they were made on: closing one frees what it guards.
fn guards(facts: &RepoFacts, environment: &str) -> Vec<DocumentKey> {
    let (commands, requests) = (facts.commands.index(), facts.requests.index());
    let last = [commands.locks.of(environment).next_back(), commands.freezes.of(environment).next_back()];
    let last = last.into_iter().chain([commands.freezes.of(ALL).next_back()]).flatten().map(|(_, id)| id);
    let mut documents: Vec<DocumentKey> =
        last.flat_map(|id| [DocumentKey::Command(*id), DocumentKey::Item(id.item)]).collect();
    let rollback = requests.rollbacks.of(environment).next_back();
    documents.extend(rollback.map(|(_, _, id)| DocumentKey::Request(id.clone())));
    documents
}

/// What a decision changes of what stands now.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// Environments, lower case.
    environments: BTreeSet<String>,
    /// Whether every environment is concerned.
    is_every: bool,
    gates: BTreeSet<(GateName, Sha)>,
}

impl Standing {
    /// Adds every environment.
    pub(crate) fn every(&mut self) {
        self.is_every = true;
    }

    /// Adds the environments of a deployment, as it is and as it was.
    pub(crate) fn deployment(&mut self, facts: &RepoFacts, former: &Former, id: u64) {
        let before = former.deployments.get(&id).and_then(Option::as_ref);
        let both = before.into_iter().chain(facts.deployments.get(&id));
        self.environments.extend(both.map(|deployment| name_key(&deployment.environment)));
    }

    /// Adds the environment of a request.
    pub(crate) fn request(&mut self, facts: &RepoFacts, id: &str) {
        match facts.requests.get(id) {
            Some(request) => drop(self.environments.insert(request.environment.clone())),
            None => self.every(),
        }
    }

    /// Adds the environments that a command locks or freezes.
    pub(crate) fn command(&mut self, facts: &RepoFacts, id: &CommandId) {
        let Some(command) = facts.commands.get(id) else { return self.every() };
        match &command.action {
            Some(CommandAction::Freeze { environment, .. } | CommandAction::Unfreeze { environment })
                if environment == ALL =>
            {
                self.every();
            }
            Some(
                CommandAction::Lock { environment, .. }
                | CommandAction::Unlock { environment }
                | CommandAction::Freeze { environment, .. }
                | CommandAction::Unfreeze { environment },
            ) => drop(self.environments.insert(environment.clone())),
            _ => {}
        }
    }

    /// Adds a gate on a commit.
    pub(crate) fn gate(&mut self, gate: &GateName, sha: &Sha) {
        self.gates.insert((gate.clone(), sha.clone()));
    }

    /// Returns the rows.
    pub(crate) fn rows(&self, eval: &EvalContext<'_>) -> Vec<RowGroup> {
        let mut environments: BTreeSet<&str> = self.environments.iter().map(String::as_str).collect();
        if self.is_every {
            environments.extend(recorded(eval.facts));
        }
        let gates = self.gates.iter().map(|(gate, sha)| gate_group(eval.facts, gate, sha));
        environments.into_iter().map(|name| environment_group(eval, name)).chain(gates).collect()
    }
}

/// Returns the row of an environment, by its lower-case name; none if nothing is recorded of it, or if it
/// is made for a pull request.
pub(crate) fn environment_group(eval: &EvalContext<'_>, environment: &str) -> RowGroup {
    let has_row = eval.policy.instance(environment).is_none() && is_recorded(eval.facts, environment);
    let rows = has_row.then(|| environment_row(eval, environment).stored()).into_iter().collect();
    RowGroup { kind: RowKind::Environment, owner: environment.to_owned(), from: String::new(), rows }
}

/// Returns the row of a gate on a commit; none if it is not kept up to date.
pub(crate) fn gate_group(facts: &RepoFacts, gate: &GateName, sha: &Sha) -> RowGroup {
    let key = (gate.clone(), sha.clone());
    let row = LiveGateRow {
        gate: gate.check(),
        commit: sha.to_string(),
        document: DocumentKey::Gate(gate.clone(), sha.clone()).to_string(),
    };
    let is_live = facts.gates.get(&key).is_some_and(|known| known.live);
    let rows = is_live.then(|| row.stored()).into_iter().collect();
    RowGroup { kind: RowKind::LiveGate, owner: row.owner(), from: String::new(), rows }
}
