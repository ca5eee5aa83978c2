//! Pace of the messages to one target: at most one in a second, and at most 30 new ones in an hour.
//!
//! New messages take tokens from a bucket of 15 that gets one back every 4 minutes: in no hour are there
//! more than 30. While it is empty, what waits is put together: when a token is back, all of it goes as
//! one digest. Edits ring no bell, and take no token.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::app::clock::after;

/// Shortest time between two requests.
const SPACING: SignedDuration = SignedDuration::from_secs(1);
/// Size of the bucket, and the time after which a token is back.
const BURST: i32 = 15;
const REFILL: SignedDuration = SignedDuration::from_mins(4);
/// Longest pause that a target can ask for.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(1);

/// State of the pace, kept in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pace {
    /// Time at which the bucket is full again.
    full_at: Timestamp,
    /// Time of the last request.
    sent_at: Timestamp,
    /// Time until which the target wants nothing.
    paused_until: Timestamp,
    /// True if a new message had to wait for a token.
    held_back: bool,
}

impl Pace {
    fn new() -> Self {
        let past = Timestamp::UNIX_EPOCH;
        Self { full_at: past, sent_at: past, paused_until: past, held_back: false }
    }

    /// Reads a stored state. What lies further ahead than ever happens comes of a clock that was set
    /// back since.
    pub(super) fn read(stored: Option<&str>, now: Timestamp) -> Self {
        let mut pace = stored.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_else(Self::new);
        pace.full_at = pace.full_at.min(after(now, REFILL * BURST));
        pace.sent_at = pace.sent_at.min(now);
        pace.paused_until = pace.paused_until.min(after(now, LONGEST_PAUSE));
        pace
    }

    /// Returns the state as it is stored.
    pub(super) fn text(&self) -> String {
        // A struct of plain values.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Returns when a request may be sent, if not now.
    pub(super) fn wait(&self, now: Timestamp) -> Option<Timestamp> {
        Some(after(self.sent_at, SPACING).max(self.paused_until)).filter(|at| *at > now)
    }

    /// Returns when a new message may be sent, if there is no token now.
    pub(super) fn wait_for_token(&self, now: Timestamp) -> Option<Timestamp> {
        let empty_until = self.full_at.checked_sub(REFILL * (BURST - 1)).unwrap_or(Timestamp::UNIX_EPOCH);
        Some(empty_until).filter(|at| *at > now)
    }

    /// Records that a new message waits for a token. Returns whether that is new.
    pub(super) fn hold_back(&mut self) -> bool {
        !std::mem::replace(&mut self.held_back, true)
    }

    /// Returns whether a new message waited for a token.
    pub(super) fn is_held_back(&self) -> bool {
        self.held_back
    }

    /// Records a request; `is_new` for a new message.
    pub(super) fn sent(&mut self, now: Timestamp, is_new: bool) {
        self.sent_at = now;
        if is_new {
            self.full_at = after(self.full_at.max(now), REFILL);
            self.held_back = false;
        }
    }

    /// Records that the target wants nothing for a while.
    pub(super) fn pause(&mut self, until: Timestamp) {
        self.paused_until = self.paused_until.max(until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_hour_has_more_than_thirty_new_messages_and_no_second_two() {
        let start = Timestamp::from_second(1_800_000_000).unwrap();
        let mut pace = Pace::read(None, start);
        let mut sent: Vec<Timestamp> = Vec::new();
        let mut now = start;
        while now < after(start, SignedDuration::from_hours(5)) {
            if let Some(at) = pace.wait(now).into_iter().chain(pace.wait_for_token(now)).max() {
                assert!(at > now);
                now = at;
                continue;
            }
            pace.sent(now, true);
            sent.push(now);
            // As it would be after a restart.
            pace = Pace::read(Some(&pace.text()), now);
        }
        for (place, at) in sent.iter().enumerate() {
            let within = sent[place..].iter().filter(|other| other.duration_since(*at) < SignedDuration::from_hours(1));
            assert!(within.count() <= 30);
        }
        assert!(sent.windows(2).all(|pair| pair[1].duration_since(pair[0]) >= SPACING));
        assert!(sent.len() > 75, "{}", sent.len());
    }

    #[test]
    fn a_clock_that_was_set_back_blocks_nothing_for_long() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let far = after(now, SignedDuration::from_hours(1000));
        let mut pace = Pace::read(None, far);
        pace.sent(far, true);
        pace.pause(after(far, LONGEST_PAUSE));
        let pace = Pace::read(Some(&pace.text()), now);
        let most = after(now, LONGEST_PAUSE);
        assert!(pace.wait(now).is_none_or(|at| at <= most) && pace.wait_for_token(now).is_none_or(|at| at <= most));
    }
}
