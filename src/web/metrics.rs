//! Figures for the pages: the rows of a repository, and the time that they are about.

use std::fmt::Write as _;

use jiff::{Timestamp, tz::TimeZone};
use serde::de::DeserializeOwned;

use crate::{
    app::{
        self,
        insight::report::{Asked, Report},
    },
    domain::insight::RowKind,
    insight::{Figures, InsightRows, Step, TermsRow},
    port::store::{InsightPage, RepositoryRow},
    web::{
        Web,
        failure::Failure,
        read::Turn,
        span::{self, DAYS},
    },
};

/// Rows of one page.
const PAGE: usize = 5_000;
/// Rows of one kind that are read at most.
const MOST: usize = 200_000;

/// The figures of a repository.
pub(super) struct Metrics {
    /// `OWNER/NAME`.
    pub(super) name: String,
    /// The whole time.
    pub(super) figures: Figures,
    /// Each week of it.
    pub(super) weeks: Vec<Figures>,
    /// Phases of the policy, in its order.
    pub(super) phases: Vec<String>,
    /// Time zone of the days.
    pub(super) zone: TimeZone,
    /// False while earlier events are still being read.
    pub(super) complete: bool,
}

impl Web {
    /// Returns the figures of a repository; `None` if nothing is recorded of it, or more than a page
    /// reads.
    pub(super) async fn metrics(&self, row: &RepositoryRow, turn: &Turn) -> Result<Option<Metrics>, Failure> {
        let asked = Asked { step: Some(Step::Week), ..Asked::last(DAYS) };
        let Some((report, phases)) = self.report(row, asked, turn).await? else { return Ok(None) };
        let zone = TimeZone::get(&report.figures.basis.tz).unwrap_or(TimeZone::UTC);
        let Report { repository, complete, figures, parts } = report;
        Ok(Some(Metrics { name: repository, figures, weeks: parts, phases, zone, complete }))
    }

    /// Returns a report on a repository with the phases of its policy; `None` if nothing is recorded of
    /// it, or more than a page reads.
    pub(super) async fn report(
        &self,
        row: &RepositoryRow,
        asked: Asked,
        turn: &Turn,
    ) -> Result<Option<(Report, Vec<String>)>, Failure> {
        let now = self.clock.now();
        let Some(rows) = self.rows(row, asked.rows_since(now)).await? else { return Ok(None) };
        let Some(terms) = &rows.terms else { return Ok(None) };
        let phases = terms.phases.clone();
        let complete = self.is_complete(row, terms).await?;
        let row = row.clone();
        // Work for the processor, not for a thread that serves others.
        let turn = Turn::clone(turn);
        let computed = tokio::task::spawn_blocking(move || {
            let report = Report::of(&row, &rows, complete, &asked, now);
            drop(turn);
            report
        });
        let report = computed.await.map_err(|_| Failure::Unavailable)?;
        Ok(report.map(|report| (report, phases)))
    }

    /// Returns whether everything on record was derived under the policy in force.
    pub(super) async fn is_complete(&self, row: &RepositoryRow, terms: &TermsRow) -> Result<bool, Failure> {
        let [filled, since] = app::insight::completeness(&row.repo);
        let (filled, since) = (self.store.memo(&filled).await?, self.store.memo(&since).await?);
        Ok(app::insight::shows_completeness(filled, since, terms))
    }

    /// Returns the rows of a kind that belong to these objects.
    pub(super) async fn rows_by<T: DeserializeOwned>(
        &self,
        row: &RepositoryRow,
        kind: RowKind,
        owners: &[String],
    ) -> Result<Vec<T>, Failure> {
        let found = self.store.insight_of(&row.repo, kind, owners).await?;
        Ok(found.iter().filter_map(|row| serde_json::from_str(&row.body).ok()).collect())
    }

    /// Returns the rows of every figure that concern the time from `since` on; `None` if there are more
    /// than a page reads.
    pub(super) async fn rows(&self, row: &RepositoryRow, since: Timestamp) -> Result<Option<InsightRows>, Failure> {
        self.rows_of(row, &RowKind::OF_FIGURES, since).await
    }

    /// Returns the rows of these kinds that concern the time from `since` on; `None` if there are more than
    /// a page reads.
    pub(super) async fn rows_of(
        &self,
        row: &RepositoryRow,
        kinds: &[RowKind],
        since: Timestamp,
    ) -> Result<Option<InsightRows>, Failure> {
        let mut rows = InsightRows::default();
        for kind in kinds.iter().copied() {
            let (mut after, mut read) = (None, 0);
            loop {
                let page = InsightPage { kind, since, after, limit: PAGE };
                let found = self.store.insight(&row.repo, &page).await?;
                read += found.len();
                if read > MOST {
                    return Ok(None);
                }
                for one in &found {
                    if !rows.add(kind, &one.body) {
                        tracing::error!(repo = %row.repo, "a row for delivery metrics can't be read and is left out");
                    }
                }
                after = match found.last() {
                    Some(last) if found.len() == PAGE => Some((last.at, last.owner.clone(), last.part.clone())),
                    _ => break,
                };
            }
        }
        Ok(Some(rows))
    }
}

impl Metrics {
    /// Returns the first day of each week, as charts name it.
    pub(super) fn week(&self, figures: &Figures) -> String {
        figures.basis.from.to_zoned(self.zone.clone()).strftime("%-d %b").to_string()
    }

    /// Returns the address of a list of the rows behind figures; `list` ends with `?` or `&`.
    pub(super) fn behind(&self, figures: &Figures, list: &str) -> String {
        format!("/{}/{list}{}", self.name, span::parameters(&figures.basis, &self.zone))
    }

    /// Returns what the figures are about, in a sentence.
    pub(super) fn basis(&self) -> String {
        let basis = &self.figures.basis;
        let day = |at: Timestamp| at.to_zoned(self.zone.clone()).strftime("%-d %b %Y").to_string();
        let mut text = format!("{} to {}, {}.", day(basis.from), day(basis.to), basis.tz);
        if let Some(since) = basis.recorded_since.filter(|since| *since > basis.from) {
            let _ = write!(text, " The record begins on {}.", day(since));
        }
        if !self.complete {
            text.push_str(" Earlier events are still being read: figures may change.");
        }
        text
    }
}
