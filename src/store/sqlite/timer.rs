//! Timers.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use crate::{
    domain::{id::RepoKey, timer::TimerKey},
    port::store::{StoreError, Timer},
    store::{
        moment::not_before,
        sqlite::value::{Forge, Id, Key, Moment, number},
    },
};

pub(super) const DUE: &str = "SELECT forge, repo, key, at FROM timer WHERE at <= ?1 ORDER BY at LIMIT ?2";

/// Lists the timers due at `now`, oldest first.
pub(super) fn due(db: &Connection, now: Timestamp, limit: usize) -> Result<Vec<Timer>, StoreError> {
    let mut statement = db.prepare_cached(DUE)?;
    let rows = statement.query_map(params![Moment(now), number(limit)], |row| {
        Ok(Timer {
            repo: RepoKey { forge: row.get::<_, Forge>(0)?.0, id: row.get::<_, Id>(1)?.0 },
            key: row.get::<_, Key>(2)?.0,
            at: row.get::<_, Moment>(3)?.0,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) const NEXT: &str = "SELECT at FROM timer ORDER BY at LIMIT 1";

/// Returns when the next timer is due.
pub(super) fn next(db: &Connection) -> Result<Option<Timestamp>, StoreError> {
    Ok(db.prepare_cached(NEXT)?.query_row([], |row| row.get::<_, Moment>(0)).optional()?.map(|at| at.0))
}

/// Sets or removes a timer.
pub(super) fn set(db: &Connection, repo: &RepoKey, key: TimerKey, at: Option<Timestamp>) -> Result<(), StoreError> {
    let (forge, id, key) = (&repo.forge.0, Id(repo.id), key.to_string());
    match at {
        Some(at) => db
            .prepare_cached(
                "INSERT INTO timer (forge, repo, key, at) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (forge, repo, key) DO UPDATE SET at = excluded.at WHERE at <> excluded.at",
            )?
            .execute(params![forge, id, key, Moment(not_before(at))])?,
        None => db
            .prepare_cached("DELETE FROM timer WHERE forge = ?1 AND repo = ?2 AND key = ?3")?
            .execute(params![forge, id, key])?,
    };
    Ok(())
}
