//! Pruning of the database, and its metrics.

use jiff::Timestamp;

use crate::{
    port::store::{StoreError, StoreStats},
    store::postgres::{
        db::Db,
        value::{args, col, count, from_millis, millis, number},
    },
};

/// Deletes old deliveries with their bodies. The record that they were taken in
/// goes, too: `before` limits how late a redelivery is still recognised. Skips rows
/// that another replica is just deleting.
pub(super) const PRUNE_DELIVERIES: &str = "
    WITH old AS (
        SELECT seq FROM delivery
        WHERE state IN ('done', 'ignored', 'dropped') AND coalesce(decided_at, received_at) < $1
        ORDER BY coalesce(decided_at, received_at), seq LIMIT $2
        FOR UPDATE SKIP LOCKED
    ), bodies AS (
        DELETE FROM delivery_body USING old WHERE delivery_body.seq = old.seq
    )
    DELETE FROM delivery USING old WHERE delivery.seq = old.seq";

pub(super) const PRUNE_EFFECTS: &str = "
    WITH old AS (
        SELECT id FROM effect WHERE state IN ('done', 'dropped') AND ended_at < $1
        ORDER BY ended_at, id LIMIT $2
        FOR UPDATE SKIP LOCKED
    )
    DELETE FROM effect USING old WHERE effect.id = old.id";

/// Deletes threads of which nothing was said for a while: what is said next becomes a new message.
pub(super) const PRUNE_NOTICES: &str = "
    WITH old AS (
        SELECT id FROM notice WHERE ended_at IS NOT NULL AND ended_at < $1
        ORDER BY ended_at LIMIT $2
        FOR UPDATE SKIP LOCKED
    )
    DELETE FROM notice USING old WHERE notice.id = old.id";

/// Prunes deliveries, effects and notices that ended before `before`.
pub(super) async fn prune(db: &Db, before: Timestamp, limit: usize) -> Result<u64, StoreError> {
    let (before, limit) = (millis(before), number(limit));
    let deliveries = db.run(PRUNE_DELIVERIES, args![before, limit]).await?;
    let effects = db.run(PRUNE_EFFECTS, args![before, limit]).await?;
    let notices = db.run(PRUNE_NOTICES, args![before, limit]).await?;
    Ok(deliveries + effects + notices)
}

pub(super) const COUNT_PENDING: &str = "
    SELECT (SELECT count(*) FROM delivery WHERE state = 'pending' AND kind >= 0)
         + (SELECT count(*) FROM delivery WHERE target IS NOT NULL AND repo IS NULL AND state = 'pending')";

pub(super) const COUNT_ODD: &str = "
    SELECT count(*) FILTER (WHERE state = 'quarantined'), count(*) FILTER (WHERE state = 'dead')
    FROM delivery WHERE state IN ('quarantined', 'dead', 'dropped') AND state <> 'dropped'";

/// Finds the first delivery in order of arrival, of those that can be decided.
pub(super) const OLDEST_PENDING: &str =
    "SELECT received_at FROM delivery WHERE state = 'pending' AND kind >= 0 ORDER BY seq LIMIT 1";

pub(super) const COUNT_LANES: &str = "SELECT lane, count(*) FROM effect WHERE ended_at IS NULL GROUP BY lane";

pub(super) const COUNT_DEAD: &str = "SELECT count(*) FROM effect WHERE state = 'dead'";

/// Returns metrics of about one moment.
pub(super) async fn stats(db: &Db) -> Result<StoreStats, StoreError> {
    let mut stats = StoreStats::default();
    if let Some(row) = db.row(COUNT_PENDING, &[]).await? {
        stats.pending = count(&row, 0)?;
    }
    if let Some(row) = db.row(COUNT_ODD, &[]).await? {
        stats.quarantined = count(&row, 0)?;
        stats.dead_deliveries = count(&row, 1)?;
    }
    if let Some(row) = db.row(OLDEST_PENDING, &[]).await? {
        stats.oldest_pending = Some(from_millis(col(&row, 0)?)?);
    }
    for row in db.rows(COUNT_LANES, &[]).await? {
        let lane = usize::try_from(col::<i16>(&row, 0)?).unwrap_or(usize::MAX);
        if let Some(waiting) = stats.queued_effects.get_mut(lane) {
            *waiting = count(&row, 1)?;
        }
    }
    if let Some(row) = db.row(COUNT_DEAD, &[]).await? {
        stats.dead_effects = count(&row, 0)?;
    }
    Ok(stats)
}
