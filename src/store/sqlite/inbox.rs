//! Deliveries.

use std::collections::BTreeSet;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};

use crate::{
    domain::id::ForgeName,
    port::store::{
        Accepted, DeliveryFilter, DeliveryRow, DeliveryState, NewDelivery, Partition, Pending, Seq, StoreError,
        StoredDelivery,
    },
    store::{
        pack::{Packed, unpack},
        sqlite::value::{Forge, Id, Moment, number},
        timely::turned,
    },
};

/// Length of a list when the filter sets none.
const DEFAULT_LIST: usize = 50;

pub(super) const ACCEPT: &str = "
    INSERT INTO delivery
        (forge, hook, delivery, event, action, repo, target, installation, received_at, state, note)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
    ON CONFLICT (delivery, hook, forge) DO NOTHING";

pub(super) const FIND: &str = "SELECT seq FROM delivery WHERE delivery = ?1 AND hook = ?2 AND forge = ?3";

/// Stores a delivery with its compressed body, unless it is stored already.
pub(super) fn accept(db: &Connection, new: &NewDelivery, body: &Packed) -> Result<Accepted, StoreError> {
    let repo = match &new.target {
        Some(name) => named(db, &new.forge, name)?,
        None => new.repo,
    };
    let (state, note) = match (&new.quarantined, &new.target) {
        (Some(why), _) => (DeliveryState::Quarantined, why.clone()),
        (None, Some(name)) if repo.is_none() => {
            (DeliveryState::Pending, format!("waits: phasebot is not installed on {name}"))
        }
        (None, _) => (DeliveryState::Pending, String::new()),
    };
    let id = turned(&new.delivery);
    let kept = db.prepare_cached(ACCEPT)?.execute(params![
        new.forge.0,
        new.hook,
        id,
        new.event,
        new.action,
        repo.map(Id),
        new.target,
        new.installation.map(Id),
        Moment(new.received_at),
        state.as_str(),
        note,
    ])?;
    if kept == 0 {
        let seq = db.prepare_cached(FIND)?.query_row(params![id, new.hook, new.forge.0], |row| row.get(0))?;
        return Ok(Accepted::Duplicate(seq));
    }
    let seq = db.last_insert_rowid();
    db.prepare_cached("INSERT INTO delivery_body (seq, size, body) VALUES (?1, ?2, ?3)")?.execute(params![
        seq,
        number(body.size),
        body.frame,
    ])?;
    Ok(Accepted::New(seq.cast_unsigned()))
}

/// Finds the repository that has this name, or had it and no other took it since.
pub(super) const NAMED: &str = "SELECT repo FROM repository_name WHERE forge = ?1 AND name = ?2";

fn named(db: &Connection, forge: &ForgeName, name: &str) -> Result<Option<u64>, StoreError> {
    let found = db.prepare_cached(NAMED)?.query_row(params![forge.0, name], |row| row.get::<_, Id>(0)).optional()?;
    Ok(found.map(|id| id.0))
}

pub(super) const TAKE_UP: &str = "
    UPDATE delivery SET repo = ?3, note = CASE state WHEN 'pending' THEN '' ELSE note END
    WHERE forge = ?1 AND target = ?2 AND target IS NOT NULL AND repo IS NULL";

/// Assigns alerts that waited for a repository of this name to it.
pub(super) fn take_up(db: &Connection, forge: &ForgeName, name: &str, repo: u64) -> Result<(), StoreError> {
    db.prepare_cached(TAKE_UP)?.execute(params![forge.0, name, Id(repo)])?;
    Ok(())
}

pub(super) const PENDING: &str = "
    SELECT seq, forge, repo FROM delivery
    WHERE state = 'pending' AND seq > ?1 AND (target IS NULL OR repo IS NOT NULL)
    ORDER BY seq LIMIT ?2";

/// Lists pending deliveries, in order of arrival.
pub(super) fn pending(db: &Connection, after: Seq, limit: usize) -> Result<Vec<Pending>, StoreError> {
    let mut statement = db.prepare_cached(PENDING)?;
    let rows = statement.query_map(params![number(after), number(limit)], |row| {
        let partition = Partition { forge: row.get::<_, Forge>(1)?.0, repo: optional_id(row, 2)? };
        Ok(Pending { seq: row.get(0)?, partition })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) const DELIVERY: &str = "
    SELECT seq, forge, hook, delivery, event, action, repo, installation, received_at, decided_at, state, note,
           attempts, target, size, body
    FROM delivery JOIN delivery_body USING (seq)
    WHERE seq = ?1";

/// Reads one delivery with its body.
pub(super) fn delivery(db: &Connection, seq: Seq) -> Result<Option<StoredDelivery>, StoreError> {
    let found = db
        .prepare_cached(DELIVERY)?
        .query_row([number(seq)], |row| Ok((read(row)?, row.get::<_, usize>(14)?, row.get::<_, Vec<u8>>(15)?)))
        .optional()?;
    let Some((row, size, frame)) = found else { return Ok(None) };
    let body: Bytes = unpack(&frame, size)?;
    Ok(Some(StoredDelivery { row, body }))
}

pub(super) const TAKEN_IN: &str = "SELECT 1 FROM delivery WHERE delivery = ?1 AND forge = ?2 LIMIT 1";

/// Returns the ids among these that are stored, from any hook.
pub(super) fn taken_in(db: &Connection, forge: &ForgeName, ids: Vec<String>) -> Result<BTreeSet<String>, StoreError> {
    let mut statement = db.prepare_cached(TAKEN_IN)?;
    let mut found = BTreeSet::new();
    for id in ids {
        if statement.exists(params![turned(&id), forge.0])? {
            found.insert(id);
        }
    }
    Ok(found)
}

/// Lists deliveries, newest first.
pub(super) fn deliveries(db: &Connection, filter: &DeliveryFilter) -> Result<Vec<DeliveryRow>, StoreError> {
    let (sql, values) = list_query(filter);
    let mut statement = db.prepare_cached(&sql)?;
    let values: Vec<&dyn ToSql> = values.iter().map(AsRef::as_ref).collect();
    let rows = statement.query_map(values.as_slice(), read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Builds the query for a list: its text depends only on which filters are set.
pub(super) fn list_query(filter: &DeliveryFilter) -> (String, Vec<Box<dyn ToSql + '_>>) {
    let mut sql = "
    SELECT seq, forge, hook, delivery, event, action, repo, installation, received_at, decided_at, state, note,
           attempts, target
    FROM delivery WHERE true"
        .to_owned();
    let mut values: Vec<Box<dyn ToSql + '_>> = Vec::new();
    if let Some(delivery) = &filter.delivery {
        sql.push_str(" AND delivery = ?");
        values.push(Box::new(turned(delivery)));
    }
    if let Some(state) = filter.state {
        // The id finds fewer rows than the state: the plus keeps the planner from using
        // the state's index.
        sql.push_str(if filter.delivery.is_some() { " AND +state = ?" } else { " AND state = ?" });
        values.push(Box::new(state.as_str()));
    }
    if let Some(event) = &filter.event {
        sql.push_str(" AND event = ?");
        values.push(Box::new(event));
    }
    if let Some(repo) = filter.repo {
        sql.push_str(" AND repo = ?");
        values.push(Box::new(Id(repo)));
    }
    sql.push_str(" ORDER BY seq DESC LIMIT ?");
    values.push(Box::new(number(if filter.limit == 0 { DEFAULT_LIST } else { filter.limit })));
    (sql, values)
}

pub(super) const REPLAY: &str = "
    UPDATE delivery SET state = 'pending', note = '', attempts = 0, decided_at = NULL
    WHERE seq = ?1 AND state <> 'pending'";

/// Sets a delivery that is not pending back to pending.
pub(super) fn replay(db: &Connection, seq: Seq) -> Result<bool, StoreError> {
    Ok(db.prepare_cached(REPLAY)?.execute([number(seq)])? > 0)
}

pub(super) const DROP: &str = "
    UPDATE delivery SET state = 'dropped', note = ?2
    WHERE seq = ?1 AND state IN ('pending', 'quarantined', 'dead')";

/// Ends a delivery that is open.
pub(super) fn drop_delivery(db: &Connection, seq: Seq, why: &str) -> Result<bool, StoreError> {
    Ok(db.prepare_cached(DROP)?.execute(params![number(seq), why])? > 0)
}

/// Reads the columns that a list shows, in the order of both queries above.
fn read(row: &Row<'_>) -> rusqlite::Result<DeliveryRow> {
    Ok(DeliveryRow {
        seq: row.get(0)?,
        forge: row.get::<_, Forge>(1)?.0,
        hook: row.get(2)?,
        delivery: turned(row.get_ref(3)?.as_str()?).into_owned(),
        event: row.get(4)?,
        action: row.get(5)?,
        repo: optional_id(row, 6)?,
        target: row.get(13)?,
        installation: optional_id(row, 7)?,
        received_at: row.get::<_, Moment>(8)?.0,
        decided_at: row.get::<_, Option<Moment>>(9)?.map(|at| at.0),
        state: row.get(10)?,
        note: row.get(11)?,
        attempts: row.get(12)?,
    })
}

fn optional_id(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<u64>> {
    Ok(row.get::<_, Option<Id>>(column)?.map(|id| id.0))
}
