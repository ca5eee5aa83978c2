//! Facts about deploys that were asked of us, about the workflow runs that do
//! them, and about jobs that wait for our word.
//!
//! A deploy is a record that goes through states in one direction only. It is
//! changed where everything is decided, one event at a time, so that «one at
//! a time in an environment» needs no lock but the record itself.

mod index;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use crate::domain::fact::deploy_request::index::{REQUEST_PREFIX, RequestIndex, Requests, RunIndex, Runs};

use crate::domain::{
    effect::RefGuard,
    event::RunOutcome,
    fact::{RepoFacts, command::CommandId},
    id::{Account, ItemNumber, Sha},
};

/// A deploy that was asked of us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeployRequest {
    /// Environment, lower case.
    pub environment: String,
    /// What it is.
    pub kind: RequestKind,
    /// What asked for it.
    pub origin: Origin,
    /// Who asked; for one that nobody asked for, who pushed or merged, if known.
    pub by: Account,
    /// When, by the forge's clock.
    pub at: Timestamp,
    /// What to deploy, in the words of who asked: a name, or empty.
    pub reference: String,
    /// What may move while it waits.
    pub watched: RefGuard,
    /// The commit; `None` until it is found out.
    pub sha: Option<Sha>,
    /// Inputs, checked against the policy.
    pub inputs: BTreeMap<String, String>,
    /// What the environment ran when this began; for a rollback, what it leaves.
    pub from: Option<Sha>,
    /// How it stands.
    pub state: RequestState,
    /// When it came into that state.
    pub since: Timestamp,
    /// When the forge began with it.
    pub started_at: Option<Timestamp>,
    /// When the forge made the deployment for it, by the forge's clock. We may
    /// have heard of it much later, and what it started began before that.
    #[serde(default)]
    pub made_at: Option<Timestamp>,
    /// The deployment that we made for it.
    pub deployment: Option<u64>,
    /// How often it was tried to start it.
    pub attempts: u32,
    /// The workflow was told the commit: where it runs from does not matter.
    pub pinned: bool,
    /// Only to tell what would happen.
    pub dry_run: bool,
    /// Who asks means to replace what another item holds the lock for.
    #[serde(default)]
    pub replace: bool,
    /// Deployments that its jobs made.
    pub linked: BTreeSet<u64>,
    /// What to tell of it at once: for a rollback what it goes back to, and why to that.
    #[serde(default)]
    pub note: String,
    /// The workflow run that does it: the one that was dispatched, or the first
    /// that its deployment started.
    pub run: Option<u64>,
}

/// What a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RequestKind {
    /// A commit that was named.
    Deploy,
    /// What runs in the environment before.
    Promote,
    /// Back to an earlier one.
    Rollback,
}

/// What asked for a deploy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// A command.
    Command(CommandId),
    /// A tag was pushed.
    Tag(String),
    /// A branch got new commits.
    Merge(String),
}

/// How a request stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RequestState {
    /// Its commit is still to be found out.
    Asked,
    /// It waits for its turn or its gate; with a sentence that says for what.
    Waiting(String),
    /// The forge was told to start it. With the number of the attempt.
    Starting(u32),
    /// The forge has begun with it.
    Running,
    /// It is over.
    Ended {
        /// How.
        how: RequestEnd,
        /// A sentence for people.
        why: String,
    },
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RequestEnd {
    /// It runs in the environment.
    Succeeded,
    /// It was started and came to nothing.
    Failed,
    /// It was not started.
    Refused,
    /// It was withdrawn before it was started.
    Withdrawn,
    /// It was to tell what would happen, and did.
    Told,
}

impl DeployRequest {
    /// One that nothing has been done about yet: its commit is to be found out, if `sha` is `None`.
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
            since: at,
            started_at: None,
            made_at: None,
            deployment: None,
            note: String::new(),
            run: None,
            attempts: 0,
            pinned: false,
            dry_run: false,
            replace: false,
            linked: BTreeSet::new(),
        }
    }

    /// It is not over.
    pub fn is_open(&self) -> bool {
        !matches!(self.state, RequestState::Ended { .. })
    }

    /// It holds its environment: nothing else may start there.
    pub fn is_under_way(&self) -> bool {
        matches!(self.state, RequestState::Starting(_) | RequestState::Running)
    }

    /// It was started by a workflow and not by a deployment, or may be about
    /// to be: deployments of its jobs name where the workflow ran.
    pub fn is_dispatched(&self) -> bool {
        let begun = self.started_at.is_some() || matches!(self.state, RequestState::Starting(_));
        begun && self.deployment.is_none() && !self.dry_run
    }

    /// How it ended, if it did.
    pub fn end(&self) -> Option<RequestEnd> {
        match &self.state {
            RequestState::Ended { how, .. } => Some(*how),
            _ => None,
        }
    }

    /// Nobody asked for it: a tag or a branch moved.
    pub fn is_automatic(&self) -> bool {
        match self.origin {
            Origin::Tag(_) | Origin::Merge(_) => true,
            Origin::Command(_) => false,
        }
    }

    /// The item on which it was asked for.
    pub fn item(&self) -> Option<ItemNumber> {
        match &self.origin {
            Origin::Command(id) => Some(id.item),
            Origin::Tag(_) | Origin::Merge(_) => None,
        }
    }
}

/// A workflow run that does a deploy, or may.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RunFacts {
    /// Which attempt at it: a later one outweighs all before it.
    pub attempt: u64,
    /// When what is seen here was true.
    pub at: Timestamp,
    /// How it stands.
    pub outcome: RunOutcome,
    /// The commit that it runs at.
    pub sha: Sha,
    /// What started it: `deployment`, `workflow_dispatch`, …
    pub trigger: String,
    /// Its title, as the workflow's `run-name` has it.
    pub title: String,
    /// The workflow's file.
    pub workflow: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Its page.
    pub url: String,
    /// Who started it: the run's actor, who had this attempt run, who sent its first event.
    #[serde(default)]
    pub started_by: BTreeSet<Account>,
}

/// A job that waits for our word.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct WaitingJob {
    /// Environment, as written.
    pub name: String,
    /// The commit.
    pub sha: Option<Sha>,
    /// Every time that it asked, by the deployment that it made for it.
    pub requests: BTreeMap<Option<u64>, Timestamp>,
    /// What we said to how many requests; `true`: go on.
    pub answered: Option<(usize, bool)>,
    /// How many answers were queued.
    pub answers: u32,
    /// Reports without a verdict so far: the forge takes ten.
    pub reports: u32,
    /// What the last report said.
    pub reported: String,
    /// Approved, and cancelled since because the gate changed its mind.
    pub cancelled: bool,
    /// Its run is of a pull request.
    #[serde(default)]
    pub of_pull: bool,
    /// Who started its run, by the runs that waited: none of them approves it.
    #[serde(default)]
    pub started_by: BTreeSet<Account>,
}

/// What was done about a draft release, or about a tag that was pushed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Publication {
    /// The commit that it was done for.
    pub sha: Option<Sha>,
    /// How often.
    pub attempts: u32,
    /// Nothing is left to do.
    pub settled: bool,
}

impl RepoFacts {
    /// Requests that are not over.
    pub fn open_requests(&self) -> impl Iterator<Item = (&String, &DeployRequest)> {
        self.requests.index().open.iter().filter_map(|id| self.requests.get_key_value(id))
    }

    /// Requests for an environment, oldest first.
    pub fn requests_for(&self, environment: &str) -> impl DoubleEndedIterator<Item = (&String, &DeployRequest)> {
        let ids = self.requests.index().by_environment.of(environment);
        ids.filter_map(|(_, id)| self.requests.get_key_value(id))
    }

    /// The request that holds an environment.
    pub fn under_way(&self, environment: &str) -> Option<(&String, &DeployRequest)> {
        self.open_requests().find(|(_, r)| r.environment == environment && r.is_under_way())
    }

    /// The request that a deployment belongs to: made for it, or by its jobs.
    pub fn request_of(&self, deployment: u64) -> Option<(&String, &DeployRequest)> {
        self.requests.get_key_value(self.requests.index().by_deployment.of(&deployment).next()?)
    }
}
