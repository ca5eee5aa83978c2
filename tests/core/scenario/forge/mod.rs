//! The scripted forge: it does what the lines of a scenario say, and tells what a forge tells.
//!
//! A stage knows it by five functions alone, so that another forge (numbers apart, other reports)
//! has one place:
//!
//! - [`Forge::set`]: a line says what the forge is like, or how it treats us from now on;
//! - [`Forge::happen`]: something happens there; returns the event that it delivers;
//! - [`Forge::answer`] and [`Forge::caller`]: it answers a query, refuses, or does not answer;
//! - [`Forge::apply`]: it carries out an effect, or does not.
//!
//! It stores what a forge stores (titles, labels, branch tips, parents), so every event and every
//! answer shows the state of its time. It sends no events about our own writes, except about the
//! issues that we open.

pub mod accounts;
mod alerts;
mod answers;
mod callers;
mod commits;
mod effects;
mod events;
mod items;
mod runs;
mod schema;
mod settings;
pub mod words;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::Timestamp;
use phasebot_core::{
    domain::{
        event::*,
        fact::deploy_request::RunFacts,
        id::*,
        needs::{Closer, FailedJob, RequiredCheck},
        permission::Role,
        schema::SchemaChange,
    },
    ingest::Us,
};

use accounts::Accounts;
pub use effects::{Applied, Issue, Outcome};

/// Login of the account under which we write.
const OUR_LOGIN: &str = "phasebot[bot]";

/// State of the forge.
#[derive(Default, Clone)]
pub struct Forge {
    items: BTreeMap<ItemId, ItemSeen>,
    pulls: BTreeMap<ItemId, PullSeen>,
    /// Positions of branches and tags.
    tips: BTreeMap<RefName, Sha>,
    parents: BTreeMap<Sha, Vec<Sha>>,
    messages: BTreeMap<Sha, String>,
    /// Names of commits as the lines write them, by their short hash.
    pub names: BTreeMap<String, String>,
    accounts: Accounts,
    /// Accounts without write access.
    readers: BTreeSet<AccountId>,
    roles: BTreeMap<AccountId, Role>,
    teams: BTreeSet<(String, AccountId)>,
    /// Head of every pull request, where it is asked for; and whether it is a fork's.
    head: Option<(Sha, bool)>,
    linked: BTreeMap<ItemId, BTreeSet<ItemId>>,
    linked_branches: BTreeMap<ItemId, BTreeSet<String>>,
    /// Changes that closed issues.
    closers: BTreeMap<ItemId, Closer>,
    required: BTreeSet<RequiredCheck>,
    /// Issues of a milestone, by the milestone's title.
    milestones: BTreeMap<String, BTreeSet<ItemId>>,
    /// Authors by commit; the others are by `dev`.
    authors: BTreeMap<Sha, BTreeSet<Account>>,
    /// Commits with an address that belongs to no account.
    anonymous: BTreeSet<Sha>,
    /// Accounts that started workflow runs.
    starters: BTreeMap<u64, BTreeSet<Account>>,
    /// Tags with a valid signature.
    signed: BTreeSet<String>,
    checks: BTreeMap<String, CheckSeen>,
    groups: BTreeMap<Sha, MergeGroupSeen>,
    deployments: BTreeMap<u64, DeploymentSeen>,
    /// Creation times of workflow runs.
    workflows: BTreeMap<u64, Timestamp>,
    /// Workflow runs without events.
    unheard: BTreeMap<u64, RunFacts>,
    /// Failed jobs by run.
    failed_jobs: BTreeMap<u64, FailedJob>,
    /// Files by pull request (`#7`) or commit; `None`: more than the forge lists.
    files: BTreeMap<String, Option<Vec<String>>>,
    /// Runs without a job that began.
    never_began: BTreeSet<u64>,
    releases: BTreeMap<u64, ReleaseSeen>,
    /// Start time of each connection's alerts by group, and whether they are resolved.
    alerts: BTreeMap<(String, String, String), (Timestamp, bool)>,
    /// Schema changes of databases.
    schemas: BTreeMap<(String, u64), SchemaChange>,
    /// Databases whose schema changes somebody has to approve.
    reviewed_databases: BTreeSet<String>,
    /// Present default branch; `None`: `main`.
    default_branch: Option<String>,
    last_id: u64,
    /// Queries that it does not answer now.
    muted: BTreeSet<String>,
    /// Queries that it refuses with 403.
    denied: BTreeSet<String>,
    /// Results of the next effects that something waits for.
    outcomes: VecDeque<Vec<String>>,
    /// Items that were deleted without an event.
    vanished: BTreeSet<ItemId>,
    /// Issues that we opened.
    pub issues: BTreeMap<ItemId, Issue>,
    /// Number of deployments and runs that we started.
    started: u64,
    /// Events about our own writes that are not delivered yet.
    echoes: Vec<Event>,
}

/// The repository in which everything happens.
pub fn repo() -> RepoSeen {
    RepoSeen {
        key: RepoKey { forge: ForgeName::github(), id: 7 },
        full_name: "acme/shop".into(),
        default_branch: Some("main".into()),
        owner: Accounts::default().account("acme"),
        private: None,
        web_host: Some("github.com".into()),
    }
}

/// The account under which we write.
pub fn us() -> Us {
    Us { bot: Some(Actor { id: None, login: OUR_LOGIN.into(), bot: true }) }
}

impl Forge {
    pub fn new() -> Self {
        Self { last_id: 100, ..Self::default() }
    }

    /// Returns the events about our own writes that were not delivered yet.
    pub fn echoes(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.echoes)
    }

    /// Returns the commit that the lines call `name`.
    pub fn sha(&mut self, name: &str) -> Sha {
        let sha = format!("{:0<40}", hex::encode(name));
        self.names.insert(sha[..7].to_owned(), name.to_owned());
        sha[..40].parse().unwrap()
    }

    fn id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Makes an event of what was seen.
    fn event(&self, at: Timestamp, name: String, sender: Option<&str>, seen: Seen) -> Event {
        let mut repo = repo();
        repo.default_branch = self.default_branch.clone().or(repo.default_branch);
        let sender = sender.map(|login| self.accounts.actor(login));
        Event { name, connection: Some(1), repo: Some(repo), sender, at, seen }
    }
}
