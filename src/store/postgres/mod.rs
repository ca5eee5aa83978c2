//! Store on PostgreSQL: one database, any number of replicas and no leader.
//!
//! Each opened store is a replica. A replica decides only under a lease
//! (`lease.rs`); taking deliveries in needs none (`ingest.rs`). Replicas do not
//! wake each other: they poll. Nothing lasts longer than its transaction, so
//! that a connection pooler may be used (`db.rs`). Times are stored in whole
//! milliseconds.

mod budget;
mod connect;
mod db;
mod decision;
mod erase;
mod error;
#[cfg(test)]
mod gone;
mod inbox;
mod ingest;
mod insight;
mod lease;
mod memo;
mod notice;
mod outbox;
mod pages;
#[cfg(test)]
mod plan;
mod repo;
mod schema;
mod timer;
mod upkeep;
mod value;

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;

pub use crate::store::postgres::pages::PostgresPages;
use crate::{
    domain::{
        derived::Transition,
        id::{ConnectionId, ForgeName, ItemId, RepoKey},
        insight::InsightRow,
    },
    port::store::{
        Accepted, BudgetRow, Commit, DeliveryFilter, DeliveryRow, Document, EffectEnd, EffectId, InsightPage, Lease,
        LeaseKey, NewDelivery, NoticeEnd, NoticeId, NoticeStep, Partition, Pending, RepositoryRow, Seq, Store,
        StoreError, StoreStats, StoredDelivery, StoredEffect, StoredItem, StoredNotice, Timer,
    },
    store::{
        Migration, OpenError,
        pack::pack,
        postgres::{connect::Address, db::Db, ingest::Ingest},
    },
};

/// Store of one replica in a PostgreSQL database.
pub struct PostgresStore {
    db: Db,
    ingest: Ingest,
    /// Random number drawn at the start: a restarted process is another replica.
    replica: i64,
    /// Key after which the next claim continues, so that each partition has its turn.
    claimed: Mutex<Option<LeaseKey>>,
}

impl PostgresStore {
    /// Connects to the database that `url` names, and migrates its schema. Must be
    /// called within a Tokio runtime.
    pub async fn open(url: &str) -> Result<Self, OpenError> {
        Self::open_with(url, Migration::WithoutBackup).await
    }

    /// Connects like [`PostgresStore::open`], and treats an older schema as `migration` says.
    pub async fn open_with(url: &str, migration: Migration) -> Result<Self, OpenError> {
        let address = Address::parse(url)?;
        let db = Db::new(address.pool()?);
        schema::migrate(&db, &address.shown(), migration).await?;
        let ingest = Ingest::start(db.clone());
        Ok(Self { db, ingest, replica: rand::random(), claimed: Mutex::default() })
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn accept(&self, delivery: NewDelivery) -> Result<Accepted, StoreError> {
        let accepted = self.ingest.accept(vec![delivery]).await?;
        accepted.first().copied().ok_or_else(|| StoreError::Unavailable("taking in gave no answer".to_owned()))
    }

    async fn accept_all(&self, deliveries: Vec<NewDelivery>) -> Result<Vec<Accepted>, StoreError> {
        self.ingest.accept(deliveries).await
    }

    async fn pending(&self, after: Seq, limit: usize) -> Result<Vec<Pending>, StoreError> {
        inbox::pending(&self.db, after, limit).await
    }

    async fn delivery(&self, seq: Seq) -> Result<Option<StoredDelivery>, StoreError> {
        inbox::delivery(&self.db, seq).await
    }

    async fn taken_in(&self, forge: &ForgeName, deliveries: &[String]) -> Result<BTreeSet<String>, StoreError> {
        inbox::taken_in(&self.db, forge, deliveries).await
    }

    async fn deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<DeliveryRow>, StoreError> {
        inbox::deliveries(&self.db, filter).await
    }

    async fn replay(&self, seq: Seq) -> Result<bool, StoreError> {
        inbox::replay(&self.db, seq).await
    }

    async fn drop_delivery(&self, seq: Seq, why: &str) -> Result<bool, StoreError> {
        inbox::drop_delivery(&self.db, seq, why).await
    }

    async fn repository(&self, repo: &RepoKey) -> Result<Option<RepositoryRow>, StoreError> {
        repo::repository(&self.db, repo).await
    }

    async fn repository_named(&self, forge: &ForgeName, full_name: &str) -> Result<Option<RepositoryRow>, StoreError> {
        repo::repository_named(&self.db, forge, full_name).await
    }

    async fn repositories(
        &self,
        forge: &ForgeName,
        installation: ConnectionId,
    ) -> Result<Vec<RepositoryRow>, StoreError> {
        repo::repositories(&self.db, forge, installation).await
    }

    async fn facts(&self, repo: &RepoKey) -> Result<Vec<Document>, StoreError> {
        repo::facts(&self.db, repo).await
    }

    async fn items(&self, repo: &RepoKey) -> Result<Vec<StoredItem>, StoreError> {
        repo::items(&self.db, repo).await
    }

    async fn transitions(&self, repo: &RepoKey, item: ItemId) -> Result<Vec<Transition>, StoreError> {
        repo::transitions(&self.db, repo, item).await
    }

    async fn insight(&self, repo: &RepoKey, page: &InsightPage) -> Result<Vec<InsightRow>, StoreError> {
        insight::page(&self.db, repo, page).await
    }

    async fn all_repositories(&self) -> Result<Vec<RepositoryRow>, StoreError> {
        insight::repositories(&self.db).await
    }

    async fn erase(&self, repo: &RepoKey, before: Seq, why: &str) -> Result<(), StoreError> {
        let empty = pack(Bytes::from_static(b"{}")).await?;
        erase::erase(&self.db, repo, (before, why), &empty, self.replica).await
    }

    async fn commit(&self, commit: Commit) -> Result<(), StoreError> {
        decision::keep(&self.db, &commit, self.replica).await
    }

    async fn due_effects(&self, now: Timestamp, per_lane: usize) -> Result<Vec<StoredEffect>, StoreError> {
        outbox::due(&self.db, now, per_lane, self.replica).await
    }

    async fn is_live(&self, id: EffectId, version: u64) -> Result<bool, StoreError> {
        outbox::is_live(&self.db, id, version).await
    }

    async fn next_effect_at(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        outbox::next_at(&self.db, now).await
    }

    async fn mark_sending(&self, id: EffectId, version: u64, under: &[Lease]) -> Result<bool, StoreError> {
        decision::mark_sending(&self.db, (id, version), under, self.replica).await
    }

    async fn finish_effect(
        &self,
        id: EffectId,
        version: u64,
        end: EffectEnd,
        repo: &RepoKey,
        facts: Vec<Document>,
        under: &[Lease],
    ) -> Result<(), StoreError> {
        decision::finish(&self.db, (id, version), &end, (repo, &facts), under, self.replica).await
    }

    async fn effects(&self, dead_only: bool, limit: usize) -> Result<Vec<StoredEffect>, StoreError> {
        outbox::effects(&self.db, dead_only, limit).await
    }

    async fn due_notices(&self, now: Timestamp, per_target: usize) -> Result<Vec<StoredNotice>, StoreError> {
        notice::due(&self.db, now, per_target).await
    }

    async fn next_notice_at(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        notice::next_at(&self.db, now).await
    }

    async fn mark_notice(
        &self,
        id: NoticeId,
        version: u64,
        step: NoticeStep,
        under: &[Lease],
    ) -> Result<bool, StoreError> {
        decision::mark_notice(&self.db, (id, version), step, under, self.replica).await
    }

    async fn finish_notice(&self, id: NoticeId, version: u64, end: NoticeEnd) -> Result<(), StoreError> {
        notice::finish(&self.db, id, version, &end).await
    }

    async fn notices(&self, limit: usize) -> Result<Vec<StoredNotice>, StoreError> {
        notice::notices(&self.db, limit).await
    }

    async fn due_timers(&self, now: Timestamp, limit: usize) -> Result<Vec<Timer>, StoreError> {
        timer::due(&self.db, now, limit, self.replica).await
    }

    async fn next_timer_at(&self) -> Result<Option<Timestamp>, StoreError> {
        timer::next(&self.db).await
    }

    async fn memo(&self, name: &str) -> Result<Option<String>, StoreError> {
        memo::read(&self.db, name).await
    }

    async fn note(&self, name: &str, value: Option<&str>) -> Result<(), StoreError> {
        memo::note(&self.db, name, value).await
    }

    async fn prune(&self, before: Timestamp, limit: usize) -> Result<u64, StoreError> {
        upkeep::prune(&self.db, before, limit).await
    }

    async fn stats(&self) -> Result<StoreStats, StoreError> {
        upkeep::stats(&self.db).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.db
            .rows("SELECT 1 WHERE NOT pg_is_in_recovery()", &[])
            .await?
            .first()
            .map(|_| ())
            .ok_or_else(|| StoreError::Unavailable("PostgreSQL is a standby, which takes no writes".to_owned()))
    }

    fn is_shared(&self) -> bool {
        true
    }

    async fn lease(&self, keys: &[LeaseKey]) -> Result<Vec<Lease>, StoreError> {
        lease::take(&self.db, lease::TAKE, keys, self.replica).await
    }

    async fn seize(&self, keys: &[LeaseKey]) -> Result<Vec<Lease>, StoreError> {
        lease::take(&self.db, lease::SEIZE, keys, self.replica).await
    }

    async fn give_back(&self, keys: Option<&[LeaseKey]>) -> Result<(), StoreError> {
        lease::give_back(&self.db, keys, self.replica).await
    }

    async fn claim(&self, most: usize) -> Result<Vec<Lease>, StoreError> {
        let from = self.claimed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut free = lease::free(&self.db, most, from.as_ref()).await?;
        if free.len() < most && from.is_some() {
            for key in lease::free(&self.db, most - free.len(), None).await? {
                if !free.contains(&key) {
                    free.push(key);
                }
            }
        }
        if free.is_empty() {
            return Ok(Vec::new());
        }
        self.claimed.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&free.last().cloned());
        self.lease(&free).await
    }

    async fn claimed(&self, of: &[Partition], after: Seq, limit: usize) -> Result<Vec<Pending>, StoreError> {
        lease::claimed(&self.db, of, after, limit).await
    }

    async fn budget(&self, forge: &ForgeName, installation: ConnectionId) -> Result<Option<BudgetRow>, StoreError> {
        budget::budget(&self.db, forge, installation).await
    }

    async fn keep_budget(
        &self,
        forge: &ForgeName,
        installation: ConnectionId,
        spent: Option<String>,
        parked_until: Timestamp,
    ) -> Result<(), StoreError> {
        budget::keep(&self.db, forge, installation, spent, parked_until).await
    }
}
