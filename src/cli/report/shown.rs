//! Figures as short texts.

use jiff::{Timestamp, tz::TimeZone};

use crate::insight::Spread;

/// Text for a figure without data.
pub(super) const NONE: &str = "none";

/// Returns a duration in its two largest units: `20s`, `5m`, `1h 5m`, `2d 1h`.
pub(super) fn duration(seconds: i64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    let two = |large: i64, unit: &str, small: i64, of: &str| match small {
        0 => format!("{large}{unit}"),
        _ => format!("{large}{unit} {small}{of}"),
    };
    match () {
        () if minutes == 0 => format!("{seconds}s"),
        () if hours == 0 => format!("{minutes}m"),
        () if days < 2 => two(hours, "h", minutes % 60, "m"),
        () => two(days, "d", hours % 24, "h"),
    }
}

/// Returns the median of a spread.
pub(super) fn median(spread: Option<&Spread>) -> String {
    spread.map_or_else(|| NONE.to_owned(), |spread| duration(spread.p50))
}

pub(super) fn percent(percent: Option<f64>) -> String {
    percent.map_or_else(|| NONE.to_owned(), |percent| format!("{percent:.1} %"))
}

pub(super) fn rate(rate: Option<f64>) -> String {
    rate.map_or_else(|| NONE.to_owned(), |rate| format!("{rate:.2}/day"))
}

/// Returns a time to the minute, with its zone.
pub(super) fn minute(at: Timestamp, zone: &str) -> String {
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    at.to_zoned(zone).strftime("%Y-%m-%d %H:%M %Z").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_units() {
        let shown = [0, 20, 60, 3_599, 3_600, 3_900, 86_400, 172_800, 176_400].map(duration);
        assert_eq!(shown, ["0s", "20s", "1m", "59m", "1h", "1h 5m", "24h", "2d", "2d 1h"]);
    }
}
