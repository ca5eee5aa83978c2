//! Times and ages, as the pages show them.

use jiff::Timestamp;
use maud::{Markup, html};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Returns the time from `since` to `now`, in the largest unit of which it has two, at least
/// minutes: `3 min`, `47 h`, `2 d`.
pub(super) fn short(since: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(since).as_secs().max(0);
    match seconds {
        0..MINUTE => "now".to_owned(),
        s if s < 2 * HOUR => format!("{} min", s / MINUTE),
        s if s < 2 * DAY => format!("{} h", s / HOUR),
        s => format!("{} d", s / DAY),
    }
}

/// Returns the same in words, for sentences: `3 minutes`, `1 hour`.
pub(super) fn long(since: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(since).as_secs().max(0);
    let (number, unit) = match seconds {
        0..MINUTE => return "less than a minute".to_owned(),
        s if s < 2 * HOUR => (s / MINUTE, "minute"),
        s if s < 2 * DAY => (s / HOUR, "hour"),
        s => (s / DAY, "day"),
    };
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

/// Returns the age as an element that machines and pointers can read the time from.
pub(super) fn element(since: Timestamp, now: Timestamp) -> Markup {
    html! { time datetime=(second(since)) title=(moment(since)) { (short(since, now)) } }
}

/// Returns the time itself as an element.
pub(super) fn at(at: Timestamp) -> Markup {
    html! { time datetime=(second(at)) { (moment(at)) } }
}

fn second(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn moment(at: Timestamp) -> String {
    at.strftime("%-d %b %Y %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_one_unit() {
        let at = |second: i64| Timestamp::from_second(1_790_000_000 + second).unwrap();
        for (age, is, words) in [
            (-5, "now", "less than a minute"),
            (59, "now", "less than a minute"),
            (60, "1 min", "1 minute"),
            (7199, "119 min", "119 minutes"),
            (7200, "2 h", "2 hours"),
            (172_799, "47 h", "47 hours"),
            (172_800, "2 d", "2 days"),
            (864_000_000, "10000 d", "10000 days"),
        ] {
            assert_eq!((short(at(0), at(age)).as_str(), long(at(0), at(age)).as_str()), (is, words));
        }
    }
}
