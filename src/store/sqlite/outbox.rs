//! Effects: queued with the decision that wants them, sent later.
//!
//! A row is live while it is `queued` or `sending`. `sending` means that a
//! request may have been sent: after a crash, such an effect is in doubt.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::{
    domain::{
        effect::{Effect, Lane},
        id::RepoKey,
    },
    port::store::{Document, EffectEnd, EffectId, EffectState, NewEffect, StoreError, StoredEffect},
    store::sqlite::{
        repo,
        value::{Forge, Id, Json, LaneNumber, Moment, lane_number, number, to_json},
    },
};

/// Replaces a live row with the same key: it keeps its place in the line and, if a
/// request may have been sent, its doubt and the wait before it is looked up.
pub(super) const QUEUE_REPLACING: &str = "
    INSERT INTO effect (forge, repo, key, installation, lane, effect, state, created_at, not_before, cause)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'queued', ?7, ?7, ?8)
    ON CONFLICT (forge, repo, key) WHERE ended_at IS NULL DO UPDATE SET
        version = version + 1,
        installation = excluded.installation,
        lane = excluded.lane,
        effect = excluded.effect,
        attempts = 0,
        created_at = excluded.created_at,
        not_before = CASE state
            WHEN 'sending' THEN max(not_before, excluded.not_before)
            ELSE excluded.not_before END,
        note = '',
        cause = excluded.cause";

/// Queues an effect unless its key was ever used.
pub(super) const QUEUE_ONCE: &str = "
    INSERT INTO effect (forge, repo, key, installation, lane, effect, state, created_at, not_before, cause)
    SELECT ?1, ?2, ?3, ?4, ?5, ?6, 'queued', ?7, ?7, ?8
    WHERE NOT EXISTS (SELECT 1 FROM effect WHERE forge = ?1 AND repo = ?2 AND key = ?3)";

/// Queues an effect.
pub(super) fn queue(db: &Connection, repo: &RepoKey, new: &NewEffect, now: Timestamp) -> Result<(), StoreError> {
    let sql = if new.replaces { QUEUE_REPLACING } else { QUEUE_ONCE };
    db.prepare_cached(sql)?.execute(params![
        repo.forge.0,
        Id(repo.id),
        new.key,
        Id(new.installation),
        lane_number(new.effect.lane()),
        to_json(&new.effect)?,
        Moment(now),
        new.cause.map(number),
    ])?;
    Ok(())
}

pub(super) const CANCEL: &str = "
    UPDATE effect SET state = 'dropped', ended_at = ?4, note = 'no longer wanted'
    WHERE forge = ?1 AND repo = ?2 AND key = ?3 AND ended_at IS NULL";

/// Drops the live effect with this key, if there is one.
pub(super) fn cancel(db: &Connection, repo: &RepoKey, key: &str, now: Timestamp) -> Result<(), StoreError> {
    db.prepare_cached(CANCEL)?.execute(params![repo.forge.0, Id(repo.id), key, Moment(now)])?;
    Ok(())
}

/// Finds the next installation with live effects. Installations are visited
/// one by one, so that a long line of one costs the others nothing.
pub(super) const NEXT_LINE: &str = "
    SELECT forge, installation FROM effect
    WHERE ended_at IS NULL AND (forge, installation) > (?1, ?2)
    ORDER BY forge, installation LIMIT 1";

pub(super) const DUE_IN_LINE: &str = "
    SELECT id, version, forge, repo, key, installation, lane, effect, state, attempts, created_at, not_before, note,
           cause
    FROM effect
    WHERE ended_at IS NULL AND forge = ?1 AND installation = ?2 AND lane = ?3 AND not_before <= ?4
    ORDER BY id LIMIT ?5";

/// Lists live effects that may be tried at `now`.
pub(super) fn due(db: &Connection, now: Timestamp, per_lane: usize) -> Result<Vec<StoredEffect>, StoreError> {
    // One snapshot for all the queries; nothing to commit.
    let _snapshot = db.unchecked_transaction()?;
    let mut next_line = db.prepare_cached(NEXT_LINE)?;
    let mut due_in_line = db.prepare_cached(DUE_IN_LINE)?;
    let mut due = Vec::new();
    // Sorts before every installation: no forge has an empty name.
    let mut line: (String, i64) = (String::new(), i64::MIN);
    while let Some(next) =
        next_line.query_row(params![line.0, line.1], |row| Ok((row.get(0)?, row.get(1)?))).optional()?
    {
        line = next;
        for lane in Lane::ALL {
            let line = params![line.0, line.1, lane_number(lane), Moment(now), number(per_lane)];
            let rows = due_in_line.query_map(line, |row| Ok(read(row)))?;
            due.extend(readable(rows)?);
        }
    }
    due.sort_by_key(|effect| (effect.lane, effect.id));
    Ok(due)
}

pub(super) const NEXT_AT: &str = "
    SELECT not_before FROM effect WHERE ended_at IS NULL AND not_before > ?1 ORDER BY not_before LIMIT 1";

/// Returns when the next effect that is not yet due becomes due.
pub(super) fn next_at(db: &Connection, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
    let next = db.prepare_cached(NEXT_AT)?.query_row([Moment(now)], |row| row.get::<_, Moment>(0)).optional()?;
    Ok(next.map(|at| at.0))
}

pub(super) const MARK_SENDING: &str =
    "UPDATE effect SET state = 'sending' WHERE id = ?1 AND version = ?2 AND ended_at IS NULL";

/// Marks an effect as about to be sent. Returns `false` if it was replaced or has ended.
pub(super) fn mark_sending(db: &Connection, id: EffectId, version: u64) -> Result<bool, StoreError> {
    Ok(db.prepare_cached(MARK_SENDING)?.execute([number(id), number(version)])? > 0)
}

pub(super) const IS_LIVE: &str = "SELECT 1 FROM effect WHERE id = ?1 AND version = ?2 AND ended_at IS NULL";

/// Returns whether an effect has neither ended nor been replaced.
pub(super) fn is_live(db: &Connection, id: EffectId, version: u64) -> Result<bool, StoreError> {
    Ok(db.prepare_cached(IS_LIVE)?.exists([number(id), number(version)])?)
}

/// Ends or postpones an attempt, and stores the facts learnt from it.
pub(super) fn finish(
    db: &Connection,
    (id, version): (EffectId, u64),
    end: &EffectEnd,
    repo: &RepoKey,
    facts: &[Document],
) -> Result<(), StoreError> {
    repo::keep_facts(db, repo, facts)?;
    if !facts.is_empty() {
        repo::raise_version(db, repo)?;
    }
    if !end_attempt(db, id, version, end)? && !matches!(end, EffectEnd::Retry { in_doubt: true, .. }) {
        leave_queued(db, id)?;
    }
    Ok(())
}

pub(super) const RETRY: &str = "
    UPDATE effect SET state = ?3, attempts = attempts + ?4, not_before = ?5, note = ?6
    WHERE id = ?1 AND version = ?2 AND ended_at IS NULL";

pub(super) const END: &str = "
    UPDATE effect SET state = ?3, attempts = attempts + ?4, ended_at = ?5, note = ?6
    WHERE id = ?1 AND version = ?2 AND ended_at IS NULL";

/// Ends or postpones an attempt. Returns `false`, changing nothing, if the row was replaced or
/// has ended.
fn end_attempt(db: &Connection, id: EffectId, version: u64, end: &EffectEnd) -> Result<bool, StoreError> {
    let (sql, state, counts, at, note) = match end {
        EffectEnd::Done { note, at } => (END, "done", true, at, note),
        EffectEnd::Dead { error, at } => (END, "dead", true, at, error),
        EffectEnd::Dropped { reason, at } => (END, "dropped", false, at, reason),
        EffectEnd::Retry { not_before, error, in_doubt, counts } => {
            (RETRY, if *in_doubt { "sending" } else { "queued" }, *counts, not_before, error)
        }
    };
    let changed =
        db.prepare_cached(sql)?.execute(params![number(id), number(version), state, counts, Moment(*at), note])?;
    Ok(changed > 0)
}

/// Ends the doubt of a row: the attempt with the older version is over.
fn leave_queued(db: &Connection, id: EffectId) -> Result<(), StoreError> {
    db.prepare_cached("UPDATE effect SET state = 'queued' WHERE id = ?1 AND state = 'sending'")?
        .execute([number(id)])?;
    Ok(())
}

pub(super) const NEWEST: &str = "
    SELECT id, version, forge, repo, key, installation, lane, effect, state, attempts, created_at, not_before, note,
           cause
    FROM effect ORDER BY id DESC LIMIT ?1";

pub(super) const NEWEST_DEAD: &str = "
    SELECT id, version, forge, repo, key, installation, lane, effect, state, attempts, created_at, not_before, note,
           cause
    FROM effect WHERE state = 'dead' ORDER BY id DESC LIMIT ?1";

/// Lists effects, newest first.
pub(super) fn effects(db: &Connection, dead_only: bool, limit: usize) -> Result<Vec<StoredEffect>, StoreError> {
    let mut statement = db.prepare_cached(if dead_only { NEWEST_DEAD } else { NEWEST })?;
    let rows = statement.query_map([number(limit)], |row| Ok(read(row)))?;
    readable(rows)
}

/// Skips effects that only another version of phasebot can read: they
/// must not block the others, and wait for that version.
fn readable(
    rows: impl Iterator<Item = rusqlite::Result<rusqlite::Result<StoredEffect>>>,
) -> Result<Vec<StoredEffect>, StoreError> {
    let mut effects = Vec::new();
    for row in rows {
        match row?.map_err(StoreError::from) {
            Ok(effect) => effects.push(effect),
            Err(StoreError::Corrupt(why)) => tracing::error!(why, "an effect in the outbox can't be read"),
            Err(failed) => return Err(failed),
        }
    }
    Ok(effects)
}

/// Reads the columns of the three queries above.
fn read(row: &Row<'_>) -> rusqlite::Result<StoredEffect> {
    Ok(StoredEffect {
        id: row.get(0)?,
        version: row.get(1)?,
        repo: RepoKey { forge: row.get::<_, Forge>(2)?.0, id: row.get::<_, Id>(3)?.0 },
        key: row.get(4)?,
        installation: row.get::<_, Id>(5)?.0,
        lane: row.get::<_, LaneNumber>(6)?.0,
        effect: row.get::<_, Json<Effect>>(7)?.0,
        state: row.get::<_, EffectState>(8)?,
        attempts: row.get(9)?,
        created_at: row.get::<_, Moment>(10)?.0,
        not_before: row.get::<_, Moment>(11)?.0,
        note: row.get(12)?,
        cause: row.get(13)?,
    })
}
