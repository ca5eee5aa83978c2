//! Reads for the web pages, on connections of their own.

use std::collections::BTreeMap;

use async_trait::async_trait;
use tokio_postgres::Row;

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
        postgres::{
            connect::Address,
            db::{Args, Db},
            insight, memo, repo,
            value::{args, bits, col, json, moment, moment_or_none, number, text, text_col, text_or_none},
        },
    },
};

/// Connections of one process.
const CONNECTIONS: usize = 2;

pub(super) const ACTIVE_REPOSITORIES: &str = "
    SELECT forge, repo, full_name, installation, active FROM repository
    WHERE forge = $1 AND active ORDER BY repo LIMIT $2";

pub(super) const PHASE_COUNTS: &str = "
    SELECT phase, count(*), min(since) FROM item
    WHERE forge = $1 AND repo = $2 AND phase IS NOT NULL GROUP BY phase ORDER BY phase";

pub(super) const PHASE_COUNTS_OF: &str = "
    SELECT wanted.repo, phase, count(*), min(since)
    FROM unnest($2::int8[]) AS wanted (repo) JOIN item ON item.forge = $1 AND item.repo = wanted.repo
    WHERE phase IS NOT NULL GROUP BY wanted.repo, phase ORDER BY wanted.repo, phase";

pub(super) const OLDEST_IN_PHASE: &str = "
    SELECT item, phase, since, derived FROM item
    WHERE forge = $1 AND repo = $2 AND phase = $3 ORDER BY since, item LIMIT $4";

pub(super) const NEWEST_IN_PHASE: &str = "
    SELECT item, phase, since, derived FROM item
    WHERE forge = $1 AND repo = $2 AND phase = $3 ORDER BY since DESC, item DESC LIMIT $4";

pub(super) const ITEM: &str =
    "SELECT item, phase, since, derived FROM item WHERE forge = $1 AND repo = $2 AND item = $3";

pub(super) const DOCUMENTS: &str =
    "SELECT key, body FROM fact WHERE forge = $1 AND repo = $2 AND key = ANY($3::text[]) ORDER BY key";

pub(super) const DOCUMENTS_UNDER: &str = "
    SELECT key, body FROM fact WHERE forge = $1 AND repo = $2 AND key >= $3 AND key < $4 ORDER BY key LIMIT $5";

/// Reads for the web pages in a PostgreSQL database.
pub struct PostgresPages {
    db: Db,
}

impl PostgresPages {
    /// Creates a pool of connections to the database that `url` names, which a store opened before.
    /// Must be called within a Tokio runtime.
    pub fn open(url: &str) -> Result<Self, OpenError> {
        Ok(Self { db: Db::new(Address::parse(url)?.pool_of(CONNECTIONS)?) })
    }

    /// Runs one query that the server ends at the time limit.
    async fn rows(&self, sql: &str, args: Args<'_>) -> Result<Vec<Row>, StoreError> {
        let work = async {
            let mut work = self.db.work().await?;
            work.plain(&format!("BEGIN READ ONLY; SET LOCAL statement_timeout = {}", TIME_LIMIT.as_millis())).await?;
            let rows = work.rows(sql, args).await?;
            work.plain("COMMIT").await?;
            work.end();
            Ok(rows)
        };
        // Covers the wait for a connection and for a server that does not answer.
        let limit = TIME_LIMIT * 2;
        tokio::time::timeout(limit, work)
            .await
            .unwrap_or_else(|_| Err(StoreError::Unavailable("the query for a page took too long".to_owned())))
    }
}

fn read_item(row: &Row) -> Result<StoredItem, StoreError> {
    Ok(StoredItem {
        item: col::<i64>(row, 0)?.cast_unsigned(),
        phase: text_or_none(row, 1)?,
        since: moment_or_none(row, 2)?,
        derived: text_col(row, 3)?,
    })
}

fn read_document(row: &Row) -> Result<Document, StoreError> {
    Ok(Document { key: text_col(row, 0)?, body: Some(text_col(row, 1)?) })
}

/// Reads the items in a phase from the columns from `first` on.
fn read_count(row: &Row, first: usize) -> Result<PhaseCount, StoreError> {
    Ok(PhaseCount {
        phase: text_col(row, first)?,
        items: col::<i64>(row, first + 1)?.unsigned_abs(),
        oldest: moment_or_none(row, first + 2)?,
    })
}

#[async_trait]
impl PageStore for PostgresPages {
    async fn repository_named(&self, forge: &ForgeName, full_name: &str) -> Result<Option<RepositoryRow>, StoreError> {
        let name = full_name.to_ascii_lowercase();
        let rows = self.rows(repo::REPOSITORY_NAMED, args![text(&forge.0), text(&name)]).await?;
        rows.first().map(repo::read_repository).transpose()
    }

    async fn active_repositories(&self, forge: &ForgeName, limit: usize) -> Result<Vec<RepositoryRow>, StoreError> {
        let rows = self.rows(ACTIVE_REPOSITORIES, args![text(&forge.0), number(limit)]).await?;
        rows.iter().map(repo::read_repository).collect()
    }

    async fn phase_counts(&self, repo: &RepoKey) -> Result<Vec<PhaseCount>, StoreError> {
        let rows = self.rows(PHASE_COUNTS, args![text(&repo.forge.0), bits(repo.id)]).await?;
        rows.iter().map(|row| read_count(row, 0)).collect()
    }

    async fn phase_counts_of(&self, forge: &ForgeName, repos: &[u64]) -> Result<Vec<Vec<PhaseCount>>, StoreError> {
        let ids: Vec<i64> = repos.iter().map(|id| bits(*id)).collect();
        let rows = self.rows(PHASE_COUNTS_OF, args![text(&forge.0), ids]).await?;
        let mut counts: BTreeMap<u64, Vec<PhaseCount>> = BTreeMap::new();
        for row in &rows {
            counts.entry(col::<i64>(row, 0)?.cast_unsigned()).or_default().push(read_count(row, 1)?);
        }
        Ok(repos.iter().map(|id| counts.get(id).cloned().unwrap_or_default()).collect())
    }

    async fn versions(&self, forge: &ForgeName, repos: &[u64]) -> Result<Vec<u64>, StoreError> {
        let ids: Vec<i64> = repos.iter().map(|id| bits(*id)).collect();
        let rows = self.rows(repo::VERSIONS, args![text(&forge.0), ids]).await?;
        let mut versions: BTreeMap<u64, u64> = BTreeMap::new();
        for row in &rows {
            versions.insert(col::<i64>(row, 0)?.cast_unsigned(), col::<i64>(row, 1)?.unsigned_abs());
        }
        Ok(repos.iter().map(|id| versions.get(id).copied().unwrap_or_default()).collect())
    }

    async fn memo(&self, name: &str) -> Result<Option<String>, StoreError> {
        let rows = self.rows(memo::MEMO, args![text(name)]).await?;
        rows.first().map(|row| text_col(row, 0)).transpose()
    }

    async fn items_in_phase(
        &self,
        repo: &RepoKey,
        phase: &str,
        order: ItemOrder,
        limit: usize,
    ) -> Result<Vec<StoredItem>, StoreError> {
        let sql = match order {
            ItemOrder::OldestFirst => OLDEST_IN_PHASE,
            ItemOrder::NewestFirst => NEWEST_IN_PHASE,
        };
        let rows = self.rows(sql, args![text(&repo.forge.0), bits(repo.id), text(phase), number(limit)]).await?;
        rows.iter().map(read_item).collect()
    }

    async fn item(&self, repo: &RepoKey, item: ItemId) -> Result<Option<StoredItem>, StoreError> {
        let rows = self.rows(ITEM, args![text(&repo.forge.0), bits(repo.id), bits(item)]).await?;
        rows.first().map(read_item).transpose()
    }

    async fn transitions(&self, repo: &RepoKey, item: ItemId) -> Result<Vec<Transition>, StoreError> {
        let rows = self.rows(repo::TRANSITIONS, args![text(&repo.forge.0), bits(repo.id), bits(item)]).await?;
        rows.iter()
            .map(|row| Ok(Transition { at: moment(row, 0)?, to: text_or_none(row, 1)?, reason: json(row, 2)? }))
            .collect()
    }

    async fn insight(&self, repo: &RepoKey, page: &InsightPage) -> Result<Vec<InsightRow>, StoreError> {
        let (at, owner, part) = page.position();
        let (forge, id) = (text(&repo.forge.0), bits(repo.id));
        let args = args![forge, id, page.kind.as_str(), at, text(owner), text(part), number(page.limit)];
        self.rows(insight::PAGE, args).await?.iter().map(insight::read_row).collect()
    }

    async fn insight_of(
        &self,
        repo: &RepoKey,
        kind: RowKind,
        owners: &[String],
    ) -> Result<Vec<InsightRow>, StoreError> {
        let owners: Vec<_> = owners.iter().map(|owner| text(owner)).collect();
        let args = args![text(&repo.forge.0), bits(repo.id), kind.as_str(), owners];
        self.rows(insight::OF_OWNERS, args).await?.iter().map(insight::read_row).collect()
    }

    async fn documents(&self, repo: &RepoKey, keys: &[String]) -> Result<Vec<Document>, StoreError> {
        let keys: Vec<_> = keys.iter().map(|key| text(key)).collect();
        let rows = self.rows(DOCUMENTS, args![text(&repo.forge.0), bits(repo.id), keys]).await?;
        rows.iter().map(read_document).collect()
    }

    async fn documents_under(&self, repo: &RepoKey, prefix: &str, limit: usize) -> Result<Vec<Document>, StoreError> {
        // The greatest character: sorts behind every key that begins with the prefix.
        let end = format!("{prefix}\u{10FFFF}");
        let args = args![text(&repo.forge.0), bits(repo.id), text(prefix), text(&end), number(limit)];
        self.rows(DOCUMENTS_UNDER, args).await?.iter().map(read_document).collect()
    }
}
