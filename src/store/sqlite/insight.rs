//! Rows for delivery metrics.

use rusqlite::{Connection, params};

use crate::{
    domain::{
        id::RepoKey,
        insight::{InsightRow, RowGroup, RowKind},
    },
    port::store::{InsightPage, RepositoryRow, StoreError},
    store::sqlite::{
        repo,
        value::{Id, Moment, number},
    },
};

pub(super) const OF_OWNER: &str = "
    SELECT at, part, body FROM insight
    WHERE forge = ?1 AND repo = ?2 AND kind = ?3 AND owner = ?4 AND part >= ?5 ORDER BY part";

pub(super) const DELETE: &str = "
    DELETE FROM insight WHERE forge = ?1 AND repo = ?2 AND kind = ?3 AND at = ?4 AND owner = ?5 AND part = ?6";

const INSERT: &str = "INSERT INTO insight (forge, repo, kind, at, owner, part, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING";

/// Replaces the rows of these objects. Rows that stay as they are are not written.
pub(super) fn keep(db: &Connection, repo: &RepoKey, groups: &[RowGroup]) -> Result<(), StoreError> {
    let (forge, id) = (&repo.forge.0, Id(repo.id));
    for group in groups {
        let kind = group.kind.as_str();
        let mut statement = db.prepare_cached(OF_OWNER)?;
        let known = statement.query_map(params![forge, id, kind, group.owner, group.from], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
        })?;
        let known: Vec<(i64, String, String)> = known.collect::<Result<_, _>>()?;
        let is_same = |row: &InsightRow, (at, part, body): &(i64, String, String)| {
            (row.at.as_millisecond(), &row.part, &row.body) == (*at, part, body)
        };
        for old in known.iter().filter(|old| !group.rows.iter().any(|row| is_same(row, old))) {
            db.prepare_cached(DELETE)?.execute(params![forge, id, kind, old.0, group.owner, old.1])?;
        }
        for row in group.rows.iter().filter(|row| !known.iter().any(|old| is_same(row, old))) {
            let values = params![forge, id, kind, Moment(row.at), row.owner, row.part, row.body];
            db.prepare_cached(INSERT)?.execute(values)?;
        }
    }
    Ok(())
}

pub(super) const PAGE: &str = "
    SELECT owner, part, at, body FROM insight
    WHERE forge = ?1 AND repo = ?2 AND kind = ?3 AND (at, owner, part) > (?4, ?5, ?6)
    ORDER BY at, owner, part LIMIT ?7";

/// Reads a page of rows, by time.
pub(super) fn page(db: &Connection, repo: &RepoKey, page: &InsightPage) -> Result<Vec<InsightRow>, StoreError> {
    let (at, owner, part) = page.position();
    let mut statement = db.prepare_cached(PAGE)?;
    let values = params![repo.forge.0, Id(repo.id), page.kind.as_str(), at, owner, part, number(page.limit)];
    let rows = statement.query_map(values, |row| {
        Ok(InsightRow { owner: row.get(0)?, part: row.get(1)?, at: row.get::<_, Moment>(2)?.0, body: row.get(3)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Reads the rows of one kind that belong to these objects, in their order and by part.
pub(super) fn of_owners(
    db: &Connection,
    repo: &RepoKey,
    kind: RowKind,
    owners: &[String],
) -> Result<Vec<InsightRow>, StoreError> {
    let mut statement = db.prepare_cached(OF_OWNER)?;
    let mut found = Vec::new();
    for owner in owners {
        let rows = statement.query_map(params![repo.forge.0, Id(repo.id), kind.as_str(), owner, ""], |row| {
            let at = row.get::<_, Moment>(0)?.0;
            Ok(InsightRow { owner: owner.clone(), part: row.get(1)?, at, body: row.get(2)? })
        })?;
        for row in rows {
            found.push(row?);
        }
    }
    Ok(found)
}

pub(super) const REPOSITORIES: &str =
    "SELECT forge, repo, full_name, installation, active FROM repository ORDER BY forge, repo";

/// Lists every repository.
pub(super) fn repositories(db: &Connection) -> Result<Vec<RepositoryRow>, StoreError> {
    let mut statement = db.prepare_cached(REPOSITORIES)?;
    let rows = statement.query_map([], repo::read_repository)?;
    Ok(rows.collect::<Result<_, _>>()?)
}
