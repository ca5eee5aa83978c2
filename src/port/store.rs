//! Where everything is kept.
//!
//! What returns `Ok` is on disk. One call is one transaction: all of it or
//! nothing. Implementations may gather several calls into one commit. Times
//! are kept in whole milliseconds.

use std::collections::BTreeSet;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use super::{
    inbox::{Accepted, DeliveryFilter, DeliveryRow, DeliveryState, NewDelivery, Partition, Pending, StoredDelivery},
    lease::{BudgetRow, Lease, LeaseKey},
    outbox::{EffectEnd, EffectState, NewEffect, StoredEffect},
};
pub use crate::domain::derived::StoredItem;
use crate::domain::{
    derived::Transition,
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
    async fn items(&self, repo: &RepoKey) -> Result<Vec<StoredItem>, StoreError>;

    /// The transition log of one item, oldest first.
    async fn transitions(&self, repo: &RepoKey, item: ItemNumber) -> Result<Vec<Transition>, StoreError>;

    /// Deletes what is kept of a repository: facts, items with their history,
    /// effects, timers, the bodies of its deliveries that were taken in before
    /// `before`. Those of them that are open are dropped; all keep their ids,
    /// so that a redelivery is known, and have `why` as their note. Its place stays.
    async fn erase(&self, repo: &RepoKey, before: Seq, why: &str) -> Result<(), StoreError>;

    // ── Decisions ──

    /// Keeps a decision whole: facts, items, transitions, effects, timers, and the deliveries it ends.
    /// Refused if one of the leases that it names is lost.
    async fn commit(&self, commit: Commit) -> Result<(), StoreError>;

    // ── Outbox ──

    /// Effects that may be tried at `now`, at most `per_lane` of each lane of
    /// each installation, so that a long line in one hides none in another: by
    /// lane, then oldest first. Effects left `sending` by a crash are among them;
    /// those whose repository or installation another process has the lease of
    /// are not.
    async fn due_effects(&self, now: Timestamp, per_lane: usize) -> Result<Vec<StoredEffect>, StoreError>;

    /// Whether an effect, in this version, has neither ended nor been replaced.
    async fn is_live(&self, id: EffectId, version: u64) -> Result<bool, StoreError>;

    /// When the next effect that is not yet due becomes so.
    async fn next_effect_at(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError>;

    /// Notes that an effect is about to be sent, so that a crash leaves a doubt and not a silence.
    /// Refused if one of the leases is lost.
    async fn mark_sending(&self, id: EffectId, version: u64, under: &[Lease]) -> Result<bool, StoreError>;

    /// Ends or postpones an attempt. Facts learnt from the answer are kept in
    /// the same transaction. A row that was replaced meanwhile (another
    /// `version`) stays queued; the facts are kept all the same. Refused if
    /// one of the leases is lost.
    async fn finish_effect(
        &self,
        id: EffectId,
        version: u64,
        end: EffectEnd,
        repo: &RepoKey,
        facts: Vec<Document>,
        under: &[Lease],
    ) -> Result<(), StoreError>;

    /// Lists effects, newest first, optionally only dead ones.
    async fn effects(&self, dead_only: bool, limit: usize) -> Result<Vec<StoredEffect>, StoreError>;

    // ── Timers ──

    /// Timers due at `now`, oldest first, but for repositories that another
    /// process has the lease of.
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

    // ── Leases and limits ──
    //
    // What follows is for stores that several processes work on side by side.
    // One that belongs to a single process keeps what is written here: whoever
    // asks for a lease has it, under epoch 0, for as long as it runs.

    /// Whether other processes may decide on the same database beside this one.
    fn is_shared(&self) -> bool {
        false
    }

    /// Takes the leases among `keys` that are free, and prolongs those that
    /// this process has; returns both. What is missing, another process has,
    /// or is just being written under: ask again. An epoch changes whenever
    /// its lease goes to another process.
    async fn lease(&self, keys: &[LeaseKey]) -> Result<Vec<Lease>, StoreError> {
        Ok(keys.iter().cloned().map(Lease::sole).collect())
    }

    /// Takes all of `keys`, whoever has them: their commits will be refused.
    async fn seize(&self, keys: &[LeaseKey]) -> Result<Vec<Lease>, StoreError> {
        Ok(keys.iter().cloned().map(Lease::sole).collect())
    }

    /// Gives back the leases among `keys` that this process has; `None`: all that it has.
    async fn give_back(&self, _keys: Option<&[LeaseKey]>) -> Result<(), StoreError> {
        Ok(())
    }

    /// Takes up to `most` free leases of partitions in which deliveries wait.
    async fn claim(&self, _most: usize) -> Result<Vec<Lease>, StoreError> {
        Ok(Vec::new())
    }

    /// Like [`Store::pending`], but only of these partitions. A store of one
    /// process gives all: it has every lease.
    async fn claimed(&self, _of: &[Partition], after: Seq, limit: usize) -> Result<Vec<Pending>, StoreError> {
        self.pending(after, limit).await
    }

    /// What an installation has used of its forge's limits, if that is known.
    async fn budget(&self, _forge: &ForgeName, _installation: InstallationId) -> Result<Option<BudgetRow>, StoreError> {
        Ok(None)
    }

    /// Keeps what an installation has used. `None` for `spent` leaves that as
    /// it is; `parked_until` never goes back.
    async fn keep_budget(
        &self,
        _forge: &ForgeName,
        _installation: InstallationId,
        _spent: Option<String>,
        _parked_until: Timestamp,
    ) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Order of arrival.
pub type Seq = u64;

/// An effect's number.
pub type EffectId = u64;

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

/// A decision, to be kept whole.
#[derive(Debug, Clone, Default)]
pub struct Commit {
    /// The leases under which it was reached. Facts that are kept without that
    /// of their repository take it from whoever has it: what others read before is void.
    pub under: Vec<Lease>,
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
    pub items: Vec<StoredItem>,
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
    /// When the oldest of them was received, without alerts whose target is not known yet.
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
    /// Another process has the lease by now: what was read under it is void. Nothing was kept.
    #[error("another replica works on it: {0}")]
    LeaseLost(String),
    /// What it holds makes no sense to this version.
    #[error("the store holds something unreadable: {0}")]
    Corrupt(String),
    /// What was asked makes no sense: a defect of the caller. Nothing was kept.
    #[error("the store was asked for something that makes no sense: {0}")]
    Invalid(String),
}
