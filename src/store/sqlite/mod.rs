//! Store on SQLite: one file, one writing thread per process, a few readers.
//!
//! Other processes may open the same file, so this code does not assume to be
//! the only writer. Times are stored in whole milliseconds.

mod backup;
mod budget;
mod connection;
mod decision;
mod erase;
mod error;
mod file;
mod inbox;
mod insight;
mod memo;
mod notice;
mod outbox;
mod pages;
#[cfg(test)]
mod plan;
mod reader;
mod repo;
mod schema;
mod timer;
mod upkeep;
mod value;
mod writer;

use std::{collections::BTreeSet, path::Path, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;

pub use crate::store::sqlite::pages::SqlitePages;
pub use crate::store::sqlite::{
    backup::BackupError,
    file::{back_up, look},
};
use crate::{
    domain::{
        derived::Transition,
        id::{ConnectionId, ForgeName, ItemId, RepoKey},
        insight::InsightRow,
    },
    port::store::{
        Accepted, BudgetRow, Commit, DeliveryFilter, DeliveryRow, Document, EffectEnd, EffectId, InsightPage, Lease,
        NewDelivery, NoticeEnd, NoticeId, NoticeStep, Pending, RepositoryRow, Seq, Store, StoreError, StoreStats,
        StoredDelivery, StoredEffect, StoredItem, StoredNotice, Timer,
    },
    store::{
        Migration, OpenError,
        pack::pack,
        sqlite::{connection::Role, reader::Readers, writer::Writer},
    },
};

/// Connections for reading. More would only compete for the same processors.
const READERS: usize = 3;

/// Options for the database file.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// Time to wait for another process that writes.
    pub busy_timeout: Duration,
    /// Writes that may wait; a delivery beyond that is refused.
    pub queue: usize,
    /// Largest size of the database in pages of 4 KiB; `None`: only the disk limits it.
    pub max_pages: Option<u32>,
    /// Treatment of an older schema.
    pub migration: Migration,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self { busy_timeout: Duration::from_secs(5), queue: 1024, max_pages: None, migration: Migration::AfterBackup }
    }
}

/// Store in one SQLite file. Dropping it finishes pending writes and closes the file.
pub struct SqliteStore {
    // Closed before the writer: the last connection to close checkpoints the log.
    readers: Readers,
    writer: Writer,
}

impl SqliteStore {
    /// Opens the database at `path`, creates it if it is missing, and migrates its schema. Blocks.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Self::open_with(path, &SqliteOptions::default())
    }

    /// Opens the database like [`SqliteStore::open`], with the given options.
    pub fn open_with(path: &Path, options: &SqliteOptions) -> Result<Self, OpenError> {
        make_private(path).map_err(|failed| OpenError::engine(path, &failed))?;
        let engine = |failed: rusqlite::Error| OpenError::engine(path, &failed);
        let write = connection::open(path, Role::Write, options).map_err(engine)?;
        schema::migrate(&write, path, options.migration)?;
        let readers = (0..READERS).map(|_| connection::open(path, Role::Read, options)).collect::<Result<_, _>>();
        let readers = Readers::new(readers.map_err(engine)?);
        let writer = Writer::start(write, options.queue).map_err(|failed| OpenError::engine(path, &failed))?;
        Ok(Self { readers, writer })
    }
}

/// Creates a missing file readable by its owner only: it will hold contents of private
/// repositories.
fn make_private(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    match options.open(path) {
        Err(failed) if failed.kind() != std::io::ErrorKind::AlreadyExists => Err(failed),
        _ => Ok(()),
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn accept(&self, mut delivery: NewDelivery) -> Result<Accepted, StoreError> {
        let body = pack(std::mem::take(&mut delivery.body)).await?;
        self.writer.write_or_refuse(body.frame.len(), move |db| inbox::accept(db, &delivery, &body)).await
    }

    async fn accept_all(&self, deliveries: Vec<NewDelivery>) -> Result<Vec<Accepted>, StoreError> {
        let mut packed = Vec::with_capacity(deliveries.len());
        for mut delivery in deliveries {
            let body = pack(std::mem::take(&mut delivery.body)).await?;
            packed.push((delivery, body));
        }
        let bytes = packed.iter().map(|(_, body)| body.frame.len()).sum();
        let keep =
            move |db: &rusqlite::Connection| packed.iter().map(|(new, body)| inbox::accept(db, new, body)).collect();
        self.writer.write_or_refuse(bytes, keep).await
    }

    async fn pending(&self, after: Seq, limit: usize) -> Result<Vec<Pending>, StoreError> {
        self.readers.read(move |db| inbox::pending(db, after, limit)).await
    }

    async fn delivery(&self, seq: Seq) -> Result<Option<StoredDelivery>, StoreError> {
        self.readers.read(move |db| inbox::delivery(db, seq)).await
    }

    async fn taken_in(&self, forge: &ForgeName, deliveries: &[String]) -> Result<BTreeSet<String>, StoreError> {
        let (forge, deliveries) = (forge.clone(), deliveries.to_vec());
        self.readers.read(move |db| inbox::taken_in(db, &forge, deliveries)).await
    }

    async fn deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<DeliveryRow>, StoreError> {
        let filter = filter.clone();
        self.readers.read(move |db| inbox::deliveries(db, &filter)).await
    }

    async fn replay(&self, seq: Seq) -> Result<bool, StoreError> {
        self.writer.write(move |db| inbox::replay(db, seq)).await
    }

    async fn drop_delivery(&self, seq: Seq, why: &str) -> Result<bool, StoreError> {
        let why = why.to_owned();
        self.writer.write(move |db| inbox::drop_delivery(db, seq, &why)).await
    }

    async fn repository(&self, repo: &RepoKey) -> Result<Option<RepositoryRow>, StoreError> {
        let repo = repo.clone();
        self.readers.read(move |db| repo::repository(db, &repo)).await
    }

    async fn repository_named(&self, forge: &ForgeName, full_name: &str) -> Result<Option<RepositoryRow>, StoreError> {
        let (forge, full_name) = (forge.clone(), full_name.to_owned());
        self.readers.read(move |db| repo::repository_named(db, &forge, &full_name)).await
    }

    async fn repositories(
        &self,
        forge: &ForgeName,
        installation: ConnectionId,
    ) -> Result<Vec<RepositoryRow>, StoreError> {
        let forge = forge.clone();
        self.readers.read(move |db| repo::repositories(db, &forge, installation)).await
    }

    async fn facts(&self, repo: &RepoKey) -> Result<Vec<Document>, StoreError> {
        let repo = repo.clone();
        self.readers.read(move |db| repo::facts(db, &repo)).await
    }

    async fn items(&self, repo: &RepoKey) -> Result<Vec<StoredItem>, StoreError> {
        let repo = repo.clone();
        self.readers.read(move |db| repo::items(db, &repo)).await
    }

    async fn transitions(&self, repo: &RepoKey, item: ItemId) -> Result<Vec<Transition>, StoreError> {
        let repo = repo.clone();
        self.readers.read(move |db| repo::transitions(db, &repo, item)).await
    }

    async fn insight(&self, repo: &RepoKey, page: &InsightPage) -> Result<Vec<InsightRow>, StoreError> {
        let (repo, page) = (repo.clone(), page.clone());
        self.readers.read(move |db| insight::page(db, &repo, &page)).await
    }

    async fn all_repositories(&self) -> Result<Vec<RepositoryRow>, StoreError> {
        self.readers.read(insight::repositories).await
    }

    async fn erase(&self, repo: &RepoKey, before: Seq, why: &str) -> Result<(), StoreError> {
        let empty = pack(Bytes::from_static(b"{}")).await?;
        let (repo, why) = (repo.clone(), why.to_owned());
        self.writer.write(move |db| erase::erase(db, &repo, before, &why, &empty)).await
    }

    async fn commit(&self, commit: Commit) -> Result<(), StoreError> {
        self.writer.write(move |db| decision::keep(db, &commit)).await
    }

    async fn due_effects(&self, now: Timestamp, per_lane: usize) -> Result<Vec<StoredEffect>, StoreError> {
        self.readers.read(move |db| outbox::due(db, now, per_lane)).await
    }

    async fn is_live(&self, id: EffectId, version: u64) -> Result<bool, StoreError> {
        self.readers.read(move |db| outbox::is_live(db, id, version)).await
    }

    async fn next_effect_at(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        self.readers.read(move |db| outbox::next_at(db, now)).await
    }

    async fn mark_sending(&self, id: EffectId, version: u64, _: &[Lease]) -> Result<bool, StoreError> {
        self.writer.write(move |db| outbox::mark_sending(db, id, version)).await
    }

    async fn finish_effect(
        &self,
        id: EffectId,
        version: u64,
        end: EffectEnd,
        repo: &RepoKey,
        facts: Vec<Document>,
        _: &[Lease],
    ) -> Result<(), StoreError> {
        let repo = repo.clone();
        self.writer.write(move |db| outbox::finish(db, (id, version), &end, &repo, &facts)).await
    }

    async fn effects(&self, dead_only: bool, limit: usize) -> Result<Vec<StoredEffect>, StoreError> {
        self.readers.read(move |db| outbox::effects(db, dead_only, limit)).await
    }

    async fn due_notices(&self, now: Timestamp, per_target: usize) -> Result<Vec<StoredNotice>, StoreError> {
        self.readers.read(move |db| notice::due(db, now, per_target)).await
    }

    async fn next_notice_at(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        self.readers.read(move |db| notice::next_at(db, now)).await
    }

    async fn mark_notice(&self, id: NoticeId, version: u64, step: NoticeStep, _: &[Lease]) -> Result<bool, StoreError> {
        self.writer.write(move |db| notice::mark(db, id, version, step)).await
    }

    async fn finish_notice(&self, id: NoticeId, version: u64, end: NoticeEnd) -> Result<(), StoreError> {
        self.writer.write(move |db| notice::finish(db, id, version, &end)).await
    }

    async fn notices(&self, limit: usize) -> Result<Vec<StoredNotice>, StoreError> {
        self.readers.read(move |db| notice::notices(db, limit)).await
    }

    async fn due_timers(&self, now: Timestamp, limit: usize) -> Result<Vec<Timer>, StoreError> {
        self.readers.read(move |db| timer::due(db, now, limit)).await
    }

    async fn next_timer_at(&self) -> Result<Option<Timestamp>, StoreError> {
        self.readers.read(timer::next).await
    }

    async fn memo(&self, name: &str) -> Result<Option<String>, StoreError> {
        let name = name.to_owned();
        self.readers.read(move |db| memo::read(db, &name)).await
    }

    async fn note(&self, name: &str, value: Option<&str>) -> Result<(), StoreError> {
        let (name, value) = (name.to_owned(), value.map(str::to_owned));
        self.writer.write(move |db| memo::note(db, &name, value.as_deref())).await
    }

    async fn prune(&self, before: Timestamp, limit: usize) -> Result<u64, StoreError> {
        self.writer.write(move |db| upkeep::prune(db, before, limit)).await
    }

    async fn stats(&self) -> Result<StoreStats, StoreError> {
        self.readers.read(upkeep::stats).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        // An empty transaction of the writer checks its thread, the lock and the file,
        // without a sync.
        self.writer.write(|_| Ok(())).await
    }

    async fn budget(&self, forge: &ForgeName, installation: ConnectionId) -> Result<Option<BudgetRow>, StoreError> {
        let forge = forge.clone();
        self.readers.read(move |db| budget::budget(db, &forge, installation)).await
    }

    async fn keep_budget(
        &self,
        forge: &ForgeName,
        installation: ConnectionId,
        spent: Option<String>,
        parked_until: Timestamp,
    ) -> Result<(), StoreError> {
        let forge = forge.clone();
        let keep =
            move |db: &rusqlite::Connection| budget::keep(db, &forge, installation, spent.as_deref(), parked_until);
        self.writer.write(keep).await
    }
}
