//! Vectors of days, zones and percentiles. Expected days and lengths are literals.

use std::process::Command;

use jiff::{Timestamp, civil::date, tz::TimeZone};
use phasebot_core::insight::{Query, Spread, Window, figures};

use super::played::{at, play, shipped};

fn berlin() -> TimeZone {
    TimeZone::get("Europe/Berlin").unwrap()
}

fn utc(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn vector_09_one_window_for_everything() {
    // Thirty whole days; the first moment counts, the end does not.
    let played = play(&shipped(&[(1, "00:30", "1d00:00"), (2, "30d08:00", "31d00:00")]));
    let window = Window::days(date(2026, 3, 3), date(2026, 4, 2), &TimeZone::UTC);
    assert_eq!((window.whole_days(None), window.from, window.to), (30, at("1d00:00"), at("31d00:00")));
    let shown = figures(&played.rows, &Query::new(window, played.now));
    assert_eq!((shown.deployment_frequency.count, shown.lead_time.all.map(|all| all.n)), (1, Some(1)));
    assert_eq!((shown.basis.whole_days, shown.flow.throughput.len()), (30, 30));
    let last = Window::last(30, at("31d00:00"), &TimeZone::UTC);
    assert_eq!((last.whole_days(None), last.from), (30, at("1d00:00")));
}

#[test]
fn vector_10_days_begin_at_midnight_where_people_are() {
    let window = Window::days(date(2026, 3, 29), date(2026, 3, 31), &berlin());
    assert_eq!(window.day_of(utc("2026-03-29T21:30:00Z")), date(2026, 3, 29));
    assert_eq!(window.day_of(utc("2026-03-29T22:30:00Z")), date(2026, 3, 30));
    let hours = |first, until| -> Vec<i64> {
        let window = Window::days(first, until, &berlin());
        window.each_day().map(|(_, from, to)| to.duration_since(from).as_hours()).collect()
    };
    assert_eq!(hours(date(2026, 3, 28), date(2026, 3, 31)), [24, 23, 24]);
    assert_eq!(hours(date(2026, 10, 24), date(2026, 10, 27)), [24, 25, 24]);
    // Durations are elapsed time: the hour that the clocks skip does not count.
    let played = play(&shipped(&[(1, "26d22:30", "27d02:30")]));
    assert_eq!(played.lead("#1"), Some(240));
}

#[test]
fn vector_10_a_deployment_counts_on_its_civil_day() {
    let text = shipped(&[(1, "27d08:00", "27d21:30"), (2, "27d22:00", "27d22:30")]);
    let played = play(&text);
    let on = |day: i8| {
        let window = Window::days(date(2026, 3, day), date(2026, 3, day + 1), &berlin());
        figures(&played.rows, &Query::new(window, played.now)).deployment_frequency.count
    };
    assert_eq!((on(29), on(30)), (1, 1));
}

/// The days of the tests above do not depend on the zone of the machine.
#[test]
fn vector_11_the_zone_of_the_machine_does_not_matter() {
    let tests = std::env::current_exe().unwrap();
    for zone in ["Pacific/Kiritimati", "Pacific/Pago_Pago"] {
        let names = [
            "insight::time_vectors::vector_09_one_window_for_everything",
            "insight::time_vectors::vector_10_days_begin_at_midnight_where_people_are",
            "insight::time_vectors::vector_10_a_deployment_counts_on_its_civil_day",
        ];
        let run = Command::new(&tests).arg("--exact").args(names).env("TZ", zone).output().unwrap();
        let said = String::from_utf8_lossy(&run.stdout).into_owned();
        assert!(run.status.success() && said.contains("3 passed"), "{zone}: {said}");
    }
}

#[test]
fn vector_50_percentiles_are_observed_values() {
    let spread = Spread::of(1..=10).unwrap();
    assert_eq!((spread.n, spread.p50, spread.p85, spread.p95), (10, 5, 9, 10));
    let one = Spread::of([7]).unwrap();
    assert_eq!((one.p50, one.p85, one.p95, one.mean), (7, 7, 7, 7));
    assert_eq!(Spread::of([]), None);
}

#[test]
fn today_counts_and_rates_are_over_whole_days() {
    let played = play(&shipped(&[(1, "08:00", "09:00"), (2, "2d08:00", "2d09:00")]));
    let query = Query::new(Window::last(2, at("2d10:00"), &TimeZone::UTC), at("2d10:00"));
    let frequency = figures(&played.rows, &query).deployment_frequency;
    assert_eq!((frequency.count, frequency.per_day), (2, Some(0.5)));
}
