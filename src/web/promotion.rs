//! What a promotion would carry: the changes that run in the environment before, and not in this one.
//! They follow from the rows of changes that went live, and so need no commit graph.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::from_str;

use crate::{
    command::environments::EnvironmentState,
    domain::insight::{InsightRow, RowKind},
    insight::row::ChangeRow,
    port::store::{InsightPage, RepositoryRow},
    web::{Web, failure::Failure},
};

/// A change may run in the environment before for so long before anything else comes here.
const LONGEST: SignedDuration = SignedDuration::from_hours(28 * 24);
/// Most rows that are read.
const MOST_ROWS: usize = 5_000;
/// Most changes that are looked up.
const MOST: usize = 100;
/// Most changes that are named.
const MOST_NAMED: usize = 12;

/// What runs in one environment and not in the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Promotion {
    /// The environment before, as it is written.
    pub(super) from: String,
    /// The changes, the newest first; `None`: there are too many to tell.
    pub(super) changes: Option<Vec<ChangeRow>>,
}

impl Promotion {
    /// Returns the changes that pages name.
    pub(super) fn named(&self) -> impl Iterator<Item = &ChangeRow> {
        self.changes.iter().flatten().take(MOST_NAMED)
    }
}

impl Web {
    /// Returns what a promotion to each environment would carry, by the name of the environment. One that
    /// nothing runs in, and one with nothing before it, have no entry.
    pub(super) async fn promotions(
        &self,
        row: &RepositoryRow,
        states: &[EnvironmentState],
    ) -> Result<BTreeMap<String, Vec<Promotion>>, Failure> {
        let named = |name: &String| states.iter().find(|state| state.name.to_lowercase() == *name);
        let mut pairs = Vec::new();
        for to in states.iter().filter(|state| state.running.is_some()) {
            pairs
                .extend(to.after.iter().filter_map(named).filter(|from| from.running.is_some()).map(|from| (from, to)));
        }
        let Some(oldest) = pairs.iter().filter_map(|(_, to)| Some(to.running.as_ref()?.since)).min() else {
            return Ok(BTreeMap::new());
        };
        let since = oldest.checked_sub(LONGEST).unwrap_or(Timestamp::MIN);
        let page = InsightPage { kind: RowKind::Change, since, after: None, limit: MOST_ROWS };
        let found = self.store.insight(&row.repo, &page).await?;
        let is_whole = found.len() < MOST_ROWS;
        let rows = parsed(&found);
        let mut all: BTreeMap<String, Vec<Promotion>> = BTreeMap::new();
        for (from, to) in pairs {
            let (from_key, to_key) = (from.name.to_lowercase(), to.name.to_lowercase());
            let there: BTreeSet<&str> = running_in(&rows, &to_key).map(|row| row.change.as_str()).collect();
            let ahead = running_in(&rows, &from_key).filter(|row| !there.contains(row.change.as_str()));
            let mut ahead: Vec<ChangeRow> = ahead.cloned().collect();
            let changes = if is_whole && ahead.len() <= MOST {
                // Some came here long before: a hotfix.
                let owners: Vec<String> = ahead.iter().map(|row| row.change.clone()).collect();
                let known: Vec<ChangeRow> = self.rows_by(row, RowKind::Change, &owners).await?;
                let there: BTreeSet<&str> = running_in(&known, &to_key).map(|row| row.change.as_str()).collect();
                ahead.retain(|row| !there.contains(row.change.as_str()));
                ahead.sort_by(|a, b| (b.live, &a.change).cmp(&(a.live, &b.change)));
                Some(ahead)
            } else {
                None
            };
            all.entry(to.name.clone()).or_default().push(Promotion { from: from.name.clone(), changes });
        }
        Ok(all)
    }
}

fn parsed(rows: &[InsightRow]) -> Vec<ChangeRow> {
    rows.iter().filter_map(|row| from_str(&row.body).ok()).collect()
}

/// Returns the changes that an environment runs.
fn running_in<'r>(rows: &'r [ChangeRow], environment: &str) -> impl Iterator<Item = &'r ChangeRow> {
    let environment = environment.to_owned();
    rows.iter().filter(move |row| row.environment == environment && row.lost.is_none())
}
