//! The store.
//!
//! A call that returns `Ok` is on disk. One call is one transaction, applied completely or not at
//! all. Implementations may combine several calls into one commit. Times are stored in whole
//! milliseconds.

use crate::domain::{
    derived::Transition,
    id::{ConnectionId, ForgeName, ItemId, RepoKey},
    insight::{InsightRow, RowGroup, RowKind},
    timer::TimerKey,
};
use std::collections::BTreeSet;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use crate::domain::derived::StoredItem;
pub use crate::port::{
    inbox::{
        Accepted, DeliveryFilter, DeliveryRow, DeliveryState, NewDelivery, Partition, Pending, Seq, StoredDelivery,
    },
    lease::{BudgetRow, Lease, LeaseKey},
    notify::{Learnt, NewNotice, NoticeEnd, NoticeId, NoticeOutcome, NoticeStep, StoredNotice},
    outbox::{EffectEnd, EffectId, EffectState, NewEffect, StoredEffect},
};

/// A store. The module's documentation defines what `Ok` guarantees.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    // ── Inbox ──

    /// Stores a delivery, once per (forge, hook, delivery id).
    async fn accept(&self, delivery: NewDelivery) -> Result<Accepted, StoreError>;

    /// Stores several deliveries, all of them or none.
    async fn accept_all(&self, deliveries: Vec<NewDelivery>) -> Result<Vec<Accepted>, StoreError>;

    /// Lists deliveries not yet decided, in order of arrival, after `after`; without alerts whose
    /// target is not known yet.
    async fn pending(&self, after: Seq, limit: usize) -> Result<Vec<Pending>, StoreError>;

    /// Returns one delivery with its body.
    async fn delivery(&self, seq: Seq) -> Result<Option<StoredDelivery>, StoreError>;

    /// Returns those of a forge's delivery ids that are stored, from any of its hooks.
    async fn taken_in(&self, forge: &ForgeName, deliveries: &[String]) -> Result<BTreeSet<String>, StoreError>;

    /// Lists deliveries, newest first.
    async fn deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<DeliveryRow>, StoreError>;

    /// Returns a decided, quarantined, dead or dropped delivery to pending, under its old number
    /// and with no attempts. `false` if there is none.
    async fn replay(&self, seq: Seq) -> Result<bool, StoreError>;

    /// Ends an open delivery at an operator's request. `false` if there is none.
    async fn drop_delivery(&self, seq: Seq, why: &str) -> Result<bool, StoreError>;

    // ── Repositories ──

    /// Returns a repository's binding; `None` if it is unknown.
    async fn repository(&self, repo: &RepoKey) -> Result<Option<RepositoryRow>, StoreError>;

    /// Returns the repository that has this name now, or had it last; names are compared without
    /// case.
    async fn repository_named(&self, forge: &ForgeName, full_name: &str) -> Result<Option<RepositoryRow>, StoreError>;

    /// Lists all repositories that an installation covers.
    async fn repositories(
        &self,
        forge: &ForgeName,
        installation: ConnectionId,
    ) -> Result<Vec<RepositoryRow>, StoreError>;

    /// Returns all fact documents of a repository.
    async fn facts(&self, repo: &RepoKey) -> Result<Vec<Document>, StoreError>;

    /// Returns the derived rows of a repository's items.
    async fn items(&self, repo: &RepoKey) -> Result<Vec<StoredItem>, StoreError>;

    /// Returns the transition log of one item, oldest first.
    async fn transitions(&self, repo: &RepoKey, item: ItemId) -> Result<Vec<Transition>, StoreError>;

    // ── Delivery metrics ──

    /// Returns a page of a repository's rows for delivery metrics, by time, owner and part.
    async fn insight(&self, repo: &RepoKey, page: &InsightPage) -> Result<Vec<InsightRow>, StoreError>;

    /// Lists every repository.
    async fn all_repositories(&self) -> Result<Vec<RepositoryRow>, StoreError>;

    /// Deletes what is kept of a repository: facts, items with their history, rows for delivery
    /// metrics, effects, timers, the bodies of its deliveries that were taken in before
    /// `before`. Those of them that are open are dropped; all keep their ids,
    /// so that a redelivery is known, and have `why` as their note. Its place stays.
    async fn erase(&self, repo: &RepoKey, before: Seq, why: &str) -> Result<(), StoreError>;

    // ── Decisions ──

    /// Stores a whole decision: facts, items, transitions, effects, timers, and the deliveries that
    /// it ends. Refused if one of its leases is lost.
    async fn commit(&self, commit: Commit) -> Result<(), StoreError>;

    // ── Outbox ──

    /// Lists effects that may be tried at `now`, at most `per_lane` of each lane of each
    /// installation, so that a long queue in one hides none in another: by lane, then oldest first.
    /// Includes effects left `sending` by a crash; excludes those for whose repository or
    /// installation another process holds the lease.
    async fn due_effects(&self, now: Timestamp, per_lane: usize) -> Result<Vec<StoredEffect>, StoreError>;

    /// Returns whether an effect, in this version, has neither ended nor been replaced.
    async fn is_live(&self, id: EffectId, version: u64) -> Result<bool, StoreError>;

    /// Returns when the next effect that is not yet due becomes due.
    async fn next_effect_at(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError>;

    /// Records that an effect is about to be sent, so that after a crash it is in doubt. Refused if
    /// one of the leases is lost.
    async fn mark_sending(&self, id: EffectId, version: u64, under: &[Lease]) -> Result<bool, StoreError>;

    /// Ends or postpones an attempt. Facts learnt from the answer are stored in the same
    /// transaction. A row that was replaced meanwhile (another `version`) stays queued; the facts
    /// are stored nevertheless. Refused if one of the leases is lost.
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

    // ── Notices ──

    /// Lists notices that may be tried at `now`, at most `per_target` of each target, oldest first.
    /// Includes those left `sending` by a crash.
    async fn due_notices(&self, now: Timestamp, per_target: usize) -> Result<Vec<StoredNotice>, StoreError>;

    /// Returns when the next notice that is not yet due becomes due.
    async fn next_notice_at(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError>;

    /// Records that a request about a notice is about to be sent. `false` if it was replaced or has
    /// ended. Refused if one of the leases is lost.
    async fn mark_notice(
        &self,
        id: NoticeId,
        version: u64,
        step: NoticeStep,
        under: &[Lease],
    ) -> Result<bool, StoreError>;

    /// Ends or postpones an attempt. If the notice was replaced meanwhile, only what was learnt is
    /// kept, and the newer one stays queued.
    async fn finish_notice(&self, id: NoticeId, version: u64, end: NoticeEnd) -> Result<(), StoreError>;

    /// Lists notices, newest first.
    async fn notices(&self, limit: usize) -> Result<Vec<StoredNotice>, StoreError>;

    // ── Timers ──

    /// Lists timers due at `now`, oldest first, except for repositories whose lease another process
    /// holds.
    async fn due_timers(&self, now: Timestamp, limit: usize) -> Result<Vec<Timer>, StoreError>;

    /// Returns when the next timer is due.
    async fn next_timer_at(&self) -> Result<Option<Timestamp>, StoreError>;

    // ── Memos ──

    /// Returns the value stored under this name: small values of the program itself, such as how
    /// far it has caught up.
    async fn memo(&self, name: &str) -> Result<Option<String>, StoreError>;

    /// Stores a value under a name; `None` deletes it.
    async fn note(&self, name: &str, value: Option<&str>) -> Result<(), StoreError>;

    // ── Maintenance ──

    /// Deletes decided deliveries and ended effects older than `before`, at most `limit` rows of
    /// each; returns how many were deleted. Never deletes pending, quarantined or dead ones. A
    /// deleted delivery or key counts as new again, so `before` must lie further back than any
    /// possible replay.
    async fn prune(&self, before: Timestamp, limit: usize) -> Result<u64, StoreError>;

    /// Returns statistics for `/metrics`.
    async fn stats(&self) -> Result<StoreStats, StoreError>;

    /// Returns an error unless the store answers.
    async fn ping(&self) -> Result<(), StoreError>;

    // ── Leases and limits ──
    //
    // The following methods are for stores that several processes share. The defaults are for a
    // store of a single process: every request for a lease succeeds, under epoch 0, for as long as
    // the process runs.

    /// Returns whether other processes may decide on the same database at the same time.
    fn is_shared(&self) -> bool {
        false
    }

    /// Takes the leases among `keys` that are free, and prolongs those that this process holds;
    /// returns both. Missing ones are held by another process, or are in use by a write at this
    /// time: ask again. An epoch changes whenever its lease goes to another process.
    async fn lease(&self, keys: &[LeaseKey]) -> Result<Vec<Lease>, StoreError> {
        Ok(keys.iter().cloned().map(Lease::sole).collect())
    }

    /// Takes all of `keys` from any owner, whose commits will be refused.
    async fn seize(&self, keys: &[LeaseKey]) -> Result<Vec<Lease>, StoreError> {
        Ok(keys.iter().cloned().map(Lease::sole).collect())
    }

    /// Releases the leases among `keys` that this process holds; `None` releases all of them.
    async fn give_back(&self, _keys: Option<&[LeaseKey]>) -> Result<(), StoreError> {
        Ok(())
    }

    /// Takes up to `most` free leases of partitions with pending deliveries.
    async fn claim(&self, _most: usize) -> Result<Vec<Lease>, StoreError> {
        Ok(Vec::new())
    }

    /// Like [`Store::pending`], but only of these partitions. A store of one process returns all,
    /// because it holds every lease.
    async fn claimed(&self, _of: &[Partition], after: Seq, limit: usize) -> Result<Vec<Pending>, StoreError> {
        self.pending(after, limit).await
    }

    /// Returns an installation's use of its forge's limits, if it is known.
    async fn budget(&self, _forge: &ForgeName, _installation: ConnectionId) -> Result<Option<BudgetRow>, StoreError> {
        Ok(None)
    }

    /// Stores an installation's use of its limits. `None` for `spent` leaves that unchanged;
    /// `parked_until` never decreases.
    async fn keep_budget(
        &self,
        _forge: &ForgeName,
        _installation: ConnectionId,
        _spent: Option<String>,
        _parked_until: Timestamp,
    ) -> Result<(), StoreError> {
        Ok(())
    }
}

/// A repository's binding: its name and installation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryRow {
    /// The repository.
    pub repo: RepoKey,
    /// Its current `owner/name`.
    pub full_name: String,
    /// The installation that covers it.
    pub installation: Option<ConnectionId>,
    /// Whether we may act there: installed, not suspended, not deleted, not archived.
    pub active: bool,
}

/// A value stored under a key of its repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its key, such as `item/12`.
    pub key: String,
    /// JSON; `None` deletes it.
    pub body: Option<String>,
}

/// A decision, stored as a whole.
#[derive(Debug, Clone, Default)]
pub struct Commit {
    /// The leases under which it was made. Storing facts without their repository's lease takes it
    /// from its owner, because what others read before is now outdated.
    pub under: Vec<Lease>,
    /// The repository decided on.
    pub repo: Option<RepoKey>,
    /// Time of the decision. Required with deliveries, effects and cancelled effects.
    pub now: Option<Timestamp>,
    /// Deliveries that it ends, or tries again (`Pending` counts an attempt). One that is no longer
    /// pending, such as one dropped by hand, stays unchanged.
    pub deliveries: Vec<(Seq, DeliveryState, String)>,
    /// Changed repository bindings.
    pub repositories: Vec<RepositoryRow>,
    /// Facts that changed.
    pub facts: Vec<Document>,
    /// Items whose derivation changed.
    pub items: Vec<StoredItem>,
    /// New histories of these items: each replaces the log from its first transition on. An empty
    /// one replaces nothing.
    pub histories: Vec<(ItemId, Vec<Transition>)>,
    /// Rows for delivery metrics: each group replaces the rows of its owner.
    pub insight: Vec<RowGroup>,
    /// Effects to queue.
    pub effects: Vec<NewEffect>,
    /// Keys of effects to drop, if they have not ended (the desired state is already shown). Done
    /// before `effects` are queued. One that is being sent is not tried again; facts from its
    /// answer are still stored.
    pub cancel_effects: Vec<String>,
    /// Notices to queue.
    pub notices: Vec<NewNotice>,
    /// Timers to set (`Some`) or stop (`None`).
    pub timers: Vec<(TimerKey, Option<Timestamp>)>,
}

impl Commit {
    /// Returns whether it changes what pages are made of.
    pub fn changes_data(&self) -> bool {
        !(self.facts.is_empty() && self.items.is_empty() && self.histories.is_empty() && self.insight.is_empty())
    }
}

/// A page of rows for delivery metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InsightPage {
    /// Their kind.
    pub kind: RowKind,
    /// The time from which rows are read.
    pub since: Timestamp,
    /// Time, owner and part of the last row of the page before; `None` for the first page.
    pub after: Option<(Timestamp, String, String)>,
    /// Most rows of a page.
    pub limit: usize,
}

impl InsightPage {
    /// Returns the position after which it begins: time in milliseconds, owner and part.
    pub fn position(&self) -> (i64, &str, &str) {
        match &self.after {
            Some((at, owner, part)) => (at.as_millisecond(), owner, part),
            None => (self.since.as_millisecond().saturating_sub(1), "\u{10ffff}", ""),
        }
    }
}

/// A timer that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timer {
    /// The repository.
    pub repo: RepoKey,
    /// Its owner there.
    pub key: TimerKey,
    /// Its due time.
    pub at: Timestamp,
}

/// Statistics of the store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Pending deliveries.
    pub pending: u64,
    /// When the oldest of them was received, without alerts whose target is not known yet.
    pub oldest_pending: Option<Timestamp>,
    /// Quarantined deliveries.
    pub quarantined: u64,
    /// Dead deliveries.
    pub dead_deliveries: u64,
    /// Queued effects, by lane (safety, conversation, labels).
    pub queued_effects: [u64; 3],
    /// Dead effects.
    pub dead_effects: u64,
}

/// Errors of the store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Temporarily unavailable: full disk, lost connection, overload. Nothing was stored.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// Another process holds the lease by now, so what was read under it is outdated. Nothing was
    /// stored.
    #[error("another replica works on it: {0}")]
    LeaseLost(String),
    /// The store contains data that this version cannot read.
    #[error("the store holds something unreadable: {0}")]
    Corrupt(String),
    /// The request is invalid: a bug in the caller. Nothing was stored.
    #[error("the store was asked for something that makes no sense: {0}")]
    Invalid(String),
}
