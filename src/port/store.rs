//! Where everything is kept.
//!
//! What returns `Ok` is on disk. One call is one transaction: all of it or
//! nothing. Implementations may gather several calls into one commit. Times
//! are kept in whole milliseconds.

use std::collections::BTreeSet;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::{
    derived::Transition,
    effect::{Effect, Lane},
    id::{ForgeName, InstallationId, ItemNumber, RepoKey},
};

/// A store. See the module's words for what `Ok` promises.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    // ── Inbox ──

    /// Keeps a delivery, once per (forge, hook, delivery id).
    async fn accept(&self, delivery: NewDelivery) -> Result<Accepted, StoreError>;

    /// Keeps several deliveries, all of them or none.
    async fn accept_all(&self, deliveries: Vec<NewDelivery>) -> Result<Vec<Accepted>, StoreError>;

    /// Deliveries not yet decided, in order of arrival, after `after`; without
    /// alerts whose target is not known yet.
    async fn pending(&self, after: Seq, limit: usize) -> Result<Vec<Pending>, StoreError>;

    /// One delivery with its body.
    async fn delivery(&self, seq: Seq) -> Result<Option<StoredDelivery>, StoreError>;

    /// Which of these delivery ids of a forge were taken in, from whichever of its hooks.
    async fn taken_in(&self, forge: &ForgeName, deliveries: &[String]) -> Result<BTreeSet<String>, StoreError>;

    /// Lists deliveries, newest first.
    async fn deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<DeliveryRow>, StoreError>;

    /// Puts a decided, quarantined, dead or dropped delivery back to pending,
    /// under its old number and with no attempts. `false` if there is none.
    async fn replay(&self, seq: Seq) -> Result<bool, StoreError>;

    /// Ends a delivery by an operator's word. `false` if there is none that is open.
    async fn drop_delivery(&self, seq: Seq, why: &str) -> Result<bool, StoreError>;

    // ── Repositories ──

    /// What we know of a repository's place; `None` if we never heard of it.
    async fn repository(&self, repo: &RepoKey) -> Result<Option<RepositoryRow>, StoreError>;

    /// All repositories that an installation serves.
    async fn repositories(
        &self,
        forge: &ForgeName,
        installation: InstallationId,
    ) -> Result<Vec<RepositoryRow>, StoreError>;

    /// All fact documents of a repository.
    async fn facts(&self, repo: &RepoKey) -> Result<Vec<Document>, StoreError>;

    /// The derived rows of a repository's items.
    async fn items(&self, repo: &RepoKey) -> Result<Vec<ItemRow>, StoreError>;

    /// The transition log of one item, oldest first.
    async fn transitions(&self, repo: &RepoKey, item: ItemNumber) -> Result<Vec<Transition>, StoreError>;

    /// Deletes what is kept of a repository: facts, items with their history,
    /// effects, timers, the bodies of its deliveries. Those that are open are
    /// dropped; all keep their ids, so that a redelivery is known, and `why`
    /// as their note. Its place stays.
    async fn erase(&self, repo: &RepoKey, why: &str) -> Result<(), StoreError>;

    // ── Decisions ──

    /// Keeps a decision whole: facts, items, transitions, effects, timers, and the deliveries it ends.
    async fn commit(&self, commit: Commit) -> Result<(), StoreError>;

    // ── Outbox ──

    /// Effects that may be tried at `now`, at most `per_lane` of each lane of
    /// each installation, so that a long line in one hides none in another: by
    /// lane, then oldest first. Effects left `sending` by a crash are among them.
    async fn due_effects(&self, now: Timestamp, per_lane: usize) -> Result<Vec<StoredEffect>, StoreError>;

    /// Whether an effect, in this version, has neither ended nor been replaced.
    async fn is_live(&self, id: EffectId, version: u64) -> Result<bool, StoreError>;

    /// When the next effect that is not yet due becomes so.
    async fn next_effect_at(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError>;

    /// Notes that an effect is about to be sent, so that a crash leaves a doubt and not a silence.
    async fn mark_sending(&self, id: EffectId, version: u64) -> Result<bool, StoreError>;

    /// Ends or postpones an attempt. Facts learnt from the answer are kept in
    /// the same transaction. A row that was replaced meanwhile (another
    /// `version`) stays queued; the facts are kept all the same.
    async fn finish_effect(
        &self,
        id: EffectId,
        version: u64,
        end: EffectEnd,
        repo: &RepoKey,
        facts: Vec<Document>,
    ) -> Result<(), StoreError>;

    /// Lists effects, newest first, optionally only dead ones.
    async fn effects(&self, dead_only: bool, limit: usize) -> Result<Vec<StoredEffect>, StoreError>;

    // ── Timers ──

    /// Timers due at `now`, oldest first.
    async fn due_timers(&self, now: Timestamp, limit: usize) -> Result<Vec<Timer>, StoreError>;

    /// When the next timer is due.
    async fn next_timer_at(&self) -> Result<Option<Timestamp>, StoreError>;

    // ── Memos ──

    /// What was noted under this name: small things of the program itself,
    /// such as how far it has caught up.
    async fn memo(&self, name: &str) -> Result<Option<String>, StoreError>;

    /// Notes a value under a name; `None` forgets it.
    async fn note(&self, name: &str, value: Option<&str>) -> Result<(), StoreError>;

    // ── Upkeep ──

    /// Forgets decided deliveries and ended effects older than `before`, at
    /// most `limit` rows of each; returns how many went. Never touches what is
    /// pending, quarantined or dead. A forgotten delivery or key is new again:
    /// `before` must lie further back than any replay is to be feared.
    async fn prune(&self, before: Timestamp, limit: usize) -> Result<u64, StoreError>;

    /// Figures for `/metrics`.
    async fn stats(&self) -> Result<StoreStats, StoreError>;

    /// Whether the store answers.
    async fn ping(&self) -> Result<(), StoreError>;
}

/// Order of arrival.
pub type Seq = u64;

/// An effect's number.
pub type EffectId = u64;

/// A delivery as it comes in.
#[derive(Debug, Clone)]
pub struct NewDelivery {
    /// From which forge instance or alert connection.
    pub forge: ForgeName,
    /// The hook that sent it; empty where the forge does not say.
    pub hook: String,
    /// The forge's id for it.
    pub delivery: String,
    /// The forge's event name.
    pub event: String,
    /// The payload's action, for lists.
    pub action: Option<String>,
    /// The repository it concerns: deliveries of one are decided in order.
    pub repo: Option<u64>,
    /// For an alert: the repository that it is for, by a name that this has or
    /// had. The store finds `repo` by it. While it can't, the delivery waits;
    /// it is pending once a repository of that name is kept.
    pub target: Option<String>,
    /// The installation it names.
    pub installation: Option<InstallationId>,
    /// When it was received.
    pub received_at: Timestamp,
    /// The raw body.
    pub body: Bytes,
    /// Why it can't be routed, if it can't: it is kept as quarantined.
    pub quarantined: Option<String>,
}

/// What [`Store::accept`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// Kept under this number.
    New(Seq),
    /// Had been taken in before, under this number.
    Duplicate(Seq),
}

/// A delivery that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// Its number.
    pub seq: Seq,
    /// What it must be in order with.
    pub partition: Partition,
}

/// What is decided in order: one repository, or a forge's other events.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Partition {
    /// The forge.
    pub forge: ForgeName,
    /// The repository; `None` for installation-wide events.
    pub repo: Option<u64>,
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// Waits to be decided.
    Pending,
    /// Decided.
    Done,
    /// Kept, says nothing to us.
    Ignored,
    /// Can't be understood; may be replayed after an upgrade.
    Quarantined,
    /// Deciding on it failed again and again.
    Dead,
    /// Ended by an operator.
    Dropped,
}

impl DeliveryState {
    /// Every state with its name in the database and in lists.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::Pending, "pending"),
        (Self::Done, "done"),
        (Self::Ignored, "ignored"),
        (Self::Quarantined, "quarantined"),
        (Self::Dead, "dead"),
        (Self::Dropped, "dropped"),
    ];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(s, _)| *s == self).map_or("", |(_, n)| n)
    }

    /// The state with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, n)| *n == name).map(|(s, _)| *s)
    }
}

/// A delivery in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryRow {
    /// Its number.
    pub seq: Seq,
    /// From where.
    pub forge: ForgeName,
    /// The hook that sent it.
    pub hook: String,
    /// The forge's id for it.
    pub delivery: String,
    /// The forge's event name.
    pub event: String,
    /// The payload's action.
    pub action: Option<String>,
    /// The repository it concerns.
    pub repo: Option<u64>,
    /// The repository that an alert is for, by name.
    #[serde(default)]
    pub target: Option<String>,
    /// The installation it names.
    pub installation: Option<InstallationId>,
    /// When it was received.
    pub received_at: Timestamp,
    /// When it was decided.
    pub decided_at: Option<Timestamp>,
    /// What became of it.
    pub state: DeliveryState,
    /// What it moved, or why it was ignored, quarantined or given up.
    pub note: String,
    /// How often deciding on it was tried.
    pub attempts: u32,
}

/// A delivery, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDelivery {
    /// What a list shows.
    pub row: DeliveryRow,
    /// The raw body.
    pub body: Bytes,
}

/// Which deliveries to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// Only this state.
    pub state: Option<DeliveryState>,
    /// Only this event.
    pub event: Option<String>,
    /// Only this repository.
    pub repo: Option<u64>,
    /// Only with this delivery id.
    pub delivery: Option<String>,
    /// At most so many; 0 means 50.
    pub limit: usize,
}

/// A repository's place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryRow {
    /// Which.
    pub repo: RepoKey,
    /// Its present `owner/name`.
    pub full_name: String,
    /// The installation that serves it.
    pub installation: Option<InstallationId>,
    /// We may act there: installed, not suspended, not deleted, not archived.
    pub active: bool,
}

/// A kept value under a key of its repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its key, such as `item/12`.
    pub key: String,
    /// JSON; `None` deletes it.
    pub body: Option<String>,
}

/// What is derived for an item, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemRow {
    /// The item.
    pub item: ItemNumber,
    /// Its phase, if it has one.
    pub phase: Option<String>,
    /// Since when.
    pub since: Option<Timestamp>,
    /// The whole derivation, as JSON.
    pub derived: String,
}

/// An effect to be queued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEffect {
    /// Idempotency key, unique within the repository.
    pub key: String,
    /// A queued row with this key is replaced by this one (desired state);
    /// otherwise a key that was ever used is never queued again.
    pub replaces: bool,
    /// In whose name.
    pub installation: InstallationId,
    /// What to do.
    pub effect: Effect,
    /// The delivery that caused it, for the logs.
    pub cause: Option<Seq>,
}

/// A decision, to be kept whole.
#[derive(Debug, Clone, Default)]
pub struct Commit {
    /// The repository decided on.
    pub repo: Option<RepoKey>,
    /// When. Needed with deliveries, effects and cancelled effects.
    pub now: Option<Timestamp>,
    /// Deliveries that it ends, or tries again (`Pending` counts an attempt).
    /// One that does not wait any more, such as one dropped by hand, stays as it is.
    pub deliveries: Vec<(Seq, DeliveryState, String)>,
    /// Changes to the map of repositories.
    pub repositories: Vec<RepositoryRow>,
    /// Facts that changed.
    pub facts: Vec<Document>,
    /// Items whose derivation changed.
    pub items: Vec<ItemRow>,
    /// New histories of these items: each replaces all that was logged since
    /// its first transition. An empty one replaces nothing.
    pub histories: Vec<(ItemNumber, Vec<Transition>)>,
    /// Effects to queue.
    pub effects: Vec<NewEffect>,
    /// Effects to drop, by key, if they have not ended (the state wanted is the
    /// state shown). Done before `effects` are queued. One that is being sent
    /// is not tried again; what its answer teaches is still kept.
    pub cancel_effects: Vec<String>,
    /// Timers to set (`Some`) or stop (`None`), by item.
    pub timers: Vec<(ItemNumber, Option<Timestamp>)>,
}

/// An effect as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEffect {
    /// Its number: order of queueing.
    pub id: EffectId,
    /// Counts replacements of the row.
    pub version: u64,
    /// The repository.
    pub repo: RepoKey,
    /// Idempotency key.
    pub key: String,
    /// In whose name.
    pub installation: InstallationId,
    /// Its lane.
    pub lane: Lane,
    /// What to do.
    pub effect: Effect,
    /// How it stands.
    pub state: EffectState,
    /// Attempts so far.
    pub attempts: u32,
    /// When it was queued.
    pub created_at: Timestamp,
    /// Not to be tried before.
    pub not_before: Timestamp,
    /// The last error, or what was made.
    pub note: String,
    /// The delivery that caused it.
    pub cause: Option<Seq>,
}

/// How an effect stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EffectState {
    /// Waits.
    Queued,
    /// Was about to be sent; after a crash, in doubt.
    Sending,
    /// Done.
    Done,
    /// Given up.
    Dead,
    /// No longer wanted, or impossible by nature (item gone, App removed).
    Dropped,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EffectEnd {
    /// Done; what was made.
    Done {
        /// Id or address of what was made; may be empty.
        note: String,
        /// When.
        at: Timestamp,
    },
    /// To be tried again.
    Retry {
        /// Not before.
        not_before: Timestamp,
        /// Why it failed.
        error: String,
        /// It may have gone through.
        in_doubt: bool,
        /// Whether this counts as an attempt (a rate limit does not).
        counts: bool,
    },
    /// Given up.
    Dead {
        /// Why.
        error: String,
        /// When.
        at: Timestamp,
    },
    /// Not wanted any more.
    Dropped {
        /// Why.
        reason: String,
        /// When.
        at: Timestamp,
    },
}

/// A timer that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timer {
    /// The repository.
    pub repo: RepoKey,
    /// The item.
    pub item: ItemNumber,
    /// When it was due.
    pub at: Timestamp,
}

/// Figures about the store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Deliveries that wait.
    pub pending: u64,
    /// When the oldest of them was received.
    pub oldest_pending: Option<Timestamp>,
    /// Deliveries quarantined.
    pub quarantined: u64,
    /// Deliveries given up.
    pub dead_deliveries: u64,
    /// Effects that wait, by lane (safety, conversation, labels).
    pub queued_effects: [u64; 3],
    /// Effects given up.
    pub dead_effects: u64,
}

/// Why the store did not do as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It can't at the moment: full disk, lost connection, overload. Nothing was kept.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// What it holds makes no sense to this version.
    #[error("the store holds something unreadable: {0}")]
    Corrupt(String),
    /// What was asked makes no sense: a defect of the caller. Nothing was kept.
    #[error("the store was asked for something that makes no sense: {0}")]
    Invalid(String),
}
