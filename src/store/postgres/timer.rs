//! Timers.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::{
    domain::{
        id::{ForgeName, RepoKey},
        timer::TimerKey,
    },
    port::store::{StoreError, Timer},
    store::{
        moment::not_before,
        postgres::{
            db::{Db, Step, Work},
            value::{args, bits, id, millis, moment, number, text, text_col},
        },
    },
};

/// Lists due timers, except those under another replica's lease ($3: this one). The lease
/// is looked up for each row, so that no plan reads all leases.
pub(super) const DUE: &str = "
    SELECT forge, repo, key, at FROM timer t
    WHERE at <= $1
      AND coalesce((SELECT l.owner = $3 OR l.until <= now() FROM lease l
                    WHERE l.forge = t.forge AND l.kind = 1 AND l.id = t.repo), true)
    ORDER BY at LIMIT $2";

/// Lists the timers due at `now`, oldest first.
pub(super) async fn due(db: &Db, now: Timestamp, limit: usize, replica: i64) -> Result<Vec<Timer>, StoreError> {
    let rows = db.rows(DUE, args![millis(now), number(limit), replica]).await?;
    rows.iter()
        .map(|row| {
            Ok(Timer {
                repo: RepoKey { forge: ForgeName(text_col(row, 0)?), id: id(row, 1)? },
                key: text_col(row, 2)?.parse().map_err(StoreError::Corrupt)?,
                at: moment(row, 3)?,
            })
        })
        .collect()
}

pub(super) const NEXT: &str = "SELECT at FROM timer ORDER BY at LIMIT 1";

/// Returns when the next timer is due.
pub(super) async fn next(db: &Db) -> Result<Option<Timestamp>, StoreError> {
    db.row(NEXT, &[]).await?.map(|row| moment(&row, 0)).transpose()
}

const SET: &str = "
    INSERT INTO timer (forge, repo, key, at)
    SELECT $1, $2, key, at FROM unnest($3::text[], $4::int8[]) AS g (key, at)
    ON CONFLICT (forge, repo, key) DO UPDATE SET at = excluded.at WHERE timer.at <> excluded.at";

const STOP: &str = "DELETE FROM timer WHERE forge = $1 AND repo = $2 AND key = ANY($3::text[])";

/// Sets or removes timers.
pub(super) fn set<'a>(work: &'a Work, repo: &'a RepoKey, timers: &[(TimerKey, Option<Timestamp>)]) -> Vec<Step<'a>> {
    let last: BTreeMap<TimerKey, Option<Timestamp>> = timers.iter().copied().collect();
    let (mut keys, mut moments, mut stopped) = (Vec::new(), Vec::new(), Vec::new());
    for (key, at) in last {
        match at {
            Some(at) => {
                keys.push(key.to_string());
                moments.push(millis(not_before(at)));
            }
            None => stopped.push(key.to_string()),
        }
    }
    let mut steps: Vec<Step<'a>> = Vec::new();
    if !keys.is_empty() {
        steps.push(Box::pin(
            async move { work.run(SET, args![text(&repo.forge.0), bits(repo.id), keys, moments]).await },
        ));
    }
    if !stopped.is_empty() {
        steps.push(Box::pin(async move { work.run(STOP, args![text(&repo.forge.0), bits(repo.id), stopped]).await }));
    }
    steps
}
