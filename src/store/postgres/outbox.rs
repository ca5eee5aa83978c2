//! Effects: queued with the decision that wants them, sent later.
//!
//! A row is live while it is `queued` or `sending`. `sending` means that a
//! request may have been sent: after a crash, such an effect is in doubt.

use jiff::Timestamp;
use tokio_postgres::Row;

use crate::{
    domain::id::{ForgeName, RepoKey},
    port::store::{EffectEnd, EffectId, NewEffect, StoreError, StoredEffect},
    store::postgres::{
        db::{Db, Step, Work},
        value::{
            args, bits, col, count, effect_state, id, json, lane, lane_number, millis, moment, number, text, text_col,
            to_json,
        },
    },
};

/// Replaces a live row with the same key: it keeps its place in the line and, if a
/// request may have been sent, its doubt and the wait before it is looked up.
pub(super) const QUEUE_REPLACING: &str = "
    INSERT INTO effect (forge, repo, key, installation, lane, effect, state, created_at, not_before, cause)
    VALUES ($1, $2, $3, $4, $5, $6, 'queued', $7, $7, $8)
    ON CONFLICT (forge, repo, key) WHERE ended_at IS NULL DO UPDATE SET
        version = effect.version + 1,
        installation = excluded.installation,
        lane = excluded.lane,
        effect = excluded.effect,
        attempts = 0,
        created_at = excluded.created_at,
        not_before = CASE effect.state
            WHEN 'sending' THEN greatest(effect.not_before, excluded.not_before)
            ELSE excluded.not_before END,
        note = '',
        cause = excluded.cause";

/// Queues an effect unless its key was ever used.
pub(super) const QUEUE_ONCE: &str = "
    INSERT INTO effect (forge, repo, key, installation, lane, effect, state, created_at, not_before, cause)
    SELECT $1, $2, $3, $4, $5, $6, 'queued', $7, $7, $8
    WHERE NOT EXISTS (SELECT 1 FROM effect WHERE forge = $1 AND repo = $2 AND key = $3)
    ON CONFLICT (forge, repo, key) WHERE ended_at IS NULL DO NOTHING";

/// Queues an effect.
pub(super) fn queue<'a>(
    work: &'a Work,
    repo: &'a RepoKey,
    new: &'a NewEffect,
    now: Timestamp,
) -> Result<Step<'a>, StoreError> {
    let effect = to_json(&new.effect)?;
    let sql = if new.replaces { QUEUE_REPLACING } else { QUEUE_ONCE };
    Ok(Box::pin(async move {
        let args = args![
            text(&repo.forge.0),
            bits(repo.id),
            text(&new.key),
            bits(new.installation),
            lane_number(new.effect.lane()),
            effect,
            millis(now),
            new.cause.map(number),
        ];
        work.run(sql, args).await
    }))
}

pub(super) const CANCEL: &str = "
    UPDATE effect SET state = 'dropped', ended_at = $4, note = 'no longer wanted'
    WHERE forge = $1 AND repo = $2 AND key = ANY($3::text[]) AND ended_at IS NULL";

/// Drops the live effects with these keys.
pub(super) fn cancel<'a>(work: &'a Work, repo: &'a RepoKey, keys: &'a [String], now: Timestamp) -> Step<'a> {
    Box::pin(async move {
        let keys: Vec<_> = keys.iter().map(|key| text(key)).collect();
        work.run(CANCEL, args![text(&repo.forge.0), bits(repo.id), keys, millis(now)]).await
    })
}

/// Lists due effects. Installations are visited one by one, and the lanes of each, so that a
/// long line costs the others nothing. Skips effects under another replica's lease ($3: this one).
pub(super) const DUE: &str = "
    WITH RECURSIVE line AS (
        (SELECT forge, installation FROM effect WHERE ended_at IS NULL ORDER BY forge, installation LIMIT 1)
        UNION ALL
        SELECT next.forge, next.installation FROM line CROSS JOIN LATERAL (
            SELECT forge, installation FROM effect
            WHERE ended_at IS NULL AND (forge, installation) > (line.forge, line.installation)
            ORDER BY forge, installation LIMIT 1
        ) AS next
    )
    SELECT due.* FROM line CROSS JOIN (VALUES (0::int2), (1::int2), (2::int2)) AS lanes (lane) CROSS JOIN LATERAL (
        SELECT id, version, forge, repo, key, installation, lane, effect, state, attempts, created_at, not_before,
               note, cause
        FROM effect e
        WHERE ended_at IS NULL AND forge = line.forge AND installation = line.installation AND lane = lanes.lane
          AND not_before <= $1
          AND coalesce((SELECT l.owner = $3 OR l.until <= now() FROM lease l
                        WHERE l.forge = e.forge AND l.kind = 1 AND l.id = e.repo), true)
        ORDER BY id LIMIT $2
    ) AS due
    WHERE coalesce((SELECT l.owner = $3 OR l.until <= now() FROM lease l
                    WHERE l.forge = line.forge AND l.kind = 2 AND l.id = line.installation), true)";

/// Lists live effects that may be tried at `now`.
pub(super) async fn due(
    db: &Db,
    now: Timestamp,
    per_lane: usize,
    replica: i64,
) -> Result<Vec<StoredEffect>, StoreError> {
    let rows = db.rows(DUE, args![millis(now), number(per_lane), replica]).await?;
    let mut due = readable(&rows)?;
    due.sort_by_key(|effect| (effect.lane, effect.id));
    Ok(due)
}

pub(super) const NEXT_AT: &str = "
    SELECT not_before FROM effect WHERE ended_at IS NULL AND not_before > $1 ORDER BY not_before LIMIT 1";

/// Returns when the next effect that is not yet due becomes due.
pub(super) async fn next_at(db: &Db, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
    let row = db.row(NEXT_AT, args![millis(now)]).await?;
    row.map(|row| moment(&row, 0)).transpose()
}

pub(super) const MARK_SENDING: &str =
    "UPDATE effect SET state = 'sending' WHERE id = $1 AND version = $2 AND ended_at IS NULL";

/// Marks an effect as about to be sent. Changes no row if it was replaced or has ended.
pub(super) fn mark_sending(work: &Work, id: EffectId, version: u64) -> Step<'_> {
    Box::pin(async move { work.run(MARK_SENDING, args![number(id), number(version)]).await })
}

pub(super) const IS_LIVE: &str = "SELECT 1 FROM effect WHERE id = $1 AND version = $2 AND ended_at IS NULL";

/// Returns whether an effect has neither ended nor been replaced.
pub(super) async fn is_live(db: &Db, id: EffectId, version: u64) -> Result<bool, StoreError> {
    Ok(db.row(IS_LIVE, args![number(id), number(version)]).await?.is_some())
}

pub(super) const RETRY: &str = "
    UPDATE effect SET state = $3, attempts = attempts + $4, not_before = $5, note = $6
    WHERE id = $1 AND version = $2 AND ended_at IS NULL";

pub(super) const END: &str = "
    UPDATE effect SET state = $3, attempts = attempts + $4, ended_at = $5, note = $6
    WHERE id = $1 AND version = $2 AND ended_at IS NULL";

/// Ends or postpones an attempt. Changes no row if it was replaced or has ended.
pub(super) fn end_attempt<'a>(work: &'a Work, id: EffectId, version: u64, end: &'a EffectEnd) -> Step<'a> {
    let (sql, state, counts, at, note) = match end {
        EffectEnd::Done { note, at } => (END, "done", true, at, note),
        EffectEnd::Dead { error, at } => (END, "dead", true, at, error),
        EffectEnd::Dropped { reason, at } => (END, "dropped", false, at, reason),
        EffectEnd::Retry { not_before, error, in_doubt, counts } => {
            (RETRY, if *in_doubt { "sending" } else { "queued" }, *counts, not_before, error)
        }
    };
    Box::pin(async move {
        work.run(sql, args![number(id), number(version), state, i32::from(counts), millis(*at), text(note)]).await
    })
}

/// Ends the doubt of a row: the attempt with an older version is over.
pub(super) fn leave_queued(work: &Work, id: EffectId, version: u64) -> Step<'_> {
    const LEAVE: &str = "UPDATE effect SET state = 'queued' WHERE id = $1 AND version <> $2 AND state = 'sending'";
    Box::pin(async move { work.run(LEAVE, args![number(id), number(version)]).await })
}

pub(super) const NEWEST: &str = "
    SELECT id, version, forge, repo, key, installation, lane, effect, state, attempts, created_at, not_before, note,
           cause
    FROM effect ORDER BY id DESC LIMIT $1";

pub(super) const NEWEST_DEAD: &str = "
    SELECT id, version, forge, repo, key, installation, lane, effect, state, attempts, created_at, not_before, note,
           cause
    FROM effect WHERE state = 'dead' ORDER BY id DESC LIMIT $1";

/// Lists effects, newest first.
pub(super) async fn effects(db: &Db, dead_only: bool, limit: usize) -> Result<Vec<StoredEffect>, StoreError> {
    readable(&db.rows(if dead_only { NEWEST_DEAD } else { NEWEST }, args![number(limit)]).await?)
}

/// Skips effects that only another version of phasebot can read: they
/// must not block the others, and wait for that version.
fn readable(rows: &[Row]) -> Result<Vec<StoredEffect>, StoreError> {
    let mut effects = Vec::new();
    for row in rows {
        match read(row) {
            Ok(effect) => effects.push(effect),
            Err(StoreError::Corrupt(why)) => tracing::error!(why, "an effect in the outbox can't be read"),
            Err(failed) => return Err(failed),
        }
    }
    Ok(effects)
}

/// Reads the columns of the three queries above.
fn read(row: &Row) -> Result<StoredEffect, StoreError> {
    Ok(StoredEffect {
        id: count(row, 0)?,
        version: count(row, 1)?,
        repo: RepoKey { forge: ForgeName(text_col(row, 2)?), id: id(row, 3)? },
        key: text_col(row, 4)?,
        installation: id(row, 5)?,
        lane: lane(col(row, 6)?)?,
        effect: json(row, 7)?,
        state: effect_state(col(row, 8)?)?,
        attempts: u32::try_from(col::<i32>(row, 9)?).unwrap_or(u32::MAX),
        created_at: moment(row, 10)?,
        not_before: moment(row, 11)?,
        note: text_col(row, 12)?,
        cause: col::<Option<i64>>(row, 13)?.map(i64::cast_unsigned),
    })
}
