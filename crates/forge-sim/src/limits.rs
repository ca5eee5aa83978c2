//! GitHub's published limits, per installation.
//!
//! Primary: 5,000 requests an hour. Secondary: 900 points a minute (a read counts 1, a write 5), 80
//! content-creating requests a minute and 500 an hour.
//! <https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api>

use std::collections::{HashMap, VecDeque};

use jiff::{SignedDuration, Timestamp};

/// The account of the App itself; no installation has this number.
pub(super) const THE_APP: u64 = 0;
/// Requests an hour.
pub(super) const HOURLY: u32 = 5_000;
const POINTS_A_MINUTE: u32 = 900;
const CREATED_A_MINUTE: usize = 80;
const CREATED_AN_HOUR: usize = 500;
const MINUTE: SignedDuration = SignedDuration::from_mins(1);
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// Requests counted for an installation.
#[derive(Debug, Default)]
struct Account {
    /// End of the primary window, and the requests in it.
    reset: Option<Timestamp>,
    used: u32,
    points: VecDeque<(Timestamp, u32)>,
    created: VecDeque<Timestamp>,
}

/// Values of the `x-ratelimit-*` headers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    pub(super) remaining: u32,
    pub(super) used: u32,
    pub(super) reset: Timestamp,
}

/// Reason for which a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exceeded {
    /// The hourly limit: `x-ratelimit-remaining: 0`, wait for the reset.
    Primary,
    /// A secondary limit: `Retry-After` in seconds.
    Secondary(i64),
}

/// Counters of all installations.
#[derive(Debug, Default)]
pub(super) struct Limits {
    /// Whether to refuse requests over a limit; otherwise they are only counted.
    pub(super) enforced: bool,
    accounts: HashMap<u64, Account>,
}

impl Limits {
    /// Counts a request, or returns why it is refused.
    pub(super) fn charge(&mut self, who: u64, write: bool, creates: bool, now: Timestamp) -> Result<(), Exceeded> {
        let enforced = self.enforced;
        let account = self.account(who, now);
        while account.points.front().is_some_and(|(at, _)| *at + MINUTE <= now) {
            account.points.pop_front();
        }
        while account.created.front().is_some_and(|at| *at + HOUR <= now) {
            account.created.pop_front();
        }
        if enforced {
            if account.used >= HOURLY {
                return Err(Exceeded::Primary);
            }
            let points: u32 = account.points.iter().map(|(_, p)| p).sum();
            let lately = account.created.iter().filter(|at| **at + MINUTE > now).count();
            let wait = |at: Timestamp, span: SignedDuration| {
                Exceeded::Secondary((at + span).duration_since(now).as_secs().max(1))
            };
            if points + if write { 5 } else { 1 } > POINTS_A_MINUTE {
                return Err(wait(account.points.front().map_or(now, |(at, _)| *at), MINUTE));
            }
            if creates && account.created.len() >= CREATED_AN_HOUR {
                return Err(wait(account.created.front().copied().unwrap_or(now), HOUR));
            }
            if creates && lately >= CREATED_A_MINUTE {
                let first = account.created.iter().rev().nth(CREATED_A_MINUTE - 1).copied().unwrap_or(now);
                return Err(wait(first, MINUTE));
            }
        }
        account.used += 1;
        account.points.push_back((now, if write { 5 } else { 1 }));
        if creates {
            account.created.push_back(now);
        }
        Ok(())
    }

    /// Counts requests, whatever the limits.
    pub(super) fn spend(&mut self, who: u64, requests: u32, now: Timestamp) {
        self.account(who, now).used += requests;
    }

    /// Gives a request back: one that was answered with 304 is free.
    pub(super) fn refund(&mut self, who: u64, now: Timestamp) {
        let account = self.account(who, now);
        account.used = account.used.saturating_sub(1);
    }

    /// Returns the values of an installation's rate-limit headers.
    pub(super) fn standing(&mut self, who: u64, now: Timestamp) -> Standing {
        let account = self.account(who, now);
        Standing {
            remaining: HOURLY.saturating_sub(account.used),
            used: account.used,
            reset: account.reset.unwrap_or(now),
        }
    }

    fn account(&mut self, who: u64, now: Timestamp) -> &mut Account {
        let account = self.accounts.entry(who).or_default();
        if account.reset.is_none_or(|reset| reset <= now) {
            account.reset = Some(now + HOUR);
            account.used = 0;
        }
        account
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_limited_to_80_a_minute() {
        let mut limits = Limits { enforced: true, ..Limits::default() };
        let start = Timestamp::UNIX_EPOCH;
        for _ in 0..80 {
            assert_eq!(limits.charge(1, true, true, start), Ok(()));
        }
        assert_eq!(limits.charge(1, true, true, start + SignedDuration::from_secs(20)), Err(Exceeded::Secondary(40)));
        assert_eq!(limits.charge(1, false, false, start), Ok(()));
        assert_eq!(limits.charge(1, true, true, start + MINUTE), Ok(()));
        assert_eq!(limits.charge(2, true, true, start), Ok(()));
    }
}
