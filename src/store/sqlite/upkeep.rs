//! Pruning of the database, and its metrics.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use crate::{
    port::store::{StoreError, StoreStats},
    store::sqlite::value::{Moment, number},
};

/// Deletes old deliveries with their bodies. The record that they were taken in
/// goes, too: `before` limits how late a redelivery is still recognised.
pub(super) const PRUNE_DELIVERIES: &str = "
    DELETE FROM delivery WHERE seq IN (
        SELECT seq FROM delivery INDEXED BY delivery_age
        WHERE state IN ('done', 'ignored', 'dropped') AND coalesce(decided_at, received_at) < ?1
        ORDER BY coalesce(decided_at, received_at) LIMIT ?2)";

pub(super) const PRUNE_EFFECTS: &str = "
    DELETE FROM effect WHERE id IN (
        SELECT id FROM effect INDEXED BY effect_age WHERE state IN ('done', 'dropped') AND ended_at < ?1 ORDER BY ended_at LIMIT ?2)";

/// Deletes threads of which nothing was said for a while: what is said next becomes a new message.
pub(super) const PRUNE_NOTICES: &str = "
    DELETE FROM notice WHERE id IN (
        SELECT id FROM notice INDEXED BY notice_age WHERE ended_at IS NOT NULL AND ended_at < ?1 ORDER BY ended_at LIMIT ?2)";

/// Prunes deliveries, effects and notices that ended before `before`.
pub(super) fn prune(db: &Connection, before: Timestamp, limit: usize) -> Result<u64, StoreError> {
    let mut gone = 0;
    for sql in [PRUNE_DELIVERIES, PRUNE_EFFECTS, PRUNE_NOTICES] {
        gone += db.prepare_cached(sql)?.execute(params![Moment(before), number(limit)])?;
    }
    Ok(gone.try_into().unwrap_or(u64::MAX))
}

pub(super) const COUNT_DELIVERIES: &str = "SELECT count(*) FROM delivery WHERE state = ?1";

/// Finds the first delivery in order of arrival, of those that can be decided.
pub(super) const OLDEST_PENDING: &str = "
    SELECT received_at FROM delivery WHERE state = 'pending' AND (target IS NULL OR repo IS NOT NULL)
    ORDER BY seq LIMIT 1";

pub(super) const COUNT_LANES: &str = "
    SELECT lane, count(*) FROM effect INDEXED BY effect_line WHERE ended_at IS NULL GROUP BY lane";

pub(super) const COUNT_DEAD: &str = "SELECT count(*) FROM effect WHERE state = 'dead'";

/// Returns metrics of one moment.
pub(super) fn stats(db: &Connection) -> Result<StoreStats, StoreError> {
    let _snapshot = db.unchecked_transaction()?;
    let deliveries = |state: &str| -> rusqlite::Result<u64> {
        db.prepare_cached(COUNT_DELIVERIES)?.query_row([state], |row| row.get(0))
    };
    let oldest = db.prepare_cached(OLDEST_PENDING)?.query_row([], |row| row.get::<_, Moment>(0)).optional()?;
    let mut stats = StoreStats {
        pending: deliveries("pending")?,
        oldest_pending: oldest.map(|at| at.0),
        quarantined: deliveries("quarantined")?,
        dead_deliveries: deliveries("dead")?,
        queued_effects: [0; 3],
        dead_effects: db.prepare_cached(COUNT_DEAD)?.query_row([], |row| row.get(0))?,
    };
    let mut lanes = db.prepare_cached(COUNT_LANES)?;
    let rows = lanes.query_map([], |row| Ok((row.get::<_, usize>(0)?, row.get::<_, u64>(1)?)))?;
    for row in rows {
        let (lane, waiting) = row?;
        if let Some(count) = stats.queued_effects.get_mut(lane) {
            *count = waiting;
        }
    }
    Ok(stats)
}
