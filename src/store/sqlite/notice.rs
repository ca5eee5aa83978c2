//! Notices: queued with the decision that wants them, sent later.
//!
//! There is one row for each thread and target. It stays after it ended: it knows the message that
//! the next notice of the thread edits.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::{
    domain::{id::RepoKey, notice::Notice},
    port::store::{EffectState, NewNotice, NoticeEnd, NoticeId, NoticeOutcome, NoticeStep, StoreError, StoredNotice},
    store::sqlite::value::{Forge, Id, Json, Moment, number, to_json},
};

/// Queues a notice that is worth a message, unless its thread's last one said the same.
pub(super) const QUEUE: &str = "
    INSERT INTO notice (forge, repo, target, thread, hash, body, state, created_at, not_before)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'queued', ?7, ?7)
    ON CONFLICT (forge, repo, target, thread) DO UPDATE SET
        version = notice.version + 1,
        hash = excluded.hash,
        body = excluded.body,
        state = CASE notice.state WHEN 'sending' THEN 'sending' ELSE 'queued' END,
        attempts = 0,
        created_at = excluded.created_at,
        not_before = CASE notice.state
            WHEN 'sending' THEN max(notice.not_before, excluded.not_before)
            ELSE excluded.not_before END,
        ended_at = NULL,
        note = ''
    WHERE notice.hash <> excluded.hash";

/// Changes the thread's message, if there is one; ends a notice that was not sent.
pub(super) const CHANGE: &str = "
    UPDATE notice SET
        version = version + 1,
        hash = ?5,
        body = ?6,
        state = CASE WHEN state = 'sending' THEN 'sending' WHEN message = '' THEN 'dropped' ELSE 'queued' END,
        attempts = 0,
        created_at = ?7,
        not_before = CASE state WHEN 'sending' THEN max(not_before, ?7) ELSE ?7 END,
        ended_at = CASE WHEN state <> 'sending' AND message = '' THEN ?7 END,
        note = ''
    WHERE forge = ?1 AND repo = ?2 AND target = ?3 AND thread = ?4 AND hash <> ?5
      AND (ended_at IS NULL OR message <> '')";

/// Queues a notice.
pub(super) fn queue(db: &Connection, repo: &RepoKey, new: &NewNotice, now: Timestamp) -> Result<(), StoreError> {
    let sql = if new.notice.is_news { QUEUE } else { CHANGE };
    db.prepare_cached(sql)?.execute(params![
        repo.forge.0,
        Id(repo.id),
        new.target,
        new.notice.thread,
        new.notice.digest(),
        to_json(&new.notice)?,
        Moment(now),
    ])?;
    Ok(())
}

/// Finds the next target with notices that wait.
pub(super) const NEXT_LINE: &str =
    "SELECT target FROM notice WHERE ended_at IS NULL AND target > ?1 ORDER BY target LIMIT 1";

pub(super) const DUE_IN_LINE: &str = "
    SELECT id, version, forge, repo, target, body, hash, state, step, attempts, created_at, not_before,
           message, shown, told, note, tried
    FROM notice WHERE ended_at IS NULL AND target = ?1 AND not_before <= ?2 ORDER BY id LIMIT ?3";

/// Lists notices that may be tried at `now`.
pub(super) fn due(db: &Connection, now: Timestamp, per_target: usize) -> Result<Vec<StoredNotice>, StoreError> {
    // One snapshot for all the queries; nothing to commit.
    let _snapshot = db.unchecked_transaction()?;
    let mut next_line = db.prepare_cached(NEXT_LINE)?;
    let mut due_in_line = db.prepare_cached(DUE_IN_LINE)?;
    let mut due = Vec::new();
    // Sorts before every target: none has an empty name.
    let mut line = String::new();
    while let Some(next) = next_line.query_row([&line], |row| row.get(0)).optional()? {
        line = next;
        let rows = due_in_line.query_map(params![line, Moment(now), number(per_target)], |row| Ok(read(row)))?;
        due.extend(readable(rows)?);
    }
    Ok(due)
}

pub(super) const NEXT_AT: &str =
    "SELECT not_before FROM notice WHERE ended_at IS NULL AND not_before > ?1 ORDER BY not_before LIMIT 1";

/// Returns when the next notice that is not yet due becomes due.
pub(super) fn next_at(db: &Connection, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
    let next = db.prepare_cached(NEXT_AT)?.query_row([Moment(now)], |row| row.get::<_, Moment>(0)).optional()?;
    Ok(next.map(|at| at.0))
}

pub(super) const MARK: &str = "UPDATE notice SET state = 'sending', tried = version, step = ?3 WHERE id = ?1 AND version = ?2 AND ended_at IS NULL";

/// Marks a notice as about to be sent. Returns `false` if it was replaced or has ended.
pub(super) fn mark(db: &Connection, id: NoticeId, version: u64, step: NoticeStep) -> Result<bool, StoreError> {
    Ok(db.prepare_cached(MARK)?.execute(params![number(id), number(version), step.as_str()])? > 0)
}

pub(super) const LEARN: &str = "
    UPDATE notice SET message = coalesce(?2, message), shown = coalesce(?3, shown), told = coalesce(?4, told)
    WHERE id = ?1";

pub(super) const RETRY: &str = "
    UPDATE notice SET state = ?3, attempts = attempts + ?4, not_before = ?5, note = ?6
    WHERE id = ?1 AND version = ?2 AND ended_at IS NULL";

pub(super) const END: &str = "
    UPDATE notice SET state = ?3, ended_at = ?4, note = ?5
    WHERE id = ?1 AND version = ?2 AND ended_at IS NULL";

/// Ends the doubt of a row: the attempt at an older notice is over.
pub(super) const LEAVE: &str =
    "UPDATE notice SET state = 'queued' WHERE id = ?1 AND version <> ?2 AND state = 'sending'";

/// Ends or postpones an attempt, and keeps what was learnt from it.
pub(super) fn finish(db: &Connection, id: NoticeId, version: u64, end: &NoticeEnd) -> Result<(), StoreError> {
    let (id, version) = (number(id), number(version));
    let learnt = &end.learnt;
    db.prepare_cached(LEARN)?.execute(params![id, learnt.message, learnt.shown, learnt.told])?;
    let (mut retry, mut ended) = (db.prepare_cached(RETRY)?, db.prepare_cached(END)?);
    let note = &end.note;
    let mut finish = |state: &str| ended.execute(params![id, version, state, Moment(end.at), note]);
    let mut in_doubt = false;
    match end.outcome {
        NoticeOutcome::Done => finish("done")?,
        NoticeOutcome::Dead => finish("dead")?,
        NoticeOutcome::Dropped => finish("dropped")?,
        NoticeOutcome::Continue => retry.execute(params![id, version, "queued", 0, Moment(end.at), note])?,
        NoticeOutcome::Retry { not_before, in_doubt: doubt } => {
            in_doubt = doubt;
            let state = if doubt { "sending" } else { "queued" };
            retry.execute(params![id, version, state, 1, Moment(not_before), note])?
        }
    };
    if !in_doubt {
        db.prepare_cached(LEAVE)?.execute([id, version])?;
    }
    Ok(())
}

pub(super) const NEWEST: &str = "
    SELECT id, version, forge, repo, target, body, hash, state, step, attempts, created_at, not_before,
           message, shown, told, note, tried
    FROM notice ORDER BY id DESC LIMIT ?1";

/// Lists notices, newest first.
pub(super) fn notices(db: &Connection, limit: usize) -> Result<Vec<StoredNotice>, StoreError> {
    let mut newest = db.prepare_cached(NEWEST)?;
    let rows = newest.query_map([number(limit)], |row| Ok(read(row)))?;
    readable(rows)
}

/// Skips notices that only another version of phasebot can read.
fn readable(
    rows: impl Iterator<Item = rusqlite::Result<rusqlite::Result<StoredNotice>>>,
) -> Result<Vec<StoredNotice>, StoreError> {
    let mut notices = Vec::new();
    for row in rows {
        match row?.map_err(StoreError::from) {
            Ok(notice) => notices.push(notice),
            Err(StoreError::Corrupt(why)) => tracing::error!(why, "a notice can't be read"),
            Err(failed) => return Err(failed),
        }
    }
    Ok(notices)
}

/// Reads the columns of the two lists above.
fn read(row: &Row<'_>) -> rusqlite::Result<StoredNotice> {
    Ok(StoredNotice {
        id: row.get(0)?,
        version: row.get(1)?,
        repo: RepoKey { forge: row.get::<_, Forge>(2)?.0, id: row.get::<_, Id>(3)?.0 },
        target: row.get(4)?,
        notice: row.get::<_, Json<Notice>>(5)?.0,
        hash: row.get(6)?,
        state: row.get::<_, EffectState>(7)?,
        step: NoticeStep::from_name(&row.get::<_, String>(8)?),
        attempts: row.get(9)?,
        created_at: row.get::<_, Moment>(10)?.0,
        not_before: row.get::<_, Moment>(11)?.0,
        message: row.get(12)?,
        shown: row.get(13)?,
        told: row.get(14)?,
        note: row.get(15)?,
        tried: row.get(16)?,
    })
}
