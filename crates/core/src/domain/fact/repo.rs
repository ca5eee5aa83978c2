//! All facts of one repository, in memory, with the indexes that evaluations use.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::domain::{
    decision::GateName,
    event::RefName,
    fact::{
        command::{CommandId, Commands},
        commit::{CommitChecks, CommitFacts, GroupFacts, PushFacts, RefFacts},
        deploy_request::{Publication, Requests, Runs, WaitingJob},
        environment::Deployments,
        gate::Gates,
        incident::{FeedbackFacts, HeartbeatFacts, IncidentFacts, StormFacts},
        index::Index,
        item::ItemFacts,
        policy::PolicyFiles,
        release::Releases,
        repository_metadata::RepositoryMetadata,
        schema::SchemaChanges,
        tags::TagFacts,
        verdict::CommitVerdicts,
        waiting::WaitingCommand,
    },
    id::{ItemId, RepoKey, Sha},
    needs::{Answered, Need},
};

/// Every fact of one repository. It is read through its fields, and changed only through
/// [`crate::ingest::observe`] and [`crate::ingest::learn`].
#[derive(Debug, Clone, PartialEq)]
pub struct RepoFacts {
    /// The repository's key.
    pub key: RepoKey,
    /// Metadata of the repository.
    pub about: RepositoryMetadata,
    /// Issues and pull requests.
    pub items: BTreeMap<ItemId, ItemFacts>,
    /// Commits whose messages refer to other commits or to items.
    pub commits: BTreeMap<Sha, CommitFacts>,
    /// Pushes by ref, commit before and commit after.
    pub pushes: BTreeMap<(RefName, Sha, Sha), PushFacts>,
    /// All tags at the last listing.
    pub tags: TagFacts,
    /// Tags and branches over time.
    pub refs: BTreeMap<RefName, RefFacts>,
    /// Releases by id.
    pub releases: Releases,
    /// Checks by commit.
    pub checks: BTreeMap<Sha, CommitChecks>,
    /// Verdicts of other systems by commit.
    pub verdicts: BTreeMap<Sha, CommitVerdicts>,
    /// Schema changes of databases, by connection and number.
    pub schema_changes: SchemaChanges,
    /// Merge groups by head commit.
    pub groups: BTreeMap<Sha, GroupFacts>,
    /// Deployments by id.
    pub deployments: Deployments,
    /// Incidents by id.
    pub incidents: BTreeMap<String, IncidentFacts>,
    /// Alert storms by id.
    pub storms: BTreeMap<String, StormFacts>,
    /// User feedback by id.
    pub feedback: BTreeMap<String, FeedbackFacts>,
    /// Connections that must send a heartbeat, by name.
    pub heartbeats: BTreeMap<String, HeartbeatFacts>,
    /// Processed slash commands.
    pub commands: Commands,
    /// Slash commands that wait for the forge to report their sender's permissions.
    pub waiting: BTreeMap<CommandId, WaitingCommand>,
    /// Deployments requested from us, by our id for each.
    pub requests: Requests,
    /// Workflow runs that deploy, by id.
    pub runs: Runs,
    /// Jobs that wait or waited for our answer, by run and lower-case environment.
    pub waiting_jobs: BTreeMap<(u64, String), WaitingJob>,
    /// Actions taken on draft releases and pushed tags.
    pub publications: BTreeMap<String, Publication>,
    /// Gate decisions, by gate and commit.
    pub gates: Gates,
    /// The forge's answers, by query.
    pub answers: BTreeMap<Need, Answered>,
    /// The policy files that apply here.
    pub policy_files: PolicyFiles,
    /// Look-up tables, rebuilt from the other fields.
    pub index: Index,
}

/// The key under which a fact is stored.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum DocumentKey {
    /// The repository's metadata.
    About,
    /// An item.
    Item(ItemId),
    /// A commit.
    Commit(Sha),
    /// A push.
    Push(RefName, Sha, Sha),
    /// A ref.
    Ref(RefName),
    /// All tags at the last listing.
    Tags,
    /// A release.
    Release(u64),
    /// A commit's checks.
    Checks(Sha),
    /// Other systems' verdicts on a commit.
    Verdicts(Sha),
    /// A schema change of a database, by connection and number.
    SchemaChange(String, u64),
    /// A merge group.
    Group(Sha),
    /// A deployment.
    Deployment(u64),
    /// An incident.
    Incident(String),
    /// An alert storm.
    Storm(String),
    /// User feedback.
    Feedback(String),
    /// A connection that must send a heartbeat.
    Heartbeat(String),
    /// A slash command.
    Command(CommandId),
    /// A slash command that waits for its sender's permissions.
    WaitingCommand(CommandId),
    /// A deployment requested from us.
    Request(String),
    /// A workflow run that deploys.
    Run(u64),
    /// A job that waits for our answer, by run and lower-case environment.
    WaitingJob(u64, String),
    /// An action taken on a draft release or a pushed tag.
    Publication(String),
    /// A gate on a commit.
    Gate(GateName, Sha),
    /// An answer.
    Answer(Need),
    /// The policy files.
    Policy,
}

impl fmt::Display for DocumentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // JSON, because a branch name may contain any separator that we might choose.
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl RepoFacts {
    /// Returns the facts of a repository of which nothing is known.
    pub fn new(key: RepoKey) -> Self {
        Self {
            key,
            about: RepositoryMetadata::default(),
            items: BTreeMap::new(),
            commits: BTreeMap::new(),
            pushes: BTreeMap::new(),
            refs: BTreeMap::new(),
            tags: TagFacts::default(),
            releases: Releases::new(),
            checks: BTreeMap::new(),
            verdicts: BTreeMap::new(),
            schema_changes: BTreeMap::new(),
            groups: BTreeMap::new(),
            deployments: Deployments::new(),
            incidents: BTreeMap::new(),
            storms: BTreeMap::new(),
            feedback: BTreeMap::new(),
            heartbeats: BTreeMap::new(),
            commands: Commands::new(),
            waiting: BTreeMap::new(),
            requests: Requests::new(),
            runs: Runs::new(),
            waiting_jobs: BTreeMap::new(),
            publications: BTreeMap::new(),
            gates: Gates::new(),
            answers: BTreeMap::new(),
            policy_files: PolicyFiles::default(),
            index: Index::default(),
        }
    }

    /// Reads stored documents. Documents that this version can't read are left out, and their names
    /// are returned, so that they are reported and not silently overwritten.
    pub fn load<'a>(key: RepoKey, documents: impl IntoIterator<Item = (&'a str, &'a str)>) -> (Self, Vec<String>) {
        let mut facts = Self::new(key);
        let mut unreadable = Vec::new();
        for (name, body) in documents {
            if facts.read(name, body).is_none() {
                unreadable.push(name.to_owned());
            }
        }
        facts.rebuild_index();
        // An earlier version did not store whose commits were deployed.
        let unplaced = facts.deployments.index().of_unknown_origin.iter().copied().map(DocumentKey::Deployment);
        let unplaced = unplaced.collect();
        facts.place_deployments(&unplaced);
        (facts, unreadable)
    }

    fn read(&mut self, name: &str, body: &str) -> Option<()> {
        fn json<T: DeserializeOwned>(body: &str) -> Option<T> {
            serde_json::from_str(body).ok()
        }
        match json::<DocumentKey>(name)? {
            DocumentKey::About => self.about = json(body)?,
            DocumentKey::Item(n) => drop(self.items.insert(n, json(body)?)),
            DocumentKey::Commit(sha) => drop(self.commits.insert(sha, json(body)?)),
            DocumentKey::Push(name, before, after) => drop(self.pushes.insert((name, before, after), json(body)?)),
            DocumentKey::Ref(name) => drop(self.refs.insert(name, json(body)?)),
            DocumentKey::Release(id) => drop(self.releases.insert(id, json(body)?)),
            DocumentKey::Checks(sha) => drop(self.checks.insert(sha, json(body)?)),
            DocumentKey::Verdicts(sha) => drop(self.verdicts.insert(sha, json(body)?)),
            DocumentKey::SchemaChange(name, number) => drop(self.schema_changes.insert((name, number), json(body)?)),
            DocumentKey::Group(sha) => drop(self.groups.insert(sha, json(body)?)),
            DocumentKey::Deployment(id) => drop(self.deployments.insert(id, json(body)?)),
            DocumentKey::Incident(id) => drop(self.incidents.insert(id, json(body)?)),
            DocumentKey::Storm(id) => drop(self.storms.insert(id, json(body)?)),
            DocumentKey::Feedback(id) => drop(self.feedback.insert(id, json(body)?)),
            DocumentKey::Tags => self.tags = json(body)?,
            DocumentKey::Heartbeat(name) => drop(self.heartbeats.insert(name, json(body)?)),
            DocumentKey::Command(id) => drop(self.commands.insert(id, json(body)?)),
            DocumentKey::WaitingCommand(id) => drop(self.waiting.insert(id, json(body)?)),
            DocumentKey::Request(id) => drop(self.requests.insert(id, json(body)?)),
            DocumentKey::Run(id) => drop(self.runs.insert(id, json(body)?)),
            DocumentKey::Publication(name) => drop(self.publications.insert(name, json(body)?)),
            DocumentKey::WaitingJob(run, name) => drop(self.waiting_jobs.insert((run, name), json(body)?)),
            DocumentKey::Gate(gate, sha) => drop(self.gates.insert((gate, sha), json(body)?)),
            DocumentKey::Answer(need) => drop(self.answers.insert(need, json(body)?)),
            DocumentKey::Policy => self.policy_files = json(body)?,
        }
        Some(())
    }

    /// Returns the stored form of a document; `None` if there is none, or no longer.
    pub fn document(&self, key: &DocumentKey) -> Option<String> {
        fn json<T: Serialize>(value: Option<&T>) -> Option<String> {
            value.and_then(|v| serde_json::to_string(v).ok())
        }
        match key {
            DocumentKey::About => json(Some(&self.about)),
            DocumentKey::Item(n) => json(self.items.get(n)),
            DocumentKey::Commit(sha) => json(self.commits.get(sha)),
            DocumentKey::Push(name, before, after) => {
                json(self.pushes.get(&(name.clone(), before.clone(), after.clone())))
            }
            DocumentKey::Ref(name) => json(self.refs.get(name)),
            DocumentKey::Release(id) => json(self.releases.get(id)),
            DocumentKey::Checks(sha) => json(self.checks.get(sha)),
            DocumentKey::Verdicts(sha) => json(self.verdicts.get(sha)),
            DocumentKey::SchemaChange(name, number) => json(self.schema_changes.get(&(name.clone(), *number))),
            DocumentKey::Group(sha) => json(self.groups.get(sha)),
            DocumentKey::Deployment(id) => json(self.deployments.get(id)),
            DocumentKey::Incident(id) => json(self.incidents.get(id)),
            DocumentKey::Storm(id) => json(self.storms.get(id)),
            DocumentKey::Feedback(id) => json(self.feedback.get(id)),
            DocumentKey::Tags => json(Some(&self.tags)),
            DocumentKey::Heartbeat(name) => json(self.heartbeats.get(name)),
            DocumentKey::Command(id) => json(self.commands.get(id)),
            DocumentKey::WaitingCommand(id) => json(self.waiting.get(id)),
            DocumentKey::Request(id) => json(self.requests.get(id)),
            DocumentKey::Run(id) => json(self.runs.get(id)),
            DocumentKey::Publication(name) => json(self.publications.get(name)),
            DocumentKey::WaitingJob(run, name) => json(self.waiting_jobs.get(&(*run, name.clone()))),
            DocumentKey::Gate(gate, sha) => json(self.gates.get(&(gate.clone(), sha.clone()))),
            DocumentKey::Answer(need) => json(self.answers.get(need)),
            DocumentKey::Policy => json(Some(&self.policy_files)),
        }
    }

    /// Removes documents and rebuilds the tables.
    pub fn remove(&mut self, keys: &BTreeSet<DocumentKey>) {
        for key in keys {
            match key {
                DocumentKey::Commit(sha) => drop(self.commits.remove(sha)),
                DocumentKey::Push(name, before, after) => {
                    drop(self.pushes.remove(&(name.clone(), before.clone(), after.clone())));
                }
                DocumentKey::Ref(name) => drop(self.refs.remove(name)),
                DocumentKey::Checks(sha) => drop(self.checks.remove(sha)),
                DocumentKey::Verdicts(sha) => drop(self.verdicts.remove(sha)),
                DocumentKey::SchemaChange(name, number) => {
                    drop(self.schema_changes.remove(&(name.clone(), *number)));
                }
                DocumentKey::Group(sha) => drop(self.groups.remove(sha)),
                DocumentKey::Deployment(id) => drop(self.deployments.remove(id)),
                DocumentKey::Run(id) => drop(self.runs.remove(id)),
                DocumentKey::WaitingJob(run, name) => drop(self.waiting_jobs.remove(&(*run, name.clone()))),
                DocumentKey::Gate(gate, sha) => drop(self.gates.remove(&(gate.clone(), sha.clone()))),
                DocumentKey::Answer(need) => drop(self.answers.remove(need)),
                DocumentKey::Incident(id) => drop(self.incidents.remove(id)),
                DocumentKey::Storm(id) => drop(self.storms.remove(id)),
                DocumentKey::Feedback(id) => drop(self.feedback.remove(id)),
                // No other document is ever removed.
                DocumentKey::About
                | DocumentKey::Item(_)
                | DocumentKey::Tags
                | DocumentKey::Release(_)
                | DocumentKey::Heartbeat(_)
                | DocumentKey::Command(_)
                | DocumentKey::WaitingCommand(_)
                | DocumentKey::Request(_)
                | DocumentKey::Publication(_)
                | DocumentKey::Policy => {}
            }
        }
        if !keys.is_empty() {
            self.index = Index::default();
            self.rebuild_index();
        }
    }

    /// Returns the default branch; `main` until a payload names it.
    pub fn default_branch(&self) -> &str {
        self.about.default_branch.as_ref().map_or("main", |b| b.value.as_str())
    }

    /// Returns the default branch and all former default branches.
    pub fn main_lines(&self) -> BTreeSet<String> {
        let now = [self.default_branch().to_owned()];
        self.about.default_branches.iter().cloned().chain(now).collect()
    }

    /// Returns true if a branch is or was the default branch.
    pub fn is_main_line(&self, branch: &str) -> bool {
        branch == self.default_branch() || self.about.default_branches.contains(branch)
    }

    /// Returns the pull requests whose current head is this commit.
    pub fn pulls_with_head<'a>(&'a self, sha: &'a Sha) -> impl Iterator<Item = ItemId> + 'a {
        let ever = self.index.pulls_by_head.get(sha).into_iter().flatten().copied();
        ever.filter(move |number| {
            let shape = self.pull(*number).and_then(|pull| pull.shape.as_ref());
            shape.is_some_and(|shape| shape.value.head_sha == *sha)
        })
    }

    /// Returns the labels that exist in the repository.
    pub fn known_labels(&self) -> &BTreeSet<String> {
        &self.about.known_labels
    }

    /// Returns the labels of an item as last seen or written.
    pub fn item_labels(&self, item: ItemId) -> Option<&BTreeSet<String>> {
        self.items.get(&item).and_then(|i| i.labels.as_ref()).map(|l| &l.names)
    }

    /// Returns the pull request's facts, if `item` is one.
    pub fn pull(&self, item: ItemId) -> Option<&crate::domain::fact::item::PullFacts> {
        self.items.get(&item).and_then(|i| i.pull.as_ref())
    }
}
