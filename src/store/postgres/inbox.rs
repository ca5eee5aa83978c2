//! Stored deliveries.

use std::{collections::BTreeSet, fmt::Write as _};

use bytes::Bytes;
use tokio_postgres::{
    Row,
    types::{ToSql, Type},
};

use crate::{
    domain::id::ForgeName,
    port::store::{DeliveryFilter, DeliveryRow, DeliveryState, Partition, Pending, Seq, StoreError, StoredDelivery},
    store::{
        pack::unpack,
        postgres::{
            db::Db,
            value::{args, bits, col, count, id_or_none, moment, moment_or_none, number, text, text_col, text_or_none},
        },
        timely::turned,
    },
};

/// Length of a list when the filter sets none.
const DEFAULT_LIST: usize = 50;

pub(super) const PENDING: &str = "
    SELECT seq, forge, repo FROM delivery
    WHERE state = 'pending' AND kind >= 0 AND seq > $1
    ORDER BY seq LIMIT $2";

/// Lists pending deliveries, in order of arrival.
pub(super) async fn pending(db: &Db, after: Seq, limit: usize) -> Result<Vec<Pending>, StoreError> {
    db.rows(PENDING, args![number(after), number(limit)]).await?.iter().map(read_pending).collect()
}

/// Reads a number with its partition: the columns of `PENDING` and `CLAIMED`.
pub(super) fn read_pending(row: &Row) -> Result<Pending, StoreError> {
    let partition = Partition { forge: ForgeName(text_col(row, 1)?), repo: id_or_none(row, 2)? };
    Ok(Pending { seq: count(row, 0)?, partition })
}

pub(super) const DELIVERY: &str = "
    SELECT seq, forge, hook, delivery, event, action, repo, installation, received_at, decided_at, state, note,
           attempts, target, size, body
    FROM delivery JOIN delivery_body USING (seq)
    WHERE seq = $1";

/// Reads one delivery with its body.
pub(super) async fn delivery(db: &Db, seq: Seq) -> Result<Option<StoredDelivery>, StoreError> {
    let Some(row) = db.row(DELIVERY, args![number(seq)]).await? else { return Ok(None) };
    let size = usize::try_from(col::<i64>(&row, 14)?).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    let body: Bytes = unpack(col(&row, 15)?, size)?;
    Ok(Some(StoredDelivery { row: read(&row)?, body }))
}

pub(super) const TAKEN_IN: &str = "
    SELECT given.n FROM unnest($1::text[]) WITH ORDINALITY AS given (id, n)
    WHERE EXISTS (SELECT 1 FROM delivery d WHERE d.delivery = given.id AND d.forge = $2)";

/// Returns the ids among these that are stored, from any hook.
pub(super) async fn taken_in(db: &Db, forge: &ForgeName, ids: &[String]) -> Result<BTreeSet<String>, StoreError> {
    let turned: Vec<_> = ids.iter().map(|id| turned(id)).collect();
    let given: Vec<_> = turned.iter().map(|id| text(id)).collect();
    let rows = db.rows(TAKEN_IN, args![given, text(&forge.0)]).await?;
    let place = |row: &Row| Ok(usize::try_from(col::<i64>(row, 0)? - 1).unwrap_or(usize::MAX));
    let places = rows.iter().map(place).collect::<Result<Vec<_>, StoreError>>()?;
    Ok(places.into_iter().filter_map(|place| ids.get(place).cloned()).collect())
}

/// Lists deliveries, newest first.
pub(super) async fn deliveries(db: &Db, filter: &DeliveryFilter) -> Result<Vec<DeliveryRow>, StoreError> {
    let (sql, values) = list_query(filter);
    let args: Vec<(&(dyn ToSql + Sync), Type)> = values.iter().map(|(v, t)| (v.as_ref() as _, t.clone())).collect();
    db.rows(&sql, &args).await?.iter().map(read).collect()
}

/// A value of a list's filter.
type Value = (Box<dyn ToSql + Sync + Send>, Type);

/// Builds the query for a list.
pub(super) fn list_query(filter: &DeliveryFilter) -> (String, Vec<Value>) {
    let mut sql = "
    SELECT seq, forge, hook, delivery, event, action, repo, installation, received_at, decided_at, state, note,
           attempts, target
    FROM delivery WHERE true"
        .to_owned();
    let mut values: Vec<Value> = Vec::new();
    let mut and = |condition: &str, value: Value| {
        values.push(value);
        let _ = write!(sql, " AND {condition} ${}", values.len());
    };
    if let Some(delivery) = &filter.delivery {
        and("delivery =", (Box::new(text(&turned(delivery)).into_owned()), Type::TEXT));
    }
    if let Some(event) = &filter.event {
        and("event =", (Box::new(text(event).into_owned()), Type::TEXT));
    }
    if let Some(repo) = filter.repo {
        and("repo =", (Box::new(bits(repo)), Type::INT8));
    }
    if let Some(state) = filter.state {
        // Written into the text, not passed: so that the planner can choose the partial index.
        let _ = write!(sql, " AND state = '{}'", state.as_str());
    }
    values.push((Box::new(number(if filter.limit == 0 { DEFAULT_LIST } else { filter.limit })), Type::INT8));
    // An id matches so few rows that sorting them is cheap; avoiding it by reading all is not.
    let order = if filter.delivery.is_some() { "seq + 0" } else { "seq" };
    let _ = write!(sql, " ORDER BY {order} DESC LIMIT ${}", values.len());
    (sql, values)
}

pub(super) const REPLAY: &str = "
    UPDATE delivery SET state = 'pending', note = '', attempts = 0, decided_at = NULL
    WHERE seq = $1 AND state <> 'pending'";

/// Sets a delivery that is not pending back to pending.
pub(super) async fn replay(db: &Db, seq: Seq) -> Result<bool, StoreError> {
    Ok(db.run(REPLAY, args![number(seq)]).await? > 0)
}

pub(super) const DROP: &str = "
    UPDATE delivery SET state = 'dropped', note = $2
    WHERE seq = $1 AND state IN ('pending', 'quarantined', 'dead')";

/// Ends a delivery that is open.
pub(super) async fn drop_delivery(db: &Db, seq: Seq, why: &str) -> Result<bool, StoreError> {
    Ok(db.run(DROP, args![number(seq), text(why)]).await? > 0)
}

/// Reads the columns that a list shows, in the order of both queries above.
fn read(row: &Row) -> Result<DeliveryRow, StoreError> {
    let state: &str = col(row, 10)?;
    Ok(DeliveryRow {
        seq: count(row, 0)?,
        forge: ForgeName(text_col(row, 1)?),
        hook: text_col(row, 2)?,
        delivery: turned(&text_col(row, 3)?).into_owned(),
        event: text_col(row, 4)?,
        action: text_or_none(row, 5)?,
        repo: id_or_none(row, 6)?,
        installation: id_or_none(row, 7)?,
        received_at: moment(row, 8)?,
        decided_at: moment_or_none(row, 9)?,
        state: DeliveryState::from_name(state)
            .ok_or_else(|| StoreError::Corrupt(format!("unknown delivery state {state:?}")))?,
        note: text_col(row, 11)?,
        attempts: u32::try_from(col::<i32>(row, 12)?).unwrap_or(u32::MAX),
        target: text_or_none(row, 13)?,
    })
}
