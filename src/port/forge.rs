//! A forge: understands its deliveries, answers questions, does what it is told.

use std::collections::BTreeSet;

use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderMap;
use jiff::Timestamp;

use crate::domain::{
    effect::{Effect, Told},
    event::{Event, RepoSeen},
    fact::policy::FileSeen,
    id::{Account, Actor, ForgeName, InstallationId, ItemNumber, RepoKey, Sha},
    needs::{Answer, Answered, Need, PullHead},
    permission::Role,
};

/// A forge instance. Implementations hold no state that a restart may not lose.
#[async_trait]
pub trait Forge: Send + Sync + 'static {
    /// The configured name, as in the webhook route.
    fn name(&self) -> &ForgeName;

    /// Proves that the forge sent `body`, before anything in it is looked at.
    ///
    /// Compares in constant time with each live secret. The headers that name
    /// the delivery are read only after the signature held.
    fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<Verified, Refusal>;

    /// Reads only what routing needs. `None` if the body is not what the forge
    /// sends at all (not JSON, not an object): such a delivery is quarantined.
    fn route(&self, event: &str, body: &[u8]) -> Option<Route>;

    /// Understands a delivery. Unknown events, actions, fields and enum values
    /// are never errors: what says nothing to us becomes `Seen::Nothing`.
    fn decode(&self, event: &str, body: &[u8], received_at: Timestamp) -> Result<Event, Undecodable>;

    /// What the forge sent us or tried to, newest first, a page at a time:
    /// from the newest on, or from where `page` says. `None`: this forge keeps
    /// no such list.
    async fn sent(&self, _page: Option<&str>) -> Result<Option<SentPage>, ForgeError> {
        Ok(None)
    }

    /// One delivery of that list as it would have come to the door. `None`:
    /// the forge keeps it no longer, or not in a form that can be read.
    async fn sent_delivery(&self, _id: u64) -> Result<Option<(Verified, Bytes)>, ForgeError> {
        Ok(None)
    }

    /// Reads a page of what there is in a repository, and of it what changed
    /// since a moment. `at`: where the page before it said to go on.
    async fn survey(
        &self,
        _installation: InstallationId,
        _full_name: &str,
        _since: Option<Timestamp>,
        _at: Option<&str>,
    ) -> Result<SurveyPage, ForgeError> {
        Err(ForgeError::Permanent("this forge can't be read as a whole".to_owned()))
    }

    /// Every installation of ours.
    async fn installations(&self) -> Result<Vec<InstallationId>, ForgeError> {
        Ok(Vec::new())
    }

    /// We may not act for this installation any more: what was for it is thrown away.
    async fn forget(&self, _installation: InstallationId) {}

    /// Our own account on this forge, as it is called now.
    async fn identity(&self) -> Result<Actor, ForgeError>;

    /// Which installation of ours serves a repository; `None` if none does.
    async fn installation_of(&self, full_name: &str) -> Result<Option<InstallationId>, ForgeError>;

    /// Answers a question, with as few calls as the forge allows.
    async fn answer(&self, target: &Target, need: &Need) -> Result<Answer, ForgeError>;

    /// What an account may do in a repository, asked at this moment. No such
    /// account: [`Role::None`].
    async fn role(&self, _target: &Target, _account: &Account) -> Result<Role, ForgeError> {
        Err(ForgeError::Permanent("this forge does not tell roles".to_owned()))
    }

    /// Whether an account is in a team (`sre` of the repository's owner, or
    /// `acme/sre`), asked at this moment.
    async fn is_member(&self, _target: &Target, _team: &str, _account: &Account) -> Result<bool, ForgeError> {
        Err(ForgeError::Permanent("this forge does not tell the members of teams".to_owned()))
    }

    /// The head of a pull request, at this moment.
    async fn head(&self, _target: &Target, _pull: ItemNumber) -> Result<PullHead, ForgeError> {
        Err(ForgeError::Permanent("this forge does not tell head commits".to_owned()))
    }

    /// A file as it stands at a commit or branch; `None` if there is none.
    ///
    /// `of`: another repository by its `owner/name`, read with the same
    /// rights; one that those don't reach is not found. `at`: by default the
    /// default branch.
    async fn file(
        &self,
        _target: &Target,
        _of: Option<&str>,
        _path: &str,
        _at: Option<&str>,
    ) -> Result<Option<FileSeen>, ForgeError> {
        Err(ForgeError::Permanent("this forge gives no files".to_owned()))
    }

    /// Whether `head` changes the file at `path`, seen from where it left the
    /// branch `base`. `None`: the forge lists not all that was changed.
    async fn changes_file(
        &self,
        _target: &Target,
        _base: &str,
        _head: &Sha,
        _path: &str,
    ) -> Result<Option<bool>, ForgeError> {
        Err(ForgeError::Permanent("this forge compares nothing".to_owned()))
    }

    /// How many writes `effect` will take, so that they can be paced.
    fn cost(&self, effect: &Effect, context: &ApplyContext) -> Cost;

    /// Does one thing. Sends each request at most once: whether to try again
    /// is the caller's decision. With [`ApplyContext::look_only`] it writes
    /// nothing: without [`Applied::made`] and [`Applied::told`] nothing was found.
    async fn apply(&self, target: &Target, effect: &Effect, context: &ApplyContext) -> Result<Applied, ForgeError>;
}

/// A page of what the forge sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SentPage {
    /// What was sent, newest first.
    pub deliveries: Vec<SentDelivery>,
    /// Where the next page is, for [`Forge::sent`]; `None`: this was the last.
    pub next: Option<String>,
}

/// An attempt of the forge to deliver something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentDelivery {
    /// The attempt's own number.
    pub id: u64,
    /// The delivery's id, as in [`Verified::delivery`]: a further attempt keeps it.
    pub delivery: String,
    /// When.
    pub at: Timestamp,
    /// We answered that we have it.
    pub acknowledged: bool,
}

/// A page of what there is in a repository.
#[derive(Debug, Clone, PartialEq)]
pub struct SurveyPage {
    /// The repository.
    pub repo: RepoSeen,
    /// What is listed here, such as `issues`.
    pub part: &'static str,
    /// What events would have told of it.
    pub events: Vec<Event>,
    /// What would be asked about it.
    pub answers: Vec<Answered>,
    /// How many there are in this part, if the forge tells.
    pub expected: Option<u64>,
    /// Where to go on; `None`: this was all.
    pub next: Option<String>,
}

/// A delivery whose signature held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The forge's event name, such as `pull_request`.
    pub event: String,
    /// The forge's delivery id.
    pub delivery: String,
    /// The hook that sent it; empty where the forge does not say.
    pub hook: String,
}

/// Why a request is not let in.
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

/// Where a delivery belongs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Route {
    /// The repository, if it concerns one.
    pub repo: Option<u64>,
    /// The installation, if it names one.
    pub installation: Option<InstallationId>,
    /// The payload's action, for lists.
    pub action: Option<String>,
    /// It brings what a person wrote just now: a command may be in it, and its
    /// author waits.
    pub urgent: bool,
}

/// A signed body that can't be understood: kept, and run again after an upgrade.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct Undecodable {
    /// Where in the payload.
    pub path: String,
    /// What is wrong there.
    pub message: String,
}

/// Where to act, from our own records, never from a payload alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// In whose name.
    pub installation: InstallationId,
    /// Which repository.
    pub repo: RepoKey,
    /// Its present `owner/name`.
    pub full_name: String,
}

/// What is known at the moment of acting.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApplyContext {
    /// The item's labels as last known; `None` if never seen.
    pub item_labels: Option<BTreeSet<String>>,
    /// Something may have changed them since: look at them first.
    pub labels_in_doubt: bool,
    /// Labels that are known to exist in the repository with our look.
    pub repo_labels: BTreeSet<String>,
    /// The number of the issue that is to be kept up to date, if it is known.
    pub issue: Option<ItemNumber>,
    /// An earlier attempt may have gone through: look before sending again.
    pub in_doubt: bool,
    /// It is not wanted any more: only find out whether it was done.
    pub look_only: bool,
}

/// Writes that an effect takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cost {
    /// Requests that change something.
    pub writes: u32,
    /// Of these, requests that make content (issues, comments): limited on their own.
    pub creates: u32,
}

/// What came of an effect.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// The item's labels as the forge answered them.
    pub labels: Option<(ItemNumber, BTreeSet<String>)>,
    /// Labels that now exist in the repository.
    pub made_labels: BTreeSet<String>,
    /// The repository's new name, if the forge redirected us.
    pub renamed_to: Option<String>,
    /// Web or API id of what was made, for the record.
    pub made: Option<String>,
    /// What a waiting command has to hear.
    pub told: Option<Told>,
    /// The number of the issue that is kept up to date.
    pub issue: Option<ItemNumber>,
}

/// Errors by what the caller does about them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ForgeError {
    /// Ask nothing of this installation before `until`.
    #[error("rate limited until {until}")]
    RateLimited {
        /// When the limit lifts.
        until: Timestamp,
    },
    /// The object is gone, hidden or was never there (404, 410, 451).
    #[error("{0}")]
    NotFound(String),
    /// The item was deleted, says the forge: it will never be there again.
    #[error("deleted: {0}")]
    Deleted(String),
    /// The forge refuses for good: repeating the same request is useless.
    #[error("{0}")]
    Permanent(String),
    /// It may work later, and surely was not done.
    #[error("not done: {0}")]
    Transient(String),
    /// It may work later, and may have been done already.
    #[error("in doubt: {0}")]
    Doubt(String),
}
