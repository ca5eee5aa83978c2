//! Repositories: their binding, their facts, and the data derived for their items.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::{
    domain::{
        derived::{Reason, Transition},
        id::{ConnectionId, ForgeName, ItemId, RepoKey},
    },
    port::store::{Document, RepositoryRow, StoreError, StoredItem},
    store::sqlite::{
        inbox,
        value::{Forge, Id, Json, Moment, to_json},
    },
};

pub(super) const REPOSITORY: &str =
    "SELECT forge, repo, full_name, installation, active FROM repository WHERE forge = ?1 AND repo = ?2";

/// Reads a repository's binding.
pub(super) fn repository(db: &Connection, repo: &RepoKey) -> Result<Option<RepositoryRow>, StoreError> {
    Ok(db.prepare_cached(REPOSITORY)?.query_row(params![repo.forge.0, Id(repo.id)], read_repository).optional()?)
}

pub(super) const REPOSITORY_NAMED: &str = "
    SELECT repository.forge, repository.repo, full_name, installation, active
    FROM repository_name AS named JOIN repository ON repository.forge = named.forge AND repository.repo = named.repo
    WHERE named.forge = ?1 AND named.name = ?2";

/// Finds a repository by its name.
pub(super) fn repository_named(
    db: &Connection,
    forge: &ForgeName,
    full_name: &str,
) -> Result<Option<RepositoryRow>, StoreError> {
    Ok(db.prepare_cached(REPOSITORY_NAMED)?.query_row(params![forge.0, full_name], read_repository).optional()?)
}

pub(super) const REPOSITORIES: &str = "
    SELECT forge, repo, full_name, installation, active FROM repository
    WHERE forge = ?1 AND installation = ?2
    ORDER BY repo";

/// Lists all repositories that an installation serves.
pub(super) fn repositories(
    db: &Connection,
    forge: &ForgeName,
    installation: ConnectionId,
) -> Result<Vec<RepositoryRow>, StoreError> {
    let mut statement = db.prepare_cached(REPOSITORIES)?;
    let rows = statement.query_map(params![forge.0, Id(installation)], read_repository)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn read_repository(row: &Row<'_>) -> rusqlite::Result<RepositoryRow> {
    Ok(RepositoryRow {
        repo: RepoKey { forge: row.get::<_, Forge>(0)?.0, id: row.get::<_, Id>(1)?.0 },
        full_name: row.get(2)?,
        installation: row.get::<_, Option<Id>>(3)?.map(|id| id.0),
        active: row.get(4)?,
    })
}

/// Stores a repository's binding.
pub(super) fn keep_repository(db: &Connection, row: &RepositoryRow) -> Result<(), StoreError> {
    db.prepare_cached(
        "INSERT INTO repository (forge, repo, full_name, installation, active) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (forge, repo) DO UPDATE
         SET full_name = excluded.full_name, installation = excluded.installation, active = excluded.active",
    )?
    .execute(params![row.repo.forge.0, Id(row.repo.id), row.full_name, row.installation.map(Id), row.active])?;
    db.prepare_cached(
        "INSERT INTO repository_name (forge, name, repo) VALUES (?1, ?2, ?3)
         ON CONFLICT (forge, name) DO UPDATE SET repo = excluded.repo WHERE repo <> excluded.repo AND ?4",
    )?
    .execute(params![row.repo.forge.0, row.full_name, Id(row.repo.id), row.active])?;
    inbox::take_up(db, &row.repo.forge, &row.full_name, row.repo.id)
}

pub(super) const FACTS: &str = "SELECT key, body FROM fact WHERE forge = ?1 AND repo = ?2 ORDER BY key";

/// Reads all fact documents of a repository, by key.
pub(super) fn facts(db: &Connection, repo: &RepoKey) -> Result<Vec<Document>, StoreError> {
    let mut statement = db.prepare_cached(FACTS)?;
    let rows = statement
        .query_map(params![repo.forge.0, Id(repo.id)], |row| Ok(Document { key: row.get(0)?, body: row.get(1)? }))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Inserts, updates and deletes fact documents.
pub(super) fn keep_facts(db: &Connection, repo: &RepoKey, facts: &[Document]) -> Result<(), StoreError> {
    if facts.is_empty() {
        return Ok(());
    }
    let mut keep = db.prepare_cached(
        "INSERT INTO fact (forge, repo, key, body) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (forge, repo, key) DO UPDATE SET body = excluded.body WHERE body <> excluded.body",
    )?;
    let mut delete = db.prepare_cached("DELETE FROM fact WHERE forge = ?1 AND repo = ?2 AND key = ?3")?;
    for fact in facts {
        match &fact.body {
            Some(body) => keep.execute(params![repo.forge.0, Id(repo.id), fact.key, body])?,
            None => delete.execute(params![repo.forge.0, Id(repo.id), fact.key])?,
        };
    }
    Ok(())
}

pub(super) const ITEMS: &str =
    "SELECT item, phase, since, derived FROM item WHERE forge = ?1 AND repo = ?2 ORDER BY item";

/// Reads the derived rows of a repository's items, by number.
pub(super) fn items(db: &Connection, repo: &RepoKey) -> Result<Vec<StoredItem>, StoreError> {
    let mut statement = db.prepare_cached(ITEMS)?;
    let rows = statement.query_map(params![repo.forge.0, Id(repo.id)], |row| {
        Ok(StoredItem {
            item: row.get::<_, Id>(0)?.0,
            phase: row.get(1)?,
            since: row.get::<_, Option<Moment>>(2)?.map(|at| at.0),
            derived: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Stores the data derived for an item.
pub(super) fn keep_item(db: &Connection, repo: &RepoKey, row: &StoredItem) -> Result<(), StoreError> {
    db.prepare_cached(
        "INSERT INTO item (forge, repo, item, phase, since, derived) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (forge, repo, item) DO UPDATE
         SET phase = excluded.phase, since = excluded.since, derived = excluded.derived",
    )?
    .execute(params![repo.forge.0, Id(repo.id), Id(row.item), row.phase, row.since.map(Moment), row.derived])?;
    Ok(())
}

pub(super) const TRANSITIONS: &str =
    "SELECT at, phase, reason FROM transition WHERE forge = ?1 AND repo = ?2 AND item = ?3 ORDER BY n";

/// Reads the transition log of one item, oldest first.
pub(super) fn transitions(db: &Connection, repo: &RepoKey, item: ItemId) -> Result<Vec<Transition>, StoreError> {
    let mut statement = db.prepare_cached(TRANSITIONS)?;
    let rows = statement.query_map(params![repo.forge.0, Id(repo.id), Id(item)], |row| {
        Ok(Transition { at: row.get::<_, Moment>(0)?.0, to: row.get(1)?, reason: row.get::<_, Json<Reason>>(2)?.0 })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Replaces everything logged since a cycle began by the cycle's history.
/// An empty history has no start time, and replaces nothing.
pub(super) fn keep_history(
    db: &Connection,
    repo: &RepoKey,
    item: ItemId,
    history: &[Transition],
) -> Result<(), StoreError> {
    let Some(begins) = history.iter().map(|transition| transition.at).min() else { return Ok(()) };
    let (forge, id, item) = (&repo.forge.0, Id(repo.id), Id(item));
    db.prepare_cached("DELETE FROM transition WHERE forge = ?1 AND repo = ?2 AND item = ?3 AND at >= ?4")?
        .execute(params![forge, id, item, Moment(begins)])?;
    let first: i64 = db
        .prepare_cached("SELECT coalesce(max(n) + 1, 0) FROM transition WHERE forge = ?1 AND repo = ?2 AND item = ?3")?
        .query_row(params![forge, id, item], |row| row.get(0))?;
    let mut insert = db.prepare_cached(
        "INSERT INTO transition (forge, repo, item, n, at, phase, reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for (n, transition) in (first..).zip(history) {
        let reason = to_json(&transition.reason)?;
        insert.execute(params![forge, id, item, n, Moment(transition.at), transition.to, reason])?;
    }
    Ok(())
}

pub(super) const RAISE_VERSION: &str = "
    INSERT INTO data_version (forge, repo, version) VALUES (?1, ?2, 1)
    ON CONFLICT (forge, repo) DO UPDATE SET version = version + 1";

/// Raises the version of a repository's data.
pub(super) fn raise_version(db: &Connection, repo: &RepoKey) -> Result<(), StoreError> {
    db.prepare_cached(RAISE_VERSION)?.execute(params![repo.forge.0, Id(repo.id)])?;
    Ok(())
}

pub(super) const VERSION: &str = "SELECT version FROM data_version WHERE forge = ?1 AND repo = ?2";

/// Reads the version of a repository's data; 0 if nothing was stored yet.
pub(super) fn version(db: &Connection, repo: &RepoKey) -> Result<u64, StoreError> {
    let found =
        db.prepare_cached(VERSION)?.query_row(params![repo.forge.0, Id(repo.id)], |row| row.get(0)).optional()?;
    Ok(found.unwrap_or(0))
}
