//! The figures of one repository, as everything that shows them gets them.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde::Serialize;

use crate::{
    insight::{Figures, InsightRows, Query, Step, Window, figures, series},
    port::store::RepositoryRow,
};

/// What a report is asked for.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Whole days to look back, beside today so far.
    pub days: u16,
    /// Parts that are also wanted.
    pub step: Option<Step>,
    /// Only this service of the policy.
    pub service: Option<String>,
    /// This environment instead of production.
    pub environment: Option<String>,
}

/// The figures of one repository.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// `OWNER/NAME`.
    pub repository: String,
    /// False while earlier events are still being read.
    pub complete: bool,
    /// The whole time.
    pub figures: Figures,
    /// Each part of it since the record began, if parts were asked for; without the lists of items.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Figures>,
}

impl Asked {
    /// Returns what is asked for of the last days of a whole repository.
    #[must_use]
    pub fn last(days: u16) -> Self {
        Self { days, step: None, service: None, environment: None }
    }

    /// Returns the time from which rows are needed. The zone is among the rows, so that the window is
    /// known only with them; a day covers any zone.
    #[must_use]
    pub fn rows_since(&self, now: Timestamp) -> Timestamp {
        Query::new(Window::last(self.days.saturating_add(1), now, &TimeZone::UTC), now).rows_since()
    }

    /// Returns the query of a repository's figures; `None` if nothing is recorded of it.
    #[must_use]
    pub fn query(&self, repo: u64, rows: &InsightRows, now: Timestamp) -> Option<Query> {
        let zone = TimeZone::get(&rows.terms.as_ref()?.tz).unwrap_or(TimeZone::UTC);
        Some(Query {
            service: self.service.clone(),
            environment: self.environment.as_ref().map(|name| name.to_lowercase()),
            seed: repo,
            ..Query::new(Window::last(self.days, now, &zone), now)
        })
    }
}

impl Report {
    /// Computes the figures; `None` if nothing is recorded of the repository.
    #[must_use]
    pub fn of(row: &RepositoryRow, rows: &InsightRows, complete: bool, asked: &Asked, now: Timestamp) -> Option<Self> {
        let query = asked.query(row.repo.id, rows, now)?;
        let mut figures = figures(rows, &query);
        let mut parts = asked.step.map_or_else(Vec::new, |step| series(rows, &query, step));
        // The whole time lists each item once.
        for part in &mut parts {
            part.flow.finishes.clear();
            part.flow.ageing.clear();
        }
        // Before the record nothing is known, which is not nothing.
        if let Some(since) = figures.basis.recorded_since {
            let first = query.window.day_of(since);
            parts.retain(|part| part.basis.to > since);
            figures.flow.cumulative.retain(|day| day.day >= first);
        }
        Some(Self { repository: row.full_name.clone(), complete, figures, parts })
    }
}

/// Returns the first and the last day of figures.
#[must_use]
pub fn days(figures: &Figures) -> (String, String) {
    let zone = TimeZone::get(&figures.basis.tz).unwrap_or(TimeZone::UTC);
    let day = |at: Timestamp| at.to_zoned(zone.clone()).date().to_string();
    let last = figures.basis.to.checked_sub(SignedDuration::from_nanos(1)).unwrap_or(figures.basis.to);
    (day(figures.basis.from), day(last))
}
