//! State of the simulated forge.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};
use rand::RngExt;

use super::{
    SimError,
    app::{App, SignIns},
    delivery::{Attempt, Delivery},
    exchange::Exchange,
    fault::Faults,
    limits::Limits,
    manifest::Registration,
    model::{Installation, Item, Repo, Token, User},
};
use crate::Clock;

/// Lifetime of an installation token.
const TOKEN_LIFE: SignedDuration = SignedDuration::from_hours(1);

/// State of the simulated forge.
pub(super) struct State {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) auth_clock: Arc<dyn Clock>,
    /// Address of the API, without a slash at its end.
    pub(super) api: String,
    /// Address of the web pages, without a slash at its end.
    pub(super) web: String,
    /// Account that is signed in to the web pages.
    pub(super) signed_in: String,
    /// Apps whose credentials were not fetched yet, by their codes.
    pub(super) registrations: BTreeMap<String, Registration>,
    pub(super) sign_ins: SignIns,
    /// The part of `api` behind the host.
    pub(super) base_path: String,
    pub(super) app: App,
    /// Accounts by login in lower case.
    pub(super) users: BTreeMap<String, User>,
    pub(super) repos: BTreeMap<u64, Repo>,
    /// Ids of repositories, by current name in lower case.
    pub(super) names: BTreeMap<String, u64>,
    /// Names given up by a rename, which are redirected.
    pub(super) old_names: BTreeMap<String, u64>,
    pub(super) installations: BTreeMap<u64, Installation>,
    pub(super) tokens: HashMap<String, Token>,
    /// Members of teams, by `org/team`; all in lower case.
    pub(super) teams: BTreeMap<String, BTreeSet<String>>,
    pub(super) outgoing: VecDeque<Delivery>,
    /// Deliveries created since the start, sent or not.
    pub(super) made: Vec<Delivery>,
    pub(super) attempts: Vec<Attempt>,
    pub(super) exchanges: Vec<Exchange>,
    pub(super) faults: Faults,
    pub(super) limits: Limits,
    pub(super) last_id: u64,
    /// Makes delivery ids differ between two simulations on one database.
    pub(super) salt: u64,
}

impl State {
    /// Returns the current time.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Returns a new unique id.
    pub(super) fn id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Returns the account called `login`; creates it if it is missing.
    pub(super) fn user(&mut self, login: &str, kind: &'static str) -> &User {
        let key = login.to_ascii_lowercase();
        if !self.users.contains_key(&key) {
            let id = self.id();
            let kind = if login.ends_with("[bot]") { "Bot" } else { kind };
            self.users.insert(key.clone(), User { id, login: login.to_owned(), kind });
        }
        &self.users[&key]
    }

    /// Renames an account; what it wrote and its permissions stay with it.
    pub(super) fn rename(&mut self, from: &str, to: &str) {
        let (old, new) = (from.to_ascii_lowercase(), to.to_ascii_lowercase());
        let Some(user) = self.users.remove(&old) else { return };
        self.users.insert(new.clone(), User { login: to.to_owned(), ..user });
        for members in self.teams.values_mut() {
            if members.remove(&old) {
                members.insert(new.clone());
            }
        }
        let is_old = |login: &&mut String| login.eq_ignore_ascii_case(from);
        for repo in self.repos.values_mut() {
            if let Some(role) = repo.roles.remove(&old) {
                repo.roles.insert(new.clone(), role);
            }
            let items = repo.items.values_mut().map(|item| &mut item.author);
            let comments = repo.comments.values_mut().map(|comment| &mut comment.author);
            let runs = repo.runs.values_mut().map(|run| &mut run.actor);
            items.chain(comments).chain(runs).filter(is_old).for_each(|login| to.clone_into(login));
        }
    }

    /// Returns the account with this id.
    pub(super) fn user_by_id(&self, id: u64) -> Option<&User> {
        self.users.values().find(|user| user.id == id)
    }

    /// Returns the login of the App's own account.
    pub(super) fn bot(&self) -> String {
        format!("{}[bot]", self.app.slug)
    }

    /// Creates an installation token for all repositories, or for `only` some.
    pub(super) fn new_token(&mut self, installation: u64, only: Option<BTreeSet<u64>>) -> (String, Timestamp) {
        let text: String = rand::rng().sample_iter(rand::distr::Alphanumeric).take(36).map(char::from).collect();
        let text = format!("ghs_{text}");
        let expires_at = self.auth_clock.now() + TOKEN_LIFE;
        self.tokens.insert(text.clone(), Token { installation, expires_at, only });
        (text, expires_at)
    }

    /// Returns a repository by its id.
    pub(super) fn repo(&self, id: u64) -> Result<&Repo, SimError> {
        self.repos.get(&id).ok_or_else(|| SimError::NoSuch(format!("repository {id}")))
    }

    /// Returns a repository by its id, for changes.
    pub(super) fn repo_mut(&mut self, id: u64) -> Result<&mut Repo, SimError> {
        self.repos.get_mut(&id).ok_or_else(|| SimError::NoSuch(format!("repository {id}")))
    }

    /// Returns an existing issue or pull request.
    pub(super) fn item(&self, repo: u64, number: u64) -> Result<&Item, SimError> {
        let found = self.repo(repo)?.items.get(&number).filter(|i| !i.gone);
        found.ok_or_else(|| SimError::NoSuch(format!("item #{number}")))
    }

    /// Returns an existing issue or pull request, for changes.
    pub(super) fn item_mut(&mut self, repo: u64, number: u64) -> Result<&mut Item, SimError> {
        let found = self.repo_mut(repo)?.items.get_mut(&number).filter(|i| !i.gone);
        found.ok_or_else(|| SimError::NoSuch(format!("item #{number}")))
    }

    /// Returns the installation that covers a repository.
    pub(super) fn installation_of(&self, repo: u64) -> Option<&Installation> {
        self.installations.values().find(|i| i.repos.contains(&repo))
    }
}
