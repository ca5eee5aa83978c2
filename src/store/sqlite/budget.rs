//! Usage of the forges' rate limits by installations.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use crate::{
    domain::id::{ConnectionId, ForgeName},
    port::store::{BudgetRow, StoreError},
    store::sqlite::value::{Id, Moment},
};

pub(super) const BUDGET: &str = "SELECT spent, parked_until FROM budget WHERE forge = ?1 AND installation = ?2";

/// Reads the usage of an installation.
pub(super) fn budget(
    db: &Connection,
    forge: &ForgeName,
    installation: ConnectionId,
) -> Result<Option<BudgetRow>, StoreError> {
    let read = |row: &rusqlite::Row<'_>| Ok(BudgetRow { spent: row.get(0)?, parked_until: row.get::<_, Moment>(1)?.0 });
    Ok(db.prepare_cached(BUDGET)?.query_row(params![forge.0, Id(installation)], read).optional()?)
}

/// Stores the usage of an installation.
pub(super) fn keep(
    db: &Connection,
    forge: &ForgeName,
    installation: ConnectionId,
    spent: Option<&str>,
    parked_until: Timestamp,
) -> Result<(), StoreError> {
    db.prepare_cached(
        "INSERT INTO budget (forge, installation, spent, parked_until) VALUES (?1, ?2, coalesce(?3, ''), ?4)
         ON CONFLICT (forge, installation) DO UPDATE
         SET spent = coalesce(?3, spent), parked_until = max(parked_until, ?4)",
    )?
    .execute(params![forge.0, Id(installation), spent, Moment(parked_until)])?;
    Ok(())
}
