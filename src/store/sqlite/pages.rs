//! Reads for the web pages, on connections of their own.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use rusqlite::{Connection, InterruptHandle, OptionalExtension, Row, params};
use tokio::sync::Semaphore;

use crate::{
    domain::{
        derived::Transition,
        id::{ForgeName, ItemId, RepoKey},
        insight::{InsightRow, RowKind},
    },
    port::{
        pages::{ItemOrder, PageStore, PhaseCount, TIME_LIMIT},
        store::{Document, InsightPage, RepositoryRow, StoreError, StoredItem},
    },
    store::{
        OpenError,
        sqlite::{
            SqliteOptions,
            connection::{self, Role},
            insight, memo, repo,
            value::{Id, Moment, number},
        },
    },
};

/// Connections. Two pages at a time leave a processor for the bot.
const CONNECTIONS: usize = 2;

pub(super) const ACTIVE_REPOSITORIES: &str = "
    SELECT forge, repo, full_name, installation, active FROM repository
    WHERE forge = ?1 AND active = 1 ORDER BY repo LIMIT ?2";

pub(super) const PHASE_COUNTS: &str = "
    SELECT phase, count(*), min(since) FROM item
    WHERE forge = ?1 AND repo = ?2 AND phase IS NOT NULL GROUP BY phase";

pub(super) const OLDEST_IN_PHASE: &str = "
    SELECT item, phase, since, derived FROM item
    WHERE forge = ?1 AND repo = ?2 AND phase = ?3 ORDER BY since, item LIMIT ?4";

pub(super) const NEWEST_IN_PHASE: &str = "
    SELECT item, phase, since, derived FROM item
    WHERE forge = ?1 AND repo = ?2 AND phase = ?3 ORDER BY since DESC, item DESC LIMIT ?4";

pub(super) const ITEM: &str =
    "SELECT item, phase, since, derived FROM item WHERE forge = ?1 AND repo = ?2 AND item = ?3";

pub(super) const DOCUMENT: &str = "SELECT key, body FROM fact WHERE forge = ?1 AND repo = ?2 AND key = ?3";

pub(super) const DOCUMENTS_UNDER: &str = "
    SELECT key, body FROM fact WHERE forge = ?1 AND repo = ?2 AND key >= ?3 AND key < ?4 ORDER BY key LIMIT ?5";

/// Reads for the web pages in one SQLite file.
pub struct SqlitePages {
    idle: Arc<Mutex<Vec<Reader>>>,
    permits: Arc<Semaphore>,
}

/// A connection with the means to interrupt it.
struct Reader {
    connection: Connection,
    interrupt: Arc<Interrupt>,
}

/// Interrupts a query of a connection, if it still runs.
struct Interrupt {
    handle: InterruptHandle,
    /// Whether the query that it may interrupt still runs: no later one must be hit.
    running: Mutex<bool>,
}

impl SqlitePages {
    /// Opens connections to the database at `path`, which a store opened before. Blocks.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let open = || {
            let connection = connection::open(path, Role::Read, &SqliteOptions::default())?;
            let handle = connection.get_interrupt_handle();
            Ok(Reader { connection, interrupt: Arc::new(Interrupt { handle, running: Mutex::new(false) }) })
        };
        let readers = (0..CONNECTIONS).map(|_| open()).collect::<Result<_, rusqlite::Error>>();
        let readers: Vec<Reader> = readers.map_err(|failed| OpenError::engine(path, &failed))?;
        let permits = Arc::new(Semaphore::new(readers.len()));
        Ok(Self { idle: Arc::new(Mutex::new(readers)), permits })
    }

    /// Does `work` on a thread that may block, and interrupts it at the time limit.
    async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let unavailable = |why: &str| StoreError::Unavailable(why.to_owned());
        let too_long = || unavailable("the query for a page took too long");
        let waiting = tokio::time::timeout(TIME_LIMIT, Arc::clone(&self.permits).acquire_owned());
        let permit = waiting.await.map_err(|_| too_long())?.map_err(|_| unavailable("the store is closed"))?;
        let taken = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let reader = taken.ok_or_else(|| unavailable("no connection is left for reading"))?;
        let (idle, interrupt) = (Arc::clone(&self.idle), Arc::clone(&reader.interrupt));
        let mut done = tokio::task::spawn_blocking(move || {
            // Held until the connection is back in the pool.
            let _permit = permit;
            reader.interrupt.set(true);
            let result = work(&reader.connection);
            reader.interrupt.set(false);
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
            result
        });
        let stopped = |error: tokio::task::JoinError| StoreError::Unavailable(error.to_string());
        if let Ok(done) = tokio::time::timeout(TIME_LIMIT, &mut done).await {
            return done.map_err(stopped)?;
        }
        interrupt.stop();
        Err(too_long())
    }
}

impl Interrupt {
    fn set(&self, runs: bool) {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = runs;
    }

    fn stop(&self) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if *running {
            self.handle.interrupt();
        }
    }
}

fn read_item(row: &Row<'_>) -> rusqlite::Result<StoredItem> {
    Ok(StoredItem {
        item: row.get::<_, Id>(0)?.0,
        phase: row.get(1)?,
        since: row.get::<_, Option<Moment>>(2)?.map(|at| at.0),
        derived: row.get(3)?,
    })
}

fn read_document(row: &Row<'_>) -> rusqlite::Result<Document> {
    Ok(Document { key: row.get(0)?, body: row.get(1)? })
}

fn phase_counts(db: &Connection, repo: &RepoKey) -> Result<Vec<PhaseCount>, StoreError> {
    let mut statement = db.prepare_cached(PHASE_COUNTS)?;
    let rows = statement.query_map(params![repo.forge.0, Id(repo.id)], |row| {
        Ok(PhaseCount {
            phase: row.get(0)?,
            items: row.get(1)?,
            oldest: row.get::<_, Option<Moment>>(2)?.map(|at| at.0),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

#[async_trait]
impl PageStore for SqlitePages {
    async fn repository_named(&self, forge: &ForgeName, full_name: &str) -> Result<Option<RepositoryRow>, StoreError> {
        let (forge, full_name) = (forge.clone(), full_name.to_owned());
        self.read(move |db| repo::repository_named(db, &forge, &full_name)).await
    }

    async fn versions(&self, forge: &ForgeName, repos: &[u64]) -> Result<Vec<u64>, StoreError> {
        let (forge, repos) = (forge.clone(), repos.to_vec());
        self.read(move |db| {
            let _snapshot = db.unchecked_transaction()?;
            repos.into_iter().map(|id| repo::version(db, &RepoKey { forge: forge.clone(), id })).collect()
        })
        .await
    }

    async fn active_repositories(&self, forge: &ForgeName, limit: usize) -> Result<Vec<RepositoryRow>, StoreError> {
        let forge = forge.clone();
        self.read(move |db| {
            let mut statement = db.prepare_cached(ACTIVE_REPOSITORIES)?;
            let rows = statement.query_map(params![forge.0, number(limit)], repo::read_repository)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn phase_counts(&self, repo: &RepoKey) -> Result<Vec<PhaseCount>, StoreError> {
        let repo = repo.clone();
        self.read(move |db| phase_counts(db, &repo)).await
    }

    async fn phase_counts_of(&self, forge: &ForgeName, repos: &[u64]) -> Result<Vec<Vec<PhaseCount>>, StoreError> {
        let (forge, repos) = (forge.clone(), repos.to_vec());
        self.read(move |db| {
            let _snapshot = db.unchecked_transaction()?;
            repos.into_iter().map(|id| phase_counts(db, &RepoKey { forge: forge.clone(), id })).collect()
        })
        .await
    }

    async fn items_in_phase(
        &self,
        repo: &RepoKey,
        phase: &str,
        order: ItemOrder,
        limit: usize,
    ) -> Result<Vec<StoredItem>, StoreError> {
        let (repo, phase) = (repo.clone(), phase.to_owned());
        let sql = match order {
            ItemOrder::OldestFirst => OLDEST_IN_PHASE,
            ItemOrder::NewestFirst => NEWEST_IN_PHASE,
        };
        self.read(move |db| {
            let mut statement = db.prepare_cached(sql)?;
            let rows = statement.query_map(params![repo.forge.0, Id(repo.id), phase, number(limit)], read_item)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn item(&self, repo: &RepoKey, item: ItemId) -> Result<Option<StoredItem>, StoreError> {
        let repo = repo.clone();
        self.read(move |db| {
            let mut statement = db.prepare_cached(ITEM)?;
            Ok(statement.query_row(params![repo.forge.0, Id(repo.id), Id(item)], read_item).optional()?)
        })
        .await
    }

    async fn transitions(&self, repo: &RepoKey, item: ItemId) -> Result<Vec<Transition>, StoreError> {
        let repo = repo.clone();
        self.read(move |db| repo::transitions(db, &repo, item)).await
    }

    async fn insight(&self, repo: &RepoKey, page: &InsightPage) -> Result<Vec<InsightRow>, StoreError> {
        let (repo, page) = (repo.clone(), page.clone());
        self.read(move |db| insight::page(db, &repo, &page)).await
    }

    async fn insight_of(
        &self,
        repo: &RepoKey,
        kind: RowKind,
        owners: &[String],
    ) -> Result<Vec<InsightRow>, StoreError> {
        let (repo, mut owners) = (repo.clone(), owners.to_vec());
        owners.sort_unstable();
        owners.dedup();
        self.read(move |db| {
            let _snapshot = db.unchecked_transaction()?;
            insight::of_owners(db, &repo, kind, &owners)
        })
        .await
    }

    async fn memo(&self, name: &str) -> Result<Option<String>, StoreError> {
        let name = name.to_owned();
        self.read(move |db| memo::read(db, &name)).await
    }

    async fn documents(&self, repo: &RepoKey, keys: &[String]) -> Result<Vec<Document>, StoreError> {
        let (repo, mut keys) = (repo.clone(), keys.to_vec());
        keys.sort_unstable();
        keys.dedup();
        self.read(move |db| {
            let _snapshot = db.unchecked_transaction()?;
            let mut statement = db.prepare_cached(DOCUMENT)?;
            let mut found = Vec::with_capacity(keys.len());
            for key in keys {
                found.extend(statement.query_row(params![repo.forge.0, Id(repo.id), key], read_document).optional()?);
            }
            Ok(found)
        })
        .await
    }

    async fn documents_under(&self, repo: &RepoKey, prefix: &str, limit: usize) -> Result<Vec<Document>, StoreError> {
        let (repo, prefix) = (repo.clone(), prefix.to_owned());
        self.read(move |db| {
            // The greatest character: sorts behind every key that begins with the prefix.
            let end = format!("{prefix}\u{10FFFF}");
            let mut statement = db.prepare_cached(DOCUMENTS_UNDER)?;
            let rows =
                statement.query_map(params![repo.forge.0, Id(repo.id), prefix, end, number(limit)], read_document)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::store::sqlite::SqliteStore;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_query_that_takes_too_long_is_stopped_and_its_connection_serves_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let _store = SqliteStore::open(&path).unwrap();
        let pages = SqlitePages::open(&path).unwrap();
        let endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
        let begun = Instant::now();
        for _ in 0..CONNECTIONS {
            let stopped = pages.read(|db| Ok(db.query_row(endless, [], |row| row.get::<_, i64>(0))?)).await;
            assert!(matches!(stopped, Err(StoreError::Unavailable(_))), "{stopped:?}");
        }
        assert!(begun.elapsed() >= TIME_LIMIT);
        let repo = RepoKey { forge: ForgeName::github(), id: 1 };
        assert_eq!(pages.phase_counts(&repo).await.unwrap(), []);
    }
}
