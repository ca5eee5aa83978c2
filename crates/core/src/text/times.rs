//! Times of one text: all in the policy's time zone, the date once.

use jiff::{Timestamp, Zoned, civil::Date, tz::TimeZone};

/// Joins the parts of a time, so that no line breaks within it.
const SPACE: &str = "\u{a0}";

/// The time zone of a text, and the day to which a time without a date belongs.
#[derive(Debug, Clone)]
pub(crate) struct Times {
    newest: Zoned,
}

impl Times {
    /// Returns the times of a text whose newest time is `newest`.
    pub(crate) fn new(zone: &TimeZone, newest: Timestamp) -> Self {
        Self { newest: newest.to_zoned(zone.clone()) }
    }

    fn day(&self) -> Date {
        self.newest.date()
    }

    /// Formats a time without its zone: `14:09`, on another day `27 Nov 14:09`.
    pub(crate) fn at(&self, at: Timestamp) -> String {
        let local = at.to_zoned(self.newest.time_zone().clone());
        let form = match local.date() {
            day if day == self.day() => "%H:%M",
            day if day.year() == self.day().year() => "%-d %b %H:%M",
            _ => "%-d %b %Y %H:%M",
        };
        local.strftime(form).to_string().replace(' ', SPACE)
    }

    /// Formats a time alone, with weekday and zone.
    pub(crate) fn moment(&self, at: Timestamp) -> String {
        moment(at, self.newest.time_zone())
    }

    /// Names the zone and the day: `UTC, 29 Nov`.
    pub(crate) fn note(&self) -> String {
        self.newest.strftime("%Z, %-d %b").to_string().replace(", ", ",\n").replace(' ', SPACE).replace('\n', " ")
    }
}

/// Formats a time alone, with weekday and zone: `Mon 30 Nov 09:00 CET`.
pub fn moment(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%a %-d %b %H:%M %Z").to_string().replace(' ', SPACE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_is_told_where_it_differs() {
        let times = Times::new(&TimeZone::UTC, "2026-11-29T14:09:30Z".parse().unwrap());
        let at = |text: &str| times.at(text.parse().unwrap()).replace(SPACE, " ");
        assert_eq!(at("2026-11-29T08:00:59Z"), "08:00");
        assert_eq!(at("2026-11-27T08:00:00Z"), "27 Nov 08:00");
        assert_eq!(at("2025-11-27T08:00:00Z"), "27 Nov 2025 08:00");
        assert_eq!(times.note().replace(SPACE, " "), "UTC, 29 Nov");
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let alone = moment("2026-11-30T08:00:00Z".parse().unwrap(), &zone);
        assert_eq!(alone.replace(SPACE, " "), "Mon 30 Nov 09:00 CET");
    }
}
