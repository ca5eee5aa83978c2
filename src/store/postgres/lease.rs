//! Leases: which replica decides for a repository or sends for an installation.
//!
//! A row belongs to its owner until it expires, by the server's clock. A
//! replica that takes it from another raises the epoch. Every commit names the
//! epochs under which it was made, and locks the rows against a taker until it
//! ends. A replica that was suspended for a while therefore stores nothing.

use std::{collections::BTreeSet, time::Duration};

use tokio_postgres::Row;

use crate::{
    domain::id::ForgeName,
    port::store::{Lease, LeaseKey, Partition, Pending, Seq, StoreError},
    store::postgres::{
        db::{Db, Step, Work},
        inbox::read_pending,
        schema,
        value::{args, bits, col, count, id, number, text, text_col},
    },
};

/// Duration of a lease.
pub(super) const LASTS: Duration = Duration::from_secs(15);

/// A key as columns: forge, kind, id.
type Kept<'a> = (&'a ForgeName, i16, i64);

fn kept(key: &LeaseKey) -> Kept<'_> {
    match key {
        LeaseKey::Partition(Partition { forge, repo: None }) => (forge, 0, 0),
        LeaseKey::Partition(Partition { forge, repo: Some(repo) }) => (forge, 1, bits(*repo)),
        LeaseKey::Installation(forge, installation) => (forge, 2, bits(*installation)),
    }
}

/// Reads a lease from its columns: forge, kind, id, epoch.
fn read(row: &Row) -> Result<Lease, StoreError> {
    let forge = ForgeName(text_col(row, 0)?);
    let key = match col::<i16>(row, 1)? {
        0 => LeaseKey::Partition(Partition { forge, repo: None }),
        1 => LeaseKey::Partition(Partition { forge, repo: Some(id(row, 2)?) }),
        2 => LeaseKey::Installation(forge, id(row, 2)?),
        other => return Err(StoreError::Corrupt(format!("unknown kind of lease {other}"))),
    };
    Ok(Lease { key, epoch: count(row, 3)?, lasts: Some(LASTS) })
}

/// Acquires leases. $1 to $3: the keys; $4: the replica; $5: duration (ms); $6: the schema's
/// version that the replica works on, since after a migration by a newer one it may decide nothing.
/// Skips a row that another write is using.
pub(super) const TAKE: &str = "
    WITH wanted AS (
        SELECT * FROM unnest($1::text[], $2::int2[], $3::int8[]) AS g (forge, kind, id)
        WHERE (SELECT version FROM phasebot_schema) = $6
    ), free AS (
        SELECT l.forge, l.kind, l.id FROM lease l JOIN wanted USING (forge, kind, id)
        WHERE l.owner = $4 OR l.until <= now()
        ORDER BY l.forge, l.kind, l.id
        FOR NO KEY UPDATE OF l SKIP LOCKED
    ), taken AS (
        UPDATE lease l
        SET epoch = l.epoch + CASE WHEN l.owner = $4 THEN 0 ELSE 1 END,
            owner = $4,
            until = now() + $5 * INTERVAL '1 millisecond'
        FROM free WHERE (l.forge, l.kind, l.id) = (free.forge, free.kind, free.id)
        RETURNING l.forge, l.kind, l.id, l.epoch
    ), made AS (
        INSERT INTO lease (forge, kind, id, owner, epoch, until)
        SELECT forge, kind, id, $4, 1, now() + $5 * INTERVAL '1 millisecond'
        FROM wanted w
        WHERE NOT EXISTS (SELECT 1 FROM lease l WHERE (l.forge, l.kind, l.id) = (w.forge, w.kind, w.id))
        ORDER BY forge, kind, id
        ON CONFLICT DO NOTHING
        RETURNING forge, kind, id, epoch
    )
    SELECT * FROM taken UNION ALL SELECT * FROM made";

/// Takes the leases requested from any owner, and waits for writes under them to end.
pub(super) const SEIZE: &str = "
    INSERT INTO lease AS l (forge, kind, id, owner, epoch, until)
    SELECT forge, kind, id, $4, 1, now() + $5 * INTERVAL '1 millisecond'
    FROM unnest($1::text[], $2::int2[], $3::int8[]) AS g (forge, kind, id)
    WHERE (SELECT version FROM phasebot_schema) = $6
    ORDER BY forge, kind, id
    ON CONFLICT (forge, kind, id) DO UPDATE
    SET epoch = l.epoch + CASE WHEN l.owner = $4 THEN 0 ELSE 1 END,
        owner = $4,
        until = excluded.until
    RETURNING forge, kind, id, epoch";

/// Acquires leases by `sql`, one of the two statements above.
pub(super) async fn take(db: &Db, sql: &str, keys: &[LeaseKey], replica: i64) -> Result<Vec<Lease>, StoreError> {
    let keys: BTreeSet<&LeaseKey> = keys.iter().collect();
    let (forges, kinds, ids) = columns(keys.into_iter());
    let rows = db.rows(sql, args![forges, kinds, ids, replica, number(LASTS.as_millis()), schema::known()]).await?;
    rows.iter().map(read).collect()
}

type Columns<'a> = (Vec<std::borrow::Cow<'a, str>>, Vec<i16>, Vec<i64>);

fn columns<'a>(keys: impl Iterator<Item = &'a LeaseKey>) -> Columns<'a> {
    let mut columns = (Vec::new(), Vec::new(), Vec::new());
    for (forge, kind, id) in keys.map(kept) {
        columns.0.push(text(&forge.0));
        columns.1.push(kind);
        columns.2.push(id);
    }
    columns
}

pub(super) const GIVE_BACK_ALL: &str = "UPDATE lease SET until = now() WHERE owner = $1 AND until > now()";

pub(super) const GIVE_BACK: &str = "
    UPDATE lease l SET until = now()
    FROM unnest($1::text[], $2::int2[], $3::int8[]) AS g (forge, kind, id)
    WHERE (l.forge, l.kind, l.id) = (g.forge, g.kind, g.id) AND l.owner = $4";

/// Releases leases. The epoch stays: it counts owners.
pub(super) async fn give_back(db: &Db, keys: Option<&[LeaseKey]>, replica: i64) -> Result<(), StoreError> {
    match keys {
        None => db.run(GIVE_BACK_ALL, args![replica]).await?,
        Some(keys) => {
            let (forges, kinds, ids) = columns(keys.iter());
            db.run(GIVE_BACK, args![forges, kinds, ids, replica]).await?
        }
    };
    Ok(())
}

/// Finds partitions with pending deliveries whose lease is free, after a position ($2 to $4).
/// Visits each partition once, however many deliveries are pending in it.
pub(super) const FREE: &str = "
    WITH RECURSIVE waiting AS (
        (SELECT forge, kind, line FROM delivery WHERE state = 'pending' AND kind >= 0 AND (forge, kind, line) > ($2, $3, $4)
         ORDER BY forge, kind, line LIMIT 1)
        UNION ALL
        SELECT next.forge, next.kind, next.line FROM waiting CROSS JOIN LATERAL (
            SELECT forge, kind, line FROM delivery
            WHERE state = 'pending' AND kind >= 0 AND (forge, kind, line) > (waiting.forge, waiting.kind, waiting.line)
            ORDER BY forge, kind, line LIMIT 1
        ) AS next
    )
    SELECT w.forge, w.kind, w.line, 0::int8 FROM waiting w
    WHERE coalesce((SELECT l.until <= now() FROM lease l
                    WHERE l.forge = w.forge AND l.kind = w.kind AND l.id = w.line), true)
    LIMIT $1";

/// Finds up to `most` free partitions with work, after `from` and then from the beginning.
pub(super) async fn free(db: &Db, most: usize, from: Option<&LeaseKey>) -> Result<Vec<LeaseKey>, StoreError> {
    let beginning = ("", -1_i16, 0_i64);
    let (forge, kind, id) = from.map(kept).map_or(beginning, |(forge, kind, id)| (forge.0.as_str(), kind, id));
    let rows = db.rows(FREE, args![number(most), text(forge), kind, id]).await?;
    rows.iter().map(|row| Ok(read(row)?.key)).collect()
}

pub(super) const CLAIMED: &str = "
    SELECT next.* FROM unnest($1::text[], $2::int2[], $3::int8[]) AS g (forge, kind, line)
    CROSS JOIN LATERAL (
        SELECT d.seq, d.forge, d.repo FROM delivery d
        WHERE d.state = 'pending' AND d.kind >= 0 AND d.forge = g.forge AND d.kind = g.kind AND d.line = g.line AND d.seq > $4
        ORDER BY d.forge, d.kind, d.line, d.seq LIMIT $5
    ) AS next
    ORDER BY next.seq LIMIT $5";

/// Lists the pending deliveries of these partitions, in order of arrival.
pub(super) async fn claimed(db: &Db, of: &[Partition], after: Seq, limit: usize) -> Result<Vec<Pending>, StoreError> {
    let keys: Vec<LeaseKey> = of.iter().cloned().map(LeaseKey::Partition).collect();
    let (forges, kinds, lines) = columns(keys.iter());
    let rows = db.rows(CLAIMED, args![forges, kinds, lines, number(after), number(limit)]).await?;
    rows.iter().map(read_pending).collect()
}

/// Locks lease rows against any other taker until the transaction ends. $6: the schema's version.
pub(super) const HOLD: &str = "
    SELECT 1 FROM lease l
    JOIN unnest($1::text[], $2::int2[], $3::int8[], $4::int8[]) AS g (forge, kind, id, epoch) USING (forge, kind, id)
    WHERE l.epoch = g.epoch AND l.owner = $5 AND (SELECT version FROM phasebot_schema) = $6
    ORDER BY l.forge, l.kind, l.id
    FOR SHARE OF l";

/// Locks the leases of a commit; returns how many this replica still has under their epochs.
pub(super) fn hold<'a>(work: &'a Work, under: &'a [Lease], replica: i64) -> Step<'a> {
    Box::pin(async move {
        let (forges, kinds, ids) = columns(under.iter().map(|lease| &lease.key));
        let epochs: Vec<i64> = under.iter().map(|lease| number(lease.epoch)).collect();
        Ok(work.rows(HOLD, args![forges, kinds, ids, epochs, replica, schema::known()]).await?.len() as u64)
    })
}

/// Invalidates what any replica read of a repository, or is about to read under a lease
/// that is just being made.
pub(super) const VOID: &str = "
    INSERT INTO lease (forge, kind, id, owner, epoch, until) VALUES ($1, 1, $2, 0, 1, now())
    ON CONFLICT (forge, kind, id) DO UPDATE SET epoch = lease.epoch + 1";
