//! The time that a list is about, as its address names it: `?from=2026-02-09&to=2026-02-16`, whole days
//! of the repository's zone, `to` exclusive.

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};

use crate::{
    domain::insight::RowKind,
    insight::{InsightRows, Query, Window, figures::Basis},
    port::store::RepositoryRow,
    web::{Web, failure::Failure},
};

/// Whole days that the charts are about, beside today so far.
pub(super) const DAYS: u16 = 84;
/// Longest time of a list, in days.
const LONGEST: i32 = 366;

/// The rows of a time, with what they are asked for.
pub(super) struct Spanned {
    /// Rows of the wanted kinds.
    pub(super) rows: InsightRows,
    /// The query, of which [`crate::insight::select`] takes the rows that figures count.
    pub(super) query: Query,
}

impl Web {
    /// Reads the rows of these kinds of the time that an address names.
    pub(super) async fn spanned(
        &self,
        row: &RepositoryRow,
        kinds: &[RowKind],
        from: Option<&str>,
        to: Option<&str>,
    ) -> Result<Spanned, Failure> {
        let (now, zone) = (self.clock.now(), self.zone(row).await?);
        let query = Query { seed: row.repo.id, ..Query::new(window(from, to, now, &zone)?, now) };
        // Several environments take a commit over within a day.
        let since = query.window.from.checked_sub(SignedDuration::from_hours(24)).unwrap_or(Timestamp::MIN);
        let rows = self.rows_of(row, kinds, since).await?.ok_or(Failure::Unavailable)?;
        Ok(Spanned { rows, query })
    }
}

impl Spanned {
    /// Returns the first and the last day of the time in words.
    pub(super) fn days(&self) -> String {
        let window = &self.query.window;
        let last = window.whole_until.yesterday().unwrap_or(window.whole_until);
        let zone = window.zone.iana_name().unwrap_or("UTC");
        format!("{} to {}, {zone}", window.first.strftime("%-d %b %Y"), last.strftime("%-d %b %Y"))
    }
}

/// Returns the time that an address names; without one, that of the charts.
fn window(from: Option<&str>, to: Option<&str>, now: Timestamp, zone: &TimeZone) -> Result<Window, Failure> {
    let usual = Window::last(DAYS, now, zone);
    let day = |text: Option<&str>, otherwise: Date| match text {
        Some(text) => text.parse().map_err(|_| Failure::Wanted("A day is written as `2026-02-09`.".to_owned())),
        None => Ok(otherwise),
    };
    let (first, until) = (day(from, usual.first)?, day(to, after(now, zone))?);
    let days = first.until(until).map_or(0, |span| span.get_days());
    if (1..=LONGEST).contains(&days) {
        Ok(Window::days(first, until, zone))
    } else {
        Err(Failure::Wanted(format!("From `from` to `to` are 1 to {LONGEST} days.")))
    }
}

/// Returns the parameters by which an address names the time of figures.
pub(super) fn parameters(basis: &Basis, zone: &TimeZone) -> String {
    let first = basis.from.to_zoned(zone.clone()).date();
    format!("from={first}&to={}", after(basis.to, zone))
}

/// Returns the first day that begins at a time or later.
fn after(at: Timestamp, zone: &TimeZone) -> Date {
    let before = at.checked_sub(SignedDuration::from_nanos(1)).unwrap_or(at);
    let day = before.to_zoned(zone.clone()).date();
    day.tomorrow().unwrap_or(day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_names_whole_days_of_the_zone() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let now = at("2026-03-05T23:30:00Z");
        let named = window(Some("2026-02-09"), Some("2026-02-16"), now, &zone).unwrap();
        assert_eq!((named.from, named.to), (at("2026-02-08T23:00:00Z"), at("2026-02-15T23:00:00Z")));
        // Today is the sixth there, and belongs to it.
        let usual = window(None, None, now, &zone).unwrap();
        assert_eq!((usual.first.to_string().as_str(), usual.to), ("2025-12-12", at("2026-03-06T23:00:00Z")));
        for (from, to) in [
            (Some("2026-02-16"), Some("2026-02-16")),
            (Some("2026-02-16"), Some("2026-02-09")),
            (Some("2024-02-16"), Some("2026-02-09")),
            (Some("yesterday"), None),
            (None, Some("2026-02-30")),
        ] {
            assert!(matches!(window(from, to, now, &zone), Err(Failure::Wanted(_))), "{from:?} {to:?}");
        }
    }

    #[test]
    fn a_week_begins_and_ends_at_midnight_and_the_last_one_has_today() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        assert_eq!(after(at("2026-02-15T23:00:00Z"), &zone).to_string(), "2026-02-16");
        assert_eq!(after(at("2026-02-15T23:00:01Z"), &zone).to_string(), "2026-02-17");
    }
}
