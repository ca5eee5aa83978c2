//! The time that figures are about: whole civil days in a time zone, and today so far.

use jiff::{
    SignedDuration, Timestamp, ToSpan,
    civil::{Date, Weekday},
    tz::TimeZone,
};

/// A stretch of time, from its beginning (inclusive) to its end (exclusive).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Beginning.
    pub from: Timestamp,
    /// End.
    pub to: Timestamp,
    /// First day.
    pub first: Date,
    /// The day after the last whole one. Rates are over whole days.
    pub whole_until: Date,
    /// Time zone of the days.
    pub zone: TimeZone,
}

impl Window {
    /// Returns the last `days` whole days, and today so far.
    #[must_use]
    pub fn last(days: u16, now: Timestamp, zone: &TimeZone) -> Self {
        let today = now.to_zoned(zone.clone()).date();
        let first = today.checked_sub(i64::from(days).days()).unwrap_or(Date::MIN);
        Self { from: midnight(first, zone), to: now, first, whole_until: today, zone: zone.clone() }
    }

    /// Returns the whole days from `first` to before `until`.
    #[must_use]
    pub fn days(first: Date, until: Date, zone: &TimeZone) -> Self {
        Self { from: midnight(first, zone), to: midnight(until, zone), first, whole_until: until, zone: zone.clone() }
    }

    /// Returns whether a time lies within.
    #[must_use]
    pub fn covers(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.to
    }

    /// Returns the number of whole days since `recorded`, or in all.
    #[must_use]
    pub fn whole_days(&self, recorded: Option<Timestamp>) -> u32 {
        let first = recorded.map_or(self.first, |at| self.first.max(self.day_of(at)));
        let days = first.until(self.whole_until).map_or(0, |span| span.get_days());
        u32::try_from(days).unwrap_or(0)
    }

    /// Returns the end of the whole days.
    #[must_use]
    pub fn whole_to(&self) -> Timestamp {
        midnight(self.whole_until, &self.zone).min(self.to)
    }

    /// Returns the civil day of a time.
    #[must_use]
    pub fn day_of(&self, at: Timestamp) -> Date {
        at.to_zoned(self.zone.clone()).date()
    }

    /// Returns the days of the window with the beginning and the end of each; the last one may be
    /// cut off by the window's end.
    pub fn each_day(&self) -> impl Iterator<Item = (Date, Timestamp, Timestamp)> {
        let (to, zone) = (self.to, self.zone.clone());
        let days = std::iter::successors(Some(self.first), |day| day.tomorrow().ok());
        let spans = days.map(move |day| {
            let next = day.tomorrow().unwrap_or(Date::MAX);
            (day, midnight(day, &zone), midnight(next, &zone))
        });
        spans.take_while(move |(_, from, _)| *from < to).map(move |(day, from, until)| (day, from, until.min(to)))
    }

    /// Returns its parts by weeks that begin on Mondays, or by months; the first and the last may be
    /// cut off.
    #[must_use]
    pub fn split(&self, step: Step) -> Vec<Self> {
        let mut parts = Vec::new();
        let mut first = self.first;
        while midnight(first, &self.zone) < self.to {
            let next = step.after(first);
            let part = Self {
                from: midnight(first, &self.zone),
                to: midnight(next, &self.zone).min(self.to),
                first,
                whole_until: next.min(self.whole_until).max(first),
                zone: self.zone.clone(),
            };
            parts.push(part);
            if next <= first {
                break;
            }
            first = next;
        }
        parts
    }

    /// Returns its length.
    #[must_use]
    pub fn length(&self) -> SignedDuration {
        self.to.duration_since(self.from)
    }
}

/// Parts of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Days.
    Day,
    /// Weeks from Monday to Sunday.
    Week,
    /// Months.
    Month,
}

impl Step {
    /// Returns the first day after the part that a day lies in.
    fn after(self, day: Date) -> Date {
        let next = match self {
            Self::Day => day.tomorrow(),
            Self::Week => day.nth_weekday(1, Weekday::Monday),
            Self::Month => day.first_of_month().checked_add(1.month()),
        };
        next.unwrap_or(Date::MAX)
    }
}

/// Returns the beginning of a civil day. Where clocks skip midnight, it begins later.
fn midnight(day: Date, zone: &TimeZone) -> Timestamp {
    zone.to_zoned(day.at(0, 0, 0, 0)).map_or(Timestamp::MAX, |start| start.timestamp())
}
