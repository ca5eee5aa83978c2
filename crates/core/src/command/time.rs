//! Parser for durations and times as people write them.

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, DateTime, Time, Weekday},
    tz::TimeZone,
};

use crate::text::message::quoted;

const UNITS: [(char, i64); 5] = [('w', 604_800), ('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];
/// Longest duration: a year and a day.
const LONGEST: i64 = 366 * 86_400;

const DAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
    ("sunday", Weekday::Sunday),
];

/// Reference point for parsing times.
#[derive(Debug, Clone)]
pub struct Moment {
    /// Time at which the line was written.
    pub at: Timestamp,
    /// Time zone of its writer.
    pub zone: TimeZone,
}

/// Parses a duration such as `2h`, `30m` or `1d12h`.
pub(super) fn length(text: &str) -> Result<SignedDuration, String> {
    let wrong = || format!("{} is not a duration; examples: `30m`, `2h`, `1d12h`", quoted(text));
    let mut seconds: i64 = 0;
    let mut units = UNITS.iter();
    // People write `+2h` as well.
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: i64 = rest[..digits].parse().map_err(|_| wrong())?;
        let unit = rest[digits..].chars().next().map(|c| c.to_ascii_lowercase()).ok_or_else(wrong)?;
        // Units come in order, each at most once: `find` continues after the previous one.
        let (_, size) = units.find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        seconds = number.checked_mul(*size).and_then(|part| seconds.checked_add(part)).ok_or_else(wrong)?;
        rest = &rest[digits + 1..];
    }
    if (1..=LONGEST).contains(&seconds) { Ok(SignedDuration::from_secs(seconds)) } else { Err(wrong()) }
}

/// Returns whether a word is a clock time such as `09:00`.
pub(super) fn is_clock(text: &str) -> bool {
    clock(text).is_some()
}

fn clock(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let digits =
        |part: &str, least: usize| (least..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(hour, 1) || !digits(minute, 2) {
        return None;
    }
    Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
}

/// Parses a time after `moment.at`: `2026-12-24T18:00`, with or without zone, `2026-12-24` (its
/// end), `tomorrow 09:00`, `friday 18:00`, `18:00`, `2h`.
pub(super) fn moment(text: &str, moment: &Moment) -> Result<Timestamp, String> {
    let wrong = || format!("{} is not a time; examples: `2026-12-24T18:00`, `tomorrow 09:00`, `2h`", quoted(text));
    let found = if let Ok(length) = length(text) {
        moment.at.checked_add(length).unwrap_or(Timestamp::MAX)
    } else if let Ok(exact) = text.parse::<Timestamp>() {
        exact
    } else {
        let civil = civil(text, moment).ok_or_else(wrong)?;
        civil.to_zoned(moment.zone.clone()).map_err(|_| wrong())?.timestamp()
    };
    if found <= moment.at {
        return Err(format!("{} has passed", quoted(text)));
    }
    if found.duration_since(moment.at).as_secs() > LONGEST {
        return Err(format!("{} is more than a year away", quoted(text)));
    }
    Ok(found)
}

fn civil(text: &str, moment: &Moment) -> Option<DateTime> {
    let now = moment.at.to_zoned(moment.zone.clone()).datetime();
    let (day, hour) = match text.split_once([' ', 'T']) {
        Some((day, hour)) => (day, Some(clock(hour)?)),
        None => (text, None),
    };
    if let Some(hour) = clock(day).filter(|_| hour.is_none()) {
        let today = now.date().to_datetime(hour);
        return if today > now { Some(today) } else { Some(now.date().tomorrow().ok()?.to_datetime(hour)) };
    }
    let date = date(&day.to_lowercase(), now.date())?;
    match hour {
        Some(hour) => Some(date.to_datetime(hour)),
        // A bare day includes all its hours.
        None => Some(date.tomorrow().ok()?.to_datetime(Time::midnight())),
    }
}

fn date(word: &str, today: Date) -> Option<Date> {
    match word {
        "today" => return Some(today),
        "tomorrow" => return today.tomorrow().ok(),
        _ => {}
    }
    let named = DAYS.iter().find(|(name, _)| *name == word || (word.len() == 3 && name.starts_with(word)));
    if let Some((_, weekday)) = named {
        return today.nth_weekday(1, *weekday).ok();
    }
    let shape = word.len() == 10 && word.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    shape.then(|| word.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    fn at(zone: &str, text: &str) -> String {
        let moment_at = Moment {
            at: "2026-03-27T10:00:00Z".parse().unwrap(), // a Friday
            zone: if zone.is_empty() { TimeZone::UTC } else { TimeZone::get(zone).unwrap() },
        };
        moment(text, &moment_at).map_or_else(|why| why, |at| at.to_string())
    }

    #[test]
    fn lengths() {
        assert_eq!(length("1d12h"), Ok(SignedDuration::from_hours(36)));
        assert_eq!(length("90m"), Ok(SignedDuration::from_mins(90)));
        assert_eq!(length("2H"), Ok(SignedDuration::from_hours(2)));
        for wrong in ["", "h", "2", "2x", "1h1d", "1h1h", "-1h", "0s", "9999999999999999999h", "400d", "2 h", "½h"] {
            assert!(length(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn moments() {
        assert_eq!(at("", "2026-12-24T18:00"), "2026-12-24T18:00:00Z");
        assert_eq!(at("", "2026-12-24T18:00:00+02:00"), "2026-12-24T16:00:00Z");
        assert_eq!(at("", "2026-12-24"), "2026-12-25T00:00:00Z");
        assert_eq!(at("", "tomorrow 09:00"), "2026-03-28T09:00:00Z");
        assert_eq!(at("", "today 18:00"), "2026-03-27T18:00:00Z");
        assert_eq!(at("", "18:00"), "2026-03-27T18:00:00Z");
        assert_eq!(at("", "9:00"), "2026-03-28T09:00:00Z");
        assert_eq!(at("", "Friday 9:00"), "2026-04-03T09:00:00Z");
        assert_eq!(at("", "mon 9:00"), "2026-03-30T09:00:00Z");
        assert_eq!(at("", "2h"), "2026-03-27T12:00:00Z");
    }

    #[test]
    fn the_repositorys_zone_counts_with_its_summer_time() {
        assert_eq!(at("Europe/Berlin", "tomorrow 09:00"), "2026-03-28T08:00:00Z");
        assert_eq!(at("Europe/Berlin", "2026-03-30T09:00"), "2026-03-30T07:00:00Z");
        // A skipped hour is the same distance after the gap.
        assert_eq!(at("Europe/Berlin", "2026-03-29T02:30"), "2026-03-29T01:30:00Z");
    }

    #[test]
    fn what_is_no_moment() {
        for wrong in ["", "soon", "24:00", "2026-13-01", "2026-12-24T", "tomorrow noon", "x 09:00", "1:2"] {
            assert!(at("", wrong).contains("is not a time"), "{wrong:?}: {}", at("", wrong));
        }
        assert!(at("", "2020-01-01").contains("has passed"));
        assert!(at("", "2999-01-01").contains("more than a year"));
    }
}
