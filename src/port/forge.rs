//! A forge: decodes its deliveries, answers queries, and applies effects.

use std::collections::BTreeSet;

use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};

use crate::domain::{
    effect::{Effect, ForgeResult},
    event::{Event, RepoSeen},
    fact::policy::FileSeen,
    id::{Account, Actor, ConnectionId, ForgeName, ItemId, RepoKey, Sha},
    needs::{Answer, Answered, Need, PullHead},
    permission::Role,
};

/// A forge instance. Implementations hold no state that a restart must preserve.
#[async_trait]
pub trait Forge: Send + Sync + 'static {
    /// Returns the configured name, as in the webhook route.
    fn name(&self) -> &ForgeName;

    /// Verifies that the forge sent `body`, before anything in it is parsed.
    ///
    /// Compares in constant time with each live secret. Reads the headers that name the delivery
    /// only after the signature matched.
    fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<Verified, Refusal>;

    /// Reads only what routing needs. `None` if the body cannot come from the forge (not JSON, not
    /// an object): such a delivery is quarantined.
    fn route(&self, event: &str, body: &[u8]) -> Option<Route>;

    /// Decodes a delivery. Unknown events, actions, fields and enum values are never errors: a
    /// delivery without meaning here becomes `Seen::Nothing`.
    fn decode(&self, event: &str, body: &[u8], received_at: Timestamp) -> Result<Event, Undecodable>;

    /// Lists the deliveries that the forge sent us or tried to send, newest first, a page at a
    /// time: from the newest, or from `page`. `None` if this forge keeps no such list.
    async fn sent(&self, _page: Option<&str>) -> Result<Option<SentPage>, ForgeError> {
        Ok(None)
    }

    /// Returns one delivery of that list as the webhook route would have received it. `None` if the
    /// forge no longer keeps it, or not in a readable form.
    async fn sent_delivery(&self, _id: u64) -> Result<Option<(Verified, Bytes)>, ForgeError> {
        Ok(None)
    }

    /// Reads a page of a repository's current objects, or of those that changed since a given time.
    /// `at` is the position from the previous page.
    async fn survey(
        &self,
        _installation: ConnectionId,
        _full_name: &str,
        _since: Option<Timestamp>,
        _at: Option<&str>,
    ) -> Result<SurveyPage, ForgeError> {
        Err(ForgeError::Permanent("this forge can't be read as a whole".to_owned()))
    }

    /// Lists all our connections.
    async fn connections(&self) -> Result<Vec<ConnectionId>, ForgeError> {
        Ok(Vec::new())
    }

    /// Drops everything cached for a connection for which we may no longer act.
    async fn forget(&self, _connection: ConnectionId) {}

    /// Returns our own account on this forge, with its current login.
    async fn identity(&self) -> Result<Actor, ForgeError>;

    /// Returns the connection that covers a repository; `None` if there is none.
    async fn connection_of(&self, full_name: &str) -> Result<Option<ConnectionId>, ForgeError>;

    /// Answers a query, with as few calls as the forge allows.
    async fn answer(&self, target: &Target, need: &Need) -> Result<Answer, ForgeError>;

    /// Returns an account's current role in a repository; [`Role::None`] if there is no such
    /// account.
    async fn role(&self, _target: &Target, _account: &Account) -> Result<Role, ForgeError> {
        Err(ForgeError::Permanent("this forge does not tell roles".to_owned()))
    }

    /// Returns whether an account is currently in a team (`sre` of the repository's owner, or
    /// `acme/sre`).
    async fn is_member(&self, _target: &Target, _team: &str, _account: &Account) -> Result<bool, ForgeError> {
        Err(ForgeError::Permanent("this forge does not tell the members of teams".to_owned()))
    }

    /// Returns the current head of a pull request.
    async fn head(&self, _target: &Target, _pull: ItemId) -> Result<PullHead, ForgeError> {
        Err(ForgeError::Permanent("this forge does not tell head commits".to_owned()))
    }

    /// Returns the text of an issue.
    async fn issue_text(&self, _target: &Target, _issue: ItemId) -> Result<String, ForgeError> {
        Err(ForgeError::Permanent("this forge does not tell the text of issues".to_owned()))
    }

    /// Returns a file at a commit or branch; `None` if it does not exist.
    ///
    /// `of` is another repository by its `owner/name`, read with the same permissions; one that
    /// they do not cover is not found. `at` defaults to the default branch.
    async fn file(
        &self,
        _target: &Target,
        _of: Option<&str>,
        _path: &str,
        _at: Option<&Sha>,
    ) -> Result<Option<FileSeen>, ForgeError> {
        Err(ForgeError::Permanent("this forge gives no files".to_owned()))
    }

    /// Returns whether `head` changes the file at `path`, compared with where it left the branch
    /// `base`. `None` if the forge does not list all changes.
    async fn changes_file(
        &self,
        _target: &Target,
        _base: &str,
        _head: &Sha,
        _path: &str,
    ) -> Result<Option<bool>, ForgeError> {
        Err(ForgeError::Permanent("this forge compares nothing".to_owned()))
    }

    /// Returns the limits that our writes keep to.
    fn pace(&self) -> Pace;

    /// Returns how many writes `effect` takes, for pacing.
    fn cost(&self, effect: &Effect, context: &ApplyContext) -> Cost;

    /// Does one thing. Sends each request at most once: whether to try again
    /// is the caller's decision. With [`ApplyContext::look_only`] it writes
    /// nothing: without [`Applied::made`] and [`Applied::result`] nothing was found.
    async fn apply(&self, target: &Target, effect: &Effect, context: &ApplyContext) -> Result<Applied, ForgeError>;
}

/// A page of the forge's list of sent deliveries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SentPage {
    /// Deliveries, newest first.
    pub deliveries: Vec<SentDelivery>,
    /// Position of the next page, for [`Forge::sent`]; `None` if this was the last.
    pub next: Option<String>,
}

/// An attempt of the forge to send a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentDelivery {
    /// The attempt's own id.
    pub id: u64,
    /// The delivery's id, as in [`Verified::delivery`]; a further attempt keeps it.
    pub delivery: String,
    /// Time of the attempt.
    pub at: Timestamp,
    /// Whether we acknowledged it.
    pub acknowledged: bool,
}

/// A page of a repository's objects.
#[derive(Debug, Clone, PartialEq)]
pub struct SurveyPage {
    /// The repository.
    pub repo: RepoSeen,
    /// Kind of the listed objects, such as `issues`.
    pub part: &'static str,
    /// Their state, as events would have reported it.
    pub events: Vec<Event>,
    /// Answers to queries about them.
    pub answers: Vec<Answered>,
    /// Number of objects of this kind, if the forge reports it.
    pub expected: Option<u64>,
    /// Position of the next page; `None` if this was the last.
    pub next: Option<String>,
}

/// A delivery whose signature matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The forge's event name, such as `pull_request`.
    pub event: String,
    /// The forge's delivery id.
    pub delivery: String,
    /// The hook that sent it; empty if the forge does not name it.
    pub hook: String,
}

/// Reason for which a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No signature.
    #[error("the signature header is missing")]
    MissingSignature,
    /// Wrong, malformed or repeated signature.
    #[error("the signature does not match any configured secret")]
    BadSignature,
    /// A required header is missing or not text.
    #[error("the required header {0} is missing or malformed")]
    BadHeader(&'static str),
}

/// Routing data of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Route {
    /// The repository, if it concerns one.
    pub repo: Option<u64>,
    /// The installation, if it names one.
    pub installation: Option<ConnectionId>,
    /// The payload's action, for lists.
    pub action: Option<String>,
    /// Whether it contains new text by a person: it may contain a command, for whose result its
    /// author waits.
    pub urgent: bool,
}

/// A signed body that cannot be decoded: it is kept, and decoded again after an upgrade.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct Undecodable {
    /// Path in the payload.
    pub path: String,
    /// The error at that path.
    pub message: String,
}

/// Target of an action, from our own records, never from a payload alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The installation that acts.
    pub installation: ConnectionId,
    /// The repository.
    pub repo: RepoKey,
    /// Its current `owner/name`.
    pub full_name: String,
}

/// Known state when an effect is applied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApplyContext {
    /// The item's labels as last known; `None` if never seen.
    pub item_labels: Option<BTreeSet<String>>,
    /// Whether they may have changed since: read them first.
    pub labels_in_doubt: bool,
    /// Labels known to exist in the repository with our colour and description.
    pub repo_labels: BTreeSet<String>,
    /// Number of the issue to update, if it is known.
    pub issue: Option<ItemId>,
    /// Whether an earlier attempt may have succeeded: check before sending again.
    pub in_doubt: bool,
    /// Whether it is no longer wanted: only find out whether it was applied.
    pub look_only: bool,
}

/// Limits of a forge that the writes of each connection keep to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Interval at which a write may follow the one before, after a short burst; zero: no limit.
    pub write_every: SignedDuration,
    /// Creates allowed within each time span.
    pub creates: &'static [(usize, SignedDuration)],
}

impl Pace {
    /// Nothing is limited.
    pub const UNLIMITED: Self = Self { write_every: SignedDuration::ZERO, creates: &[] };
}

/// Number of writes that an effect takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cost {
    /// Requests that change something.
    pub writes: u32,
    /// Of these, requests that create content (issues, comments), which have their own limit.
    pub creates: u32,
}

/// Result of an effect.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// The item's labels in the forge's answer.
    pub labels: Option<(ItemId, BTreeSet<String>)>,
    /// Labels that now exist in the repository.
    pub made_labels: BTreeSet<String>,
    /// The repository's new name, if the forge redirected the request.
    pub renamed_to: Option<String>,
    /// Web or API id of the created object, for the record.
    pub made: Option<String>,
    /// Result for a waiting command.
    pub result: Option<ForgeResult>,
    /// Number of the issue that was updated.
    pub issue: Option<ItemId>,
}

/// Errors, by how the caller handles them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ForgeError {
    /// Rate limited: send nothing for this installation before `until`.
    #[error("rate limited until {until}")]
    RateLimited {
        /// End of the limit.
        until: Timestamp,
    },
    /// The object is gone, hidden or was never there (404, 410, 451).
    #[error("{0}")]
    NotFound(String),
    /// The forge reports that the item was deleted; it will not come back.
    #[error("deleted: {0}")]
    Deleted(String),
    /// Permanent rejection: repeating the same request is useless.
    #[error("{0}")]
    Permanent(String),
    /// Temporary error; the request was certainly not carried out.
    #[error("not done: {0}")]
    Transient(String),
    /// Temporary error; the request may have been carried out.
    #[error("in doubt: {0}")]
    Doubt(String),
}
