//! Durations, weekly windows and freezes.

use std::{
    cmp::Ordering,
    fmt::{self, Write as _},
    str::FromStr,
};

use jiff::{
    SignedDuration, Span,
    civil::{Date, Time},
    tz::{TimeZone, TimeZoneDatabase},
};
use schemars::JsonSchema;
use serde::Deserialize;

pub use crate::domain::rule::{End, Hours};
use crate::policy::{
    file::text::{Description, Name, word},
    problem::nearest,
};

/// Maximum duration in seconds: 366 days.
const LONGEST: i64 = 366 * 24 * 60 * 60;
const UNITS: [(char, i64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// A duration such as `60s`, `30m`, `2h` or `1d12h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Length(SignedDuration);

impl Length {
    /// Returns the duration.
    pub fn duration(self) -> SignedDuration {
        self.0
    }
}

impl TryFrom<SignedDuration> for Length {
    type Error = String;

    fn try_from(duration: SignedDuration) -> Result<Self, String> {
        if duration.subsec_nanos() == 0 && (0..=LONGEST).contains(&duration.as_secs()) {
            Ok(Self(duration))
        } else {
            Err("a duration is whole seconds, at most 366 days".to_owned())
        }
    }
}

impl FromStr for Length {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "a duration is written like `60s`, `30m`, `2h` or `1d12h`".to_owned();
        let mut seconds: i64 = 0;
        let mut units = UNITS.iter();
        let mut rest = text;
        if rest.is_empty() {
            return Err(wrong());
        }
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, after) = rest.split_at(digits);
            let unit = after.chars().next().ok_or_else(wrong)?;
            // Units come in order, each at most once: `find` continues after the previous one.
            let (_, size) = units.find(|(name, _)| *name == unit).ok_or_else(wrong)?;
            let number: i64 = number.parse().map_err(|_| wrong())?;
            seconds = number.checked_mul(*size).and_then(|part| seconds.checked_add(part)).unwrap_or(i64::MAX);
            rest = after.get(1..).unwrap_or_default();
        }
        Self::try_from(SignedDuration::from_secs(seconds))
    }
}

impl TryFrom<String> for Length {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for Length {
    /// Writes the shortest form: `1d12h`, `90m` as `1h30m`, `0s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = self.0.as_secs();
        if left == 0 {
            return f.write_str("0s");
        }
        for (name, size) in UNITS {
            if left >= size {
                write!(f, "{}", left / size)?;
                f.write_char(name)?;
                left %= size;
            }
        }
        Ok(())
    }
}

impl JsonSchema for Length {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Length".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A duration such as `60s`, `30m`, `2h` or `1d12h`, up to 366 days.",
            "type": "string",
            "pattern": "^(?=.)([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$",
        })
    }
}

word! {
    /// A time zone of the IANA database, such as `Europe/Berlin`.
    Zone, check_zone, { "minLength": 1, "maxLength": 64 }
}

impl Zone {
    /// Returns the time zone.
    pub fn time_zone(&self) -> Option<TimeZone> {
        TimeZoneDatabase::bundled().get(self.as_str()).ok()
    }
}

fn check_zone(text: &str) -> Result<(), String> {
    let known = TimeZoneDatabase::bundled();
    if known.get(text).is_ok() {
        return Ok(());
    }
    let names: Vec<String> = known.available().map(|name| name.as_str().to_owned()).collect();
    let meant = nearest(text, names.iter().map(String::as_str));
    let hint = meant.map_or_else(|| ", such as `Europe/Berlin`".to_owned(), |name| format!("; did you mean `{name}`?"));
    Err(format!("no time zone of the IANA database{hint}"))
}

word! {
    /// Days and hours of a week, such as `Mon-Thu 09:00-16:00`, `Mon,Wed 10:00-24:00` or `Sat
    /// 22:00-04:00` (until the next morning).
    Weekly, check_weekly, {
        "pattern": "^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)([-,](Mon|Tue|Wed|Thu|Fri|Sat|Sun))* [0-2][0-9]:[0-5][0-9]-[0-2][0-9]:[0-5][0-9]$"
    }
}

/// The days, Monday first.
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

impl FromStr for Hours {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "a window is written like `Mon-Thu 09:00-16:00`".to_owned();
        let (days, hours) = text.split_once(' ').ok_or_else(wrong)?;
        let (from, until) = hours.split_once('-').ok_or_else(wrong)?;
        let (from, until) = (minute(from).ok_or_else(wrong)?, minute(until).ok_or_else(wrong)?);
        if from == until || from == 1440 {
            return Err("the window is empty: it ends when it begins".to_owned());
        }
        let mut on = [false; 7];
        for part in days.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (day(first)?, day(last)?);
            // `Fri-Mon` includes the weekend.
            let length = (last + 7 - first) % 7;
            (0..=length).for_each(|step| on[(first + step) % 7] = true);
        }
        Ok(Self { days: on, from, until })
    }
}

fn day(text: &str) -> Result<usize, String> {
    let unknown = || format!("unknown day; known here: {}", crate::policy::problem::list(DAYS));
    DAYS.iter().position(|day| *day == text).ok_or_else(unknown)
}

/// Parses `HH:MM` to minutes since midnight; `24:00` is the end of the day.
fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    if hour.len() != 2 || minute.len() != 2 || !text.bytes().all(|b| b.is_ascii_digit() || b == b':') {
        return None;
    }
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    let total = hour * 60 + minute;
    (minute < 60 && total <= 1440).then_some(total)
}

fn check_weekly(text: &str) -> Result<(), String> {
    Hours::from_str(text).map(drop)
}

word! {
    /// A time of day, from `00:00` to `23:59`.
    TimeOfDay, check_time_of_day, { "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$" }
}

impl TimeOfDay {
    /// Returns the time.
    pub fn time(&self) -> Time {
        let minutes = minute(self.as_str()).unwrap_or_default();
        let part = |value: u16| i8::try_from(value).unwrap_or_default();
        Time::new(part(minutes / 60), part(minutes % 60), 0, 0).unwrap_or(Time::midnight())
    }
}

fn check_time_of_day(text: &str) -> Result<(), String> {
    let wrong = || "a time of day is written like `09:00`, and is before `24:00`".to_owned();
    minute(text).filter(|minutes| *minutes < 1440).map(drop).ok_or_else(wrong)
}

word! {
    /// A day of every year (`12-20`), a date (`2026-12-20`) or a date and time
    /// (`2026-12-20T18:00`).
    Moment, check_moment, { "pattern": "^([0-9]{4}-)?[0-9]{2}-[0-9]{2}$|^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}$" }
}

impl FromStr for End {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "a moment is written like `12-20`, `2026-12-20` or `2026-12-20T18:00`".to_owned();
        let digits = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b':' | b'T'));
        match text.len() {
            5 if digits => {
                // A leap year, so that 29 February is a day.
                let date: Date = format!("2024-{text}").parse().map_err(|_| wrong())?;
                Ok(Self::Yearly(date.month(), date.day()))
            }
            10 if digits => {
                let date: Date = text.parse().map_err(|_| wrong())?;
                Ok(Self::Once(date.to_datetime(Time::midnight()), true))
            }
            16 if digits => Ok(Self::Once(text.parse().map_err(|_| wrong())?, false)),
            _ => Err(wrong()),
        }
    }
}

fn check_moment(text: &str) -> Result<(), String> {
    End::from_str(text).map(drop)
}

/// A period in which nothing is deployed.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Freeze {
    /// The environment, or `all`.
    pub environment: Name,
    /// Beginning.
    pub from: Moment,
    /// End; if it is a day, that day is included.
    pub until: Moment,
    /// Time zone of both. Default: `UTC`.
    pub tz: Option<Zone>,
    /// Reason, shown to people who ask.
    pub reason: Option<Description>,
}

impl Freeze {
    /// Returns the contradiction between the beginning and the end, if any.
    pub fn contradiction(&self) -> Option<&'static str> {
        match (self.from.as_str().parse(), self.until.as_str().parse()) {
            (Ok(End::Once(from, _)), Ok(End::Once(until, day))) => {
                // The last day is included.
                let end = if day { until.checked_add(Span::new().days(1)).unwrap_or(until) } else { until };
                match end.cmp(&from) {
                    Ordering::Less => Some("the freeze ends before it begins"),
                    Ordering::Equal => Some("the freeze is empty: it ends when it begins"),
                    Ordering::Greater => None,
                }
            }
            (Ok(End::Once(..)), Ok(End::Yearly(..))) | (Ok(End::Yearly(..)), Ok(End::Once(..))) => {
                Some("both ends have a year, or neither")
            }
            _ => None,
        }
    }
}
