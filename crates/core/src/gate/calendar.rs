//! Weekly windows and freezes, in a place's time zone.
//!
//! Days are counted on that place's calendar and only their ends are converted to timestamps, so
//! that a window keeps its hours when daylight-saving time changes. A skipped hour begins after the
//! jump; of a repeated hour the first counts.

use jiff::{
    Timestamp, ToSpan,
    civil::{Date, DateTime},
    tz::TimeZone,
};

use crate::domain::rule::{End, FreezeRule, Hours, Window};

/// Number of days ahead to search for a window; it covers every weekday.
const DAYS_AHEAD: i64 = 9;

/// Returns whether a window is open, and when that next changes.
pub(super) fn window(window: &Window, now: Timestamp) -> (bool, Option<Timestamp>) {
    let today = now.to_zoned(window.zone.clone()).date();
    let days = (-2..=DAYS_AHEAD).filter_map(|days| today.checked_add(days.days()).ok());
    let mut spans: Vec<(Timestamp, Timestamp)> =
        days.flat_map(|day| window.hours.iter().filter_map(move |hours| span(day, hours, &window.zone))).collect();
    spans.sort_unstable();
    turn(&spans, now)
}

/// Returns whether a freeze covers `now`, and when that next changes.
pub(crate) fn freeze(rule: &FreezeRule, now: Timestamp) -> (bool, Option<Timestamp>) {
    let zone = &rule.zone;
    let mut spans: Vec<(Timestamp, Timestamp)> = match (rule.from, rule.until) {
        (End::Once(from, _), End::Once(until, whole_day)) => {
            let until = if whole_day { until.checked_add(1.day()).unwrap_or(until) } else { until };
            Some((moment(from, zone), moment(until, zone))).into_iter().collect()
        }
        (End::Yearly(month, day), End::Yearly(last_month, last_day)) => {
            let year = now.to_zoned(zone.clone()).year();
            let years = (-1..=1).filter_map(|step: i16| year.checked_add(step));
            years
                .filter_map(|year| {
                    let over = i16::from((last_month, last_day) < (month, day));
                    let from = date(year, month, day)?;
                    let until = date(year.checked_add(over)?, last_month, last_day)?.checked_add(1.day()).ok()?;
                    Some((moment(from.at(0, 0, 0, 0), zone), moment(until.at(0, 0, 0, 0), zone)))
                })
                .collect()
        }
        // Policy validation rejects a freeze with one end of each kind.
        _ => return (true, None),
    };
    spans.sort_unstable();
    turn(&spans, now)
}

/// Returns whether one of the spans covers `now`, and when that changes. `spans` must be sorted.
fn turn(spans: &[(Timestamp, Timestamp)], now: Timestamp) -> (bool, Option<Timestamp>) {
    let mut until: Option<Timestamp> = None;
    for (from, end) in spans.iter().filter(|(from, end)| from < end && *end > now) {
        match until {
            None if *from <= now => until = Some(*end),
            None => return (false, Some(*from)),
            // Spans that touch or overlap are one.
            Some(known) if *from <= known => until = Some(known.max(*end)),
            Some(_) => break,
        }
    }
    (until.is_some(), until)
}

fn span(day: Date, hours: &Hours, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
    let weekday = usize::try_from(day.weekday().to_monday_zero_offset()).ok()?;
    if !*hours.days.get(weekday)? {
        return None;
    }
    let last = if hours.until <= hours.from { day.checked_add(1.day()).ok()? } else { day };
    Some((moment(minute(day, hours.from)?, zone), moment(minute(last, hours.until)?, zone)))
}

/// Returns a minute of a day; minute 1440 is the next midnight.
fn minute(day: Date, minutes: u16) -> Option<DateTime> {
    day.at(0, 0, 0, 0).checked_add(i64::from(minutes).minutes()).ok()
}

fn moment(local: DateTime, zone: &TimeZone) -> Timestamp {
    zone.to_ambiguous_zoned(local).compatible().map_or(Timestamp::MAX, |zoned| zoned.timestamp())
}

/// Returns a day of a year; 29 February becomes the 28th in years without one.
fn date(year: i16, month: i8, day: i8) -> Option<Date> {
    Date::new(year, month, day).or_else(|_| Date::new(year, month, 28)).ok()
}
