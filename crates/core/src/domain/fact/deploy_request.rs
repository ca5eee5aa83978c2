//! Facts about deployments requested from us, about the workflow runs that carry them out, and
//! about jobs that wait for our answer.
//!
//! A request passes through its states in one direction only. It is changed where all plans are
//! made, one event at a time, so that the record itself ensures "one at a time in an environment"
//! and no other lock is needed.

mod index;
mod schema_step;
mod teardown;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use crate::domain::fact::deploy_request::index::{REQUEST_PREFIX, RequestIndex, Requests, RunIndex, Runs};
pub use crate::domain::fact::deploy_request::schema_step::{SchemaStep, SchemaStepEnd};
pub use crate::domain::fact::deploy_request::teardown::Teardown;

use crate::domain::{
    effect::RefGuard,
    event::{RunOutcome, RunTrigger},
    fact::{RepoFacts, command::CommandId},
    id::{Account, ItemId, Sha},
    schema::SchemaPin,
    statement::Statement,
};

/// A deployment requested from us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeployRequest {
    /// Environment, lower case.
    pub environment: String,
    /// Kind of request.
    pub kind: RequestKind,
    /// The command, tag or branch that requested it.
    pub origin: Origin,
    /// The person who requested it. For an automatic deployment, the person who pushed or merged,
    /// if known.
    pub by: Account,
    /// Time of the request, by the forge's clock.
    pub at: Timestamp,
    /// The ref to deploy as the requester wrote it: a name, or empty.
    pub reference: String,
    /// The ref that may move while the request waits.
    pub watched: RefGuard,
    /// The commit; `None` until it is resolved.
    pub sha: Option<Sha>,
    /// Inputs, checked against the policy.
    pub inputs: BTreeMap<String, String>,
    /// The commit that ran in the environment when this deployment started; for a rollback, the
    /// commit it replaces.
    pub from: Option<Sha>,
    /// Changes that it brings, in a few words, as of its start.
    #[serde(default)]
    pub carries: String,
    /// Current state.
    pub state: RequestState,
    /// Time at which the request entered that state.
    pub since: Timestamp,
    /// Time at which the forge started it.
    pub started_at: Option<Timestamp>,
    /// Time at which the forge created the deployment, by the forge's clock. We may have learned of
    /// it much later, and runs that it triggered started before that.
    #[serde(default)]
    pub made_at: Option<Timestamp>,
    /// The deployment that we created for it.
    pub deployment: Option<u64>,
    /// Number of attempts to start it.
    pub attempts: u32,
    /// True if the workflow received the commit as an input: the ref it runs from does not matter.
    pub pinned: bool,
    /// True if the request only reports what would happen.
    pub dry_run: bool,
    /// True if the requester wants to replace what their lock protects for another item.
    #[serde(default)]
    pub replace: bool,
    /// The pull request for which its environment is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_pull: Option<ItemId>,
    /// The last closing of that pull request before the request. Another one since then means that
    /// the same head may be deployed again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_closing: Option<Timestamp>,
    /// True if it was withdrawn because the label that asked for it was removed: the label may ask
    /// for the same head again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub label_removed: bool,
    /// State of that environment's teardown.
    #[serde(default, skip_serializing_if = "Teardown::is_none")]
    pub teardown: Teardown,
    /// Workflow runs at its commit that were there just before it started: none of them is its own.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub earlier_runs: BTreeSet<u64>,
    /// Deployments that its jobs created.
    pub linked: BTreeSet<u64>,
    /// Text to report at once: for a rollback, the target and the reason for choosing it.
    #[serde(default)]
    pub note: String,
    /// The schema changes that belong to it, as they were when it was asked for, or first ready.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schema: Vec<SchemaPin>,
    /// What was done about them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schema_steps: Vec<SchemaStep>,
    /// Time from which its commit is deployed, while something is still to be dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployed_at: Option<Timestamp>,
    /// True if a rollback leaves the schema as it is, whatever was dropped.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keeps_schema: bool,
    /// The comment that asked people to approve it, if there was one.
    #[serde(default)]
    pub approval: Option<ApprovalRequest>,
    /// Pull requests that a rollback took out of production, so that they show it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub took_back: BTreeSet<ItemId>,
    /// The workflow run that carries it out: the run that was dispatched, or the first one that its
    /// deployment started.
    pub run: Option<u64>,
}

/// A comment that asks people to approve a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalRequest {
    /// The item that it stands on.
    pub item: ItemId,
    /// Time at which it was decided to post it.
    pub at: Timestamp,
    /// True once the wait for an approval is over.
    pub closed: bool,
}

/// The kind of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RequestKind {
    /// Deploys a named commit.
    Deploy,
    /// Deploys what runs in the preceding environment.
    Promote,
    /// Returns to an earlier deployment.
    Rollback,
}

/// The trigger of a deployment request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// A command.
    Command(CommandId),
    /// A pushed tag.
    Tag(String),
    /// A branch that received new commits.
    Merge(String),
    /// An incident, by its id.
    Incident(String),
    /// A label on a pull request.
    Label(ItemId),
}

/// The state of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RequestState {
    /// Its commit is not resolved yet.
    Asked,
    /// It waits for its turn or its gate, with a sentence that says for what.
    Waiting(String),
    /// The start was requested from the forge, with the number of the attempt.
    Starting(u32),
    /// The forge has started it.
    Running,
    /// It has ended.
    Ended {
        /// The outcome.
        how: RequestEnd,
        /// What people are told.
        why: Statement,
    },
}

/// The outcome of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RequestEnd {
    /// It is deployed in the environment.
    Succeeded,
    /// It was started and failed.
    Failed,
    /// It was not started.
    Refused,
    /// It was withdrawn before it was started.
    Withdrawn,
    /// Its workflow run was cancelled before a job began.
    NotBegun,
    /// It was a dry run, and reported what would happen.
    #[serde(alias = "Told")]
    DryRunEnded,
}

impl DeployRequest {
    /// Creates a request on which nothing has been done yet. If `sha` is `None`, its commit is
    /// still to be resolved.
    pub fn new(environment: &str, kind: RequestKind, origin: Origin, at: Timestamp, sha: Option<Sha>) -> Self {
        Self {
            environment: environment.to_owned(),
            kind,
            origin,
            by: Account::login_only(String::new()),
            at,
            reference: String::new(),
            watched: RefGuard::Commit,
            state: if sha.is_some() { RequestState::Waiting(String::new()) } else { RequestState::Asked },
            sha,
            inputs: BTreeMap::new(),
            from: None,
            carries: String::new(),
            since: at,
            started_at: None,
            made_at: None,
            deployment: None,
            note: String::new(),
            schema: Vec::new(),
            schema_steps: Vec::new(),
            deployed_at: None,
            keeps_schema: false,
            approval: None,
            took_back: BTreeSet::new(),
            run: None,
            attempts: 0,
            pinned: false,
            dry_run: false,
            replace: false,
            for_pull: None,
            after_closing: None,
            label_removed: false,
            teardown: Teardown::None,
            earlier_runs: BTreeSet::new(),
            linked: BTreeSet::new(),
        }
    }

    /// Returns true if it has not ended.
    pub fn is_open(&self) -> bool {
        !matches!(self.state, RequestState::Ended { .. })
    }

    /// Returns true if it occupies its environment: nothing else may start there.
    pub fn is_under_way(&self) -> bool {
        matches!(self.state, RequestState::Starting(_) | RequestState::Running)
    }

    /// Returns true if a workflow dispatch, not a deployment, started it or may be about to:
    /// deployments of its jobs name the ref that the workflow ran from.
    pub fn is_dispatched(&self) -> bool {
        let begun = self.started_at.is_some() || matches!(self.state, RequestState::Starting(_));
        begun && self.deployment.is_none() && !self.dry_run
    }

    /// Returns the outcome, if it has ended.
    pub fn end(&self) -> Option<RequestEnd> {
        match &self.state {
            RequestState::Ended { how, .. } => Some(*how),
            RequestState::Asked | RequestState::Waiting(_) | RequestState::Starting(_) | RequestState::Running => None,
        }
    }

    /// Returns true if a moved tag or branch or an incident triggered it, and no command.
    pub fn is_automatic(&self) -> bool {
        match self.origin {
            Origin::Tag(_) | Origin::Merge(_) | Origin::Incident(_) | Origin::Label(_) => true,
            Origin::Command(_) => false,
        }
    }

    /// Returns the item on which it was requested.
    pub fn item(&self) -> Option<ItemId> {
        match &self.origin {
            Origin::Command(id) => Some(id.item),
            Origin::Label(pull) => Some(*pull),
            Origin::Tag(_) | Origin::Merge(_) | Origin::Incident(_) => None,
        }
    }
}

/// A workflow run that carries out a deployment, or may.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RunFacts {
    /// Number of the attempt. A later attempt takes precedence over all earlier ones.
    pub attempt: u64,
    /// Time at which this state of the run was current.
    pub at: Timestamp,
    /// Outcome.
    pub outcome: RunOutcome,
    /// The commit that it runs at.
    pub sha: Sha,
    /// The kind of event that started it.
    pub trigger: RunTrigger,
    /// Title, from the workflow's `run-name`.
    pub title: String,
    /// The workflow file.
    pub workflow: String,
    /// Creation time.
    pub created_at: Timestamp,
    /// URL of its page.
    pub url: String,
    /// The accounts that started it: the run's actor, the account that started this attempt, and
    /// the sender of its first event.
    #[serde(default)]
    pub started_by: BTreeSet<Account>,
}

/// A job that waits for our answer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct WaitingJob {
    /// Environment, as written.
    pub name: String,
    /// The commit.
    pub sha: Option<Sha>,
    /// Time of each of its requests, by the deployment that it created for it.
    pub requests: BTreeMap<Option<u64>, Timestamp>,
    /// Number of requests that our answer covers, and the answer; `true`: approved.
    pub answered: Option<(usize, bool)>,
    /// Number of answers that were queued.
    pub answers: u32,
    /// Number of reports without a verdict so far. The forge accepts ten.
    pub reports: u32,
    /// Text of the last report.
    pub reported: String,
    /// True if it was approved, and cancelled later because the gate closed again.
    pub cancelled: bool,
    /// True if its run belongs to a pull request.
    #[serde(default)]
    pub of_pull: bool,
    /// The accounts that started its run, over all runs that waited. None of them can approve it.
    #[serde(default)]
    pub started_by: BTreeSet<Account>,
}

/// The action taken on a draft release, or on a tag that was pushed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Publication {
    /// The commit that it was taken for.
    pub sha: Option<Sha>,
    /// Number of attempts.
    pub attempts: u32,
    /// True if nothing is left to do.
    pub settled: bool,
    /// Digest of the notes that were last written; empty for another action.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub digest: String,
}

impl RepoFacts {
    /// Returns the requests that have not ended.
    pub fn open_requests(&self) -> impl Iterator<Item = (&String, &DeployRequest)> {
        self.requests.index().open.iter().filter_map(|id| self.requests.get_key_value(id))
    }

    /// Returns the requests for an environment, oldest first.
    pub fn requests_for(&self, environment: &str) -> impl DoubleEndedIterator<Item = (&String, &DeployRequest)> {
        let ids = self.requests.index().by_environment.of(environment);
        ids.filter_map(|(_, id)| self.requests.get_key_value(id))
    }

    /// Returns the request that occupies an environment.
    pub fn under_way(&self, environment: &str) -> Option<(&String, &DeployRequest)> {
        self.open_requests().find(|(_, r)| r.environment == environment && r.holds_environment())
    }

    /// Returns the request that a deployment belongs to: the deployment was created for it, or by
    /// its jobs.
    pub fn request_of(&self, deployment: u64) -> Option<(&String, &DeployRequest)> {
        self.requests.get_key_value(self.requests.index().by_deployment.of(&deployment).next()?)
    }
}
