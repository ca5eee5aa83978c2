//! The five delivery metrics of many repositories, as their list shows them. They are computed when a
//! repository changed, and remembered in between.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    app::insight::report::Asked,
    domain::{id::ItemId, insight::RowKind},
    insight::figures,
    port::store::RepositoryRow,
    web::{Web, failure::Failure, span::DAYS},
};

/// Kinds of rows that the five rest on.
const KINDS: [RowKind; 3] = [RowKind::Terms, RowKind::Change, RowKind::Deployment];
/// Repositories that are remembered.
const MOST: usize = 5_000;
/// Percentage from which an item counts as slow.
const SLOW: u8 = 85;
/// Slow items that are remembered of a repository, the oldest.
const MOST_SLOW: usize = 2_000;

/// The five delivery metrics of a repository. What has no data is `None`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Five {
    /// Deployments of something new for each whole day.
    pub(super) per_day: Option<f64>,
    /// Median lead time, in seconds.
    pub(super) lead_time: Option<i64>,
    /// Failed deployments, in percent.
    pub(super) failed: Option<f64>,
    /// Median recovery time, in seconds.
    pub(super) recovery: Option<i64>,
    /// Deployments that only repaired, in percent.
    pub(super) rework: Option<f64>,
    /// False while earlier events are still being read.
    pub(super) is_complete: bool,
}

/// What is remembered of repositories, by their ids.
#[derive(Default)]
pub(super) struct Overview {
    five: Mutex<HashMap<u64, Known>>,
    /// The hour, and the items that are slow.
    slow: Mutex<HashMap<u64, (i64, Arc<Slow>)>>,
}

/// The figures of a repository, as of a version of its data and an hour.
#[derive(Debug, Clone, Copy)]
struct Known {
    version: u64,
    hour: i64,
    five: Option<Five>,
}

/// Items in progress that are older than most were when they left their phase, with the percentage.
pub(super) type Slow = BTreeMap<ItemId, u8>;

impl Web {
    /// Returns the five delivery metrics of these repositories, in their order; `None` for one of which
    /// nothing is recorded, or more than a page reads.
    pub(super) async fn five(&self, rows: &[RepositoryRow]) -> Result<Vec<Option<Five>>, Failure> {
        let hour = self.hour();
        let ids: Vec<u64> = rows.iter().map(|row| row.repo.id).collect();
        let versions = self.store.versions(&self.forge, &ids).await?;
        let mut all = Vec::with_capacity(rows.len());
        for (row, version) in rows.iter().zip(versions) {
            let known = self.overview.five.lock().unwrap_or_else(PoisonError::into_inner).get(&row.repo.id).copied();
            let five = match known {
                Some(known) if (known.version, known.hour) == (version, hour) => known.five,
                Some(_) | None => self.five_of(row).await?,
            };
            let mut remembered = self.overview.five.lock().unwrap_or_else(PoisonError::into_inner);
            if remembered.len() >= MOST {
                remembered.clear();
            }
            remembered.insert(row.repo.id, Known { version, hour, five });
            all.push(five);
        }
        Ok(all)
    }

    fn hour(&self) -> i64 {
        self.clock.now().as_second().div_euclid(3_600)
    }

    /// Returns the items of a repository that are slow, as of this hour: what finished in months changes
    /// little in one.
    pub(super) async fn slow(&self, row: &RepositoryRow) -> Result<Arc<Slow>, Failure> {
        let hour = self.hour();
        let known = self.overview.slow.lock().unwrap_or_else(PoisonError::into_inner).get(&row.repo.id).cloned();
        if let Some((_, slow)) = known.filter(|(at, _)| *at == hour) {
            return Ok(slow);
        }
        let (asked, now) = (Asked::last(DAYS), self.clock.now());
        let rows = self.rows_of(row, &[RowKind::Terms, RowKind::Unit], asked.rows_since(now)).await?;
        let query = rows.as_ref().and_then(|rows| asked.query(row.repo.id, rows, now));
        let ageing = match rows.zip(query) {
            Some((rows, query)) => {
                // Work for the processor, not for a thread that serves others.
                let computed = tokio::task::spawn_blocking(move || figures(&rows, &query).flow.ageing);
                computed.await.map_err(|_| Failure::Unavailable)?
            }
            None => Vec::new(),
        };
        let slow = ageing.into_iter().filter_map(|one| Some((one.item, one.band.filter(|band| *band >= SLOW)?)));
        let slow: Arc<Slow> = Arc::new(slow.take(MOST_SLOW).collect());
        let mut remembered = self.overview.slow.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= MOST {
            remembered.clear();
        }
        remembered.insert(row.repo.id, (hour, Arc::clone(&slow)));
        Ok(slow)
    }

    async fn five_of(&self, row: &RepositoryRow) -> Result<Option<Five>, Failure> {
        let (asked, now) = (Asked::last(DAYS), self.clock.now());
        let Some(rows) = self.rows_of(row, &KINDS, asked.rows_since(now)).await? else { return Ok(None) };
        let (Some(query), Some(terms)) = (asked.query(row.repo.id, &rows, now), &rows.terms) else { return Ok(None) };
        let is_complete = self.is_complete(row, terms).await?;
        let all = figures(&rows, &query);
        Ok(Some(Five {
            per_day: all.deployment_frequency.per_day,
            lead_time: all.lead_time.all.map(|spread| spread.p50),
            failed: all.change_fail_rate.percent,
            recovery: all.recovery_time.all.map(|spread| spread.p50),
            rework: all.rework_rate.percent,
            is_complete,
        }))
    }
}
