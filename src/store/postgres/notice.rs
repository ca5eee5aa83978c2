//! Notices: queued with the decision that wants them, sent later.
//!
//! There is one row for each thread and target. It stays after it ended: it knows the message that
//! the next notice of the thread edits.

use jiff::Timestamp;
use tokio_postgres::Row;

use crate::{
    domain::id::{ForgeName, RepoKey},
    port::store::{NewNotice, NoticeEnd, NoticeId, NoticeOutcome, NoticeStep, StoreError, StoredNotice},
    store::postgres::{
        db::{Db, Step, Work, patiently, pipeline},
        value::{args, bits, col, count, effect_state, id, json, millis, moment, number, text, text_col, to_json},
    },
};

/// Queues a notice that is worth a message, unless its thread's last one said the same.
pub(super) const QUEUE: &str = "
    INSERT INTO notice (forge, repo, target, thread, hash, body, state, created_at, not_before)
    VALUES ($1, $2, $3, $4, $5, $6, 'queued', $7, $7)
    ON CONFLICT (forge, repo, target, thread) DO UPDATE SET
        version = notice.version + 1,
        hash = excluded.hash,
        body = excluded.body,
        state = CASE notice.state WHEN 'sending' THEN 'sending' ELSE 'queued' END,
        attempts = 0,
        created_at = excluded.created_at,
        not_before = CASE notice.state
            WHEN 'sending' THEN greatest(notice.not_before, excluded.not_before)
            ELSE excluded.not_before END,
        ended_at = NULL,
        note = ''
    WHERE notice.hash <> excluded.hash";

/// Changes the thread's message, if there is one; ends a notice that was not sent.
pub(super) const CHANGE: &str = "
    UPDATE notice SET
        version = version + 1,
        hash = $5,
        body = $6,
        state = CASE WHEN state = 'sending' THEN 'sending' WHEN message = '' THEN 'dropped' ELSE 'queued' END,
        attempts = 0,
        created_at = $7,
        not_before = CASE state WHEN 'sending' THEN greatest(not_before, $7) ELSE $7 END,
        ended_at = CASE WHEN state <> 'sending' AND message = '' THEN $7 END,
        note = ''
    WHERE forge = $1 AND repo = $2 AND target = $3 AND thread = $4 AND hash <> $5
      AND (ended_at IS NULL OR message <> '')";

/// Queues a notice.
pub(super) fn queue<'a>(
    work: &'a Work,
    repo: &'a RepoKey,
    new: &'a NewNotice,
    now: Timestamp,
) -> Result<Step<'a>, StoreError> {
    let body = to_json(&new.notice)?;
    let sql = if new.notice.is_news { QUEUE } else { CHANGE };
    Ok(Box::pin(async move {
        let args = args![
            text(&repo.forge.0),
            bits(repo.id),
            text(&new.target),
            text(&new.notice.thread),
            new.notice.digest(),
            body,
            millis(now),
        ];
        work.run(sql, args).await
    }))
}

/// Lists due notices. Targets are visited one by one, so that a long line costs the others nothing.
pub(super) const DUE: &str = "
    WITH RECURSIVE line AS (
        (SELECT target FROM notice WHERE ended_at IS NULL ORDER BY target LIMIT 1)
        UNION ALL
        SELECT next.target FROM line CROSS JOIN LATERAL (
            SELECT target FROM notice WHERE ended_at IS NULL AND target > line.target ORDER BY target LIMIT 1
        ) AS next
    )
    SELECT due.* FROM line CROSS JOIN LATERAL (
        SELECT id, version, forge, repo, target, body, hash, state, step, attempts, created_at, not_before,
           message, shown, told, note, tried
        FROM notice WHERE ended_at IS NULL AND target = line.target AND not_before <= $1 ORDER BY id LIMIT $2
    ) AS due";

/// Lists notices that may be tried at `now`.
pub(super) async fn due(db: &Db, now: Timestamp, per_target: usize) -> Result<Vec<StoredNotice>, StoreError> {
    readable(&db.rows(DUE, args![millis(now), number(per_target)]).await?)
}

pub(super) const NEXT_AT: &str =
    "SELECT not_before FROM notice WHERE ended_at IS NULL AND not_before > $1 ORDER BY not_before LIMIT 1";

/// Returns when the next notice that is not yet due becomes due.
pub(super) async fn next_at(db: &Db, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
    let row = db.row(NEXT_AT, args![millis(now)]).await?;
    row.map(|row| moment(&row, 0)).transpose()
}

pub(super) const MARK: &str = "UPDATE notice SET state = 'sending', tried = version, step = $3 WHERE id = $1 AND version = $2 AND ended_at IS NULL";

/// Marks a notice as about to be sent. Changes no row if it was replaced or has ended.
pub(super) fn mark(work: &Work, id: NoticeId, version: u64, step: NoticeStep) -> Step<'_> {
    Box::pin(async move { work.run(MARK, args![number(id), number(version), step.as_str()]).await })
}

pub(super) const LEARN: &str = "
    UPDATE notice SET message = coalesce($2, message), shown = coalesce($3, shown), told = coalesce($4, told)
    WHERE id = $1";

pub(super) const RETRY: &str = "
    UPDATE notice SET state = $3, attempts = attempts + $4, not_before = $5, note = $6
    WHERE id = $1 AND version = $2 AND ended_at IS NULL";

pub(super) const END: &str = "
    UPDATE notice SET state = $3, ended_at = $4, note = $5
    WHERE id = $1 AND version = $2 AND ended_at IS NULL";

/// Ends the doubt of a row: the attempt at an older notice is over.
pub(super) const LEAVE: &str =
    "UPDATE notice SET state = 'queued' WHERE id = $1 AND version <> $2 AND state = 'sending'";

/// Ends or postpones an attempt, and keeps what was learnt from it.
pub(super) async fn finish(db: &Db, id: NoticeId, version: u64, end: &NoticeEnd) -> Result<(), StoreError> {
    let (id, version) = (number(id), number(version));
    let learnt = &end.learnt;
    let (message, shown, told) =
        (learnt.message.as_deref().map(text), learnt.shown.as_deref().map(text), learnt.told.as_deref().map(text));
    let note = text(&end.note);
    let mut work = db.work().await?;
    patiently(async {
        let mut steps: Vec<Step<'_>> = vec![Box::pin(work.begin())];
        steps.push(Box::pin(async { work.run(LEARN, args![id, message, shown, told]).await }));
        let ended = |state: &'static str| -> Step<'_> {
            let (work, note) = (&work, &note);
            Box::pin(async move { work.run(END, args![id, version, state, millis(end.at), note.as_ref()]).await })
        };
        let again = |state: &'static str, counts: i32, at: Timestamp| -> Step<'_> {
            let (work, note) = (&work, &note);
            Box::pin(async move { work.run(RETRY, args![id, version, state, counts, millis(at), note.as_ref()]).await })
        };
        let mut in_doubt = false;
        steps.push(match end.outcome {
            NoticeOutcome::Done => ended("done"),
            NoticeOutcome::Dead => ended("dead"),
            NoticeOutcome::Dropped => ended("dropped"),
            NoticeOutcome::Continue => again("queued", 0, end.at),
            NoticeOutcome::Retry { not_before, in_doubt: doubt } => {
                in_doubt = doubt;
                again(if doubt { "sending" } else { "queued" }, 1, not_before)
            }
        });
        if !in_doubt {
            steps.push(Box::pin(async { work.run(LEAVE, args![id, version]).await }));
        }
        pipeline(steps).await?;
        work.plain("COMMIT").await?;
        Ok(())
    })
    .await
    .inspect(|()| work.end())
}

pub(super) const NEWEST: &str = "
    SELECT id, version, forge, repo, target, body, hash, state, step, attempts, created_at, not_before,
           message, shown, told, note, tried
    FROM notice ORDER BY id DESC LIMIT $1";

/// Lists notices, newest first.
pub(super) async fn notices(db: &Db, limit: usize) -> Result<Vec<StoredNotice>, StoreError> {
    readable(&db.rows(NEWEST, args![number(limit)]).await?)
}

/// Skips notices that only another version of phasebot can read.
fn readable(rows: &[Row]) -> Result<Vec<StoredNotice>, StoreError> {
    let mut notices = Vec::new();
    for row in rows {
        match read(row) {
            Ok(notice) => notices.push(notice),
            Err(StoreError::Corrupt(why)) => tracing::error!(why, "a notice can't be read"),
            Err(failed) => return Err(failed),
        }
    }
    Ok(notices)
}

/// Reads the columns of the two lists above.
fn read(row: &Row) -> Result<StoredNotice, StoreError> {
    Ok(StoredNotice {
        id: count(row, 0)?,
        version: count(row, 1)?,
        repo: RepoKey { forge: ForgeName(text_col(row, 2)?), id: id(row, 3)? },
        target: text_col(row, 4)?,
        notice: json(row, 5)?,
        hash: text_col(row, 6)?,
        state: effect_state(col(row, 7)?)?,
        step: NoticeStep::from_name(col(row, 8)?),
        attempts: u32::try_from(col::<i32>(row, 9)?).unwrap_or(u32::MAX),
        created_at: moment(row, 10)?,
        not_before: moment(row, 11)?,
        message: text_col(row, 12)?,
        shown: text_col(row, 13)?,
        told: text_col(row, 14)?,
        note: text_col(row, 15)?,
        tried: count(row, 16)?,
    })
}
