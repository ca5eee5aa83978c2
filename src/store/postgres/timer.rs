//! Timers: one per item.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::store::postgres::{
    db::{Db, Step, Work},
    value::{args, bits, id, millis, moment, number, text, text_col},
};
use crate::{
    domain::id::{ForgeName, ItemNumber, RepoKey},
    port::store::{StoreError, Timer},
    store::moment::not_before,
};

/// What another replica ($3: this one) has the lease of is its own. The lease
/// is looked up for each row, so that no plan reads all leases.
pub(super) const DUE: &str = "
    SELECT forge, repo, item, at FROM timer t
    WHERE at <= $1
      AND coalesce((SELECT l.owner = $3 OR l.until <= now() FROM lease l
                    WHERE l.forge = t.forge AND l.kind = 1 AND l.id = t.repo), true)
    ORDER BY at LIMIT $2";

/// Timers due at `now`, oldest first.
pub(super) async fn due(db: &Db, now: Timestamp, limit: usize, replica: i64) -> Result<Vec<Timer>, StoreError> {
    let rows = db.rows(DUE, args![millis(now), number(limit), replica]).await?;
    rows.iter()
        .map(|row| {
            Ok(Timer {
                repo: RepoKey { forge: ForgeName(text_col(row, 0)?), id: id(row, 1)? },
                item: id(row, 2)?,
                at: moment(row, 3)?,
            })
        })
        .collect()
}

pub(super) const NEXT: &str = "SELECT at FROM timer ORDER BY at LIMIT 1";

/// When the next timer is due.
pub(super) async fn next(db: &Db) -> Result<Option<Timestamp>, StoreError> {
    db.row(NEXT, &[]).await?.map(|row| moment(&row, 0)).transpose()
}

const SET: &str = "
    INSERT INTO timer (forge, repo, item, at)
    SELECT $1, $2, item, at FROM unnest($3::int8[], $4::int8[]) AS g (item, at)
    ON CONFLICT (forge, repo, item) DO UPDATE SET at = excluded.at WHERE timer.at <> excluded.at";

const STOP: &str = "DELETE FROM timer WHERE forge = $1 AND repo = $2 AND item = ANY($3::int8[])";

/// Sets timers of items, or stops them.
pub(super) fn set<'a>(work: &'a Work, repo: &'a RepoKey, timers: &[(ItemNumber, Option<Timestamp>)]) -> Vec<Step<'a>> {
    let last: BTreeMap<ItemNumber, Option<Timestamp>> = timers.iter().copied().collect();
    let (mut items, mut moments, mut stopped) = (Vec::new(), Vec::new(), Vec::new());
    for (item, at) in last {
        match at {
            Some(at) => {
                items.push(bits(item));
                moments.push(millis(not_before(at)));
            }
            None => stopped.push(bits(item)),
        }
    }
    let mut steps: Vec<Step<'a>> = Vec::new();
    if !items.is_empty() {
        steps.push(Box::pin(
            async move { work.run(SET, args![text(&repo.forge.0), bits(repo.id), items, moments]).await },
        ));
    }
    if !stopped.is_empty() {
        steps.push(Box::pin(async move { work.run(STOP, args![text(&repo.forge.0), bits(repo.id), stopped]).await }));
    }
    steps
}
