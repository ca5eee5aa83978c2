//! Write budget of one installation.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    app::{clock::after, limits::LONGEST_PARKING},
    domain::effect::Lane,
    port::{
        forge::{Cost, Pace},
        store::BudgetRow,
    },
};

/// Writes allowed in a burst before the pace of one a second applies.
const BURST: u32 = 10;
/// Further writes that only the safety lane may use.
const RESERVE: u32 = 10;
/// Writes of the burst that conversation leaves to labels.
const FOR_LABELS: u32 = 4;
/// Writes' worth of time after which conversation may write once while labels use up the rest.
const TALK_EVERY: u32 = 2;
/// Longest debt, in seconds of pace: more than writes sent at once ever cost.
const LONGEST_DEBT: SignedDuration = SignedDuration::from_mins(5);

/// Result of asking for a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// The write may be sent now.
    Now,
    /// The installation may write nothing before this time.
    NothingBefore(Timestamp),
    /// Only writes that create nothing may be sent before this time.
    NoCreateBefore(Timestamp),
    /// Writes of this lane may not be sent before this time; other lanes' may.
    LaneBefore(Timestamp),
}

/// Budget of one installation.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    /// Limits of the forge.
    pace: Pace,
    /// Time by which the writes so far are paid for at the pace (a "theoretical arrival time").
    paid_at: Timestamp,
    /// Times of creates within the longest span that limits them.
    creates: VecDeque<Timestamp>,
    /// Time from which conversation may write once although labels' share is used up.
    talk_at: Timestamp,
    /// Time before which the forge allows no request.
    pub(super) parked_until: Timestamp,
}

impl Budget {
    pub(super) fn new(pace: Pace) -> Self {
        Self {
            pace,
            paid_at: Timestamp::MIN,
            creates: VecDeque::new(),
            talk_at: Timestamp::MIN,
            parked_until: Timestamp::MIN,
        }
    }

    pub(super) fn admits(&self, lane: Lane, cost: Cost, now: Timestamp) -> Admission {
        if self.parked_until > now {
            return Admission::NothingBefore(self.parked_until);
        }
        let burst = if lane == Lane::Safety { BURST + RESERVE } else { BURST };
        let ready = self.leaves(burst, cost, now);
        if ready > now {
            return Admission::NothingBefore(ready);
        }
        if lane == Lane::Conversation {
            let ready = self.spares_labels_at(cost, now).min(self.talk_at);
            if ready > now {
                return Admission::LaneBefore(ready);
            }
        }
        let ready = self.pace.creates.iter().filter_map(|(limit, span)| {
            let allowed = limit.saturating_sub(cost.creates as usize);
            let hinders = self.creates.len().checked_sub(allowed + 1)?;
            self.creates.get(hinders).map(|at| after(*at, *span))
        });
        match ready.max() {
            Some(ready) if cost.creates > 0 && ready > now => Admission::NoCreateBefore(ready),
            _ => Admission::Now,
        }
    }

    /// Returns the time from which a conversation write leaves labels their share.
    pub(super) fn spares_labels_at(&self, cost: Cost, now: Timestamp) -> Timestamp {
        self.leaves(BURST - FOR_LABELS, cost, now)
    }

    /// Returns the time from which this cost is within a burst of `burst` writes.
    fn leaves(&self, burst: u32, cost: Cost, now: Timestamp) -> Timestamp {
        let early = self.price(burst - cost.writes.min(burst));
        after(self.paid_at.max(now), -early)
    }

    /// Returns the time that so many writes take at the pace.
    fn price(&self, writes: u32) -> SignedDuration {
        self.pace.write_every.saturating_mul(i32::try_from(writes).unwrap_or(i32::MAX))
    }

    pub(super) fn spend(&mut self, lane: Lane, cost: Cost, now: Timestamp) {
        if lane == Lane::Conversation && self.spares_labels_at(cost, now) > now {
            self.talk_at = after(now, self.price(cost.writes.max(1).saturating_mul(TALK_EVERY)));
        }
        self.paid_at = after(self.paid_at.max(now), self.price(cost.writes));
        self.forget(now);
        if !self.pace.creates.is_empty() {
            self.creates.extend((0..cost.creates).map(|_| now));
        }
    }

    pub(super) fn give_back(&mut self, cost: Cost) {
        self.paid_at = after(self.paid_at, -self.price(cost.writes));
        let left = self.creates.len().saturating_sub(cost.creates as usize);
        self.creates.truncate(left);
    }

    /// Limits every stored time to the furthest that it may lie ahead of `now`. Otherwise, after
    /// the machine's clock was set back, nothing would be written for as long.
    pub(super) fn believe(&mut self, now: Timestamp) {
        self.paid_at = self.paid_at.min(after(now, LONGEST_DEBT));
        self.talk_at = self.talk_at.min(after(now, LONGEST_DEBT));
        self.parked_until = self.parked_until.min(after(now, LONGEST_PARKING));
        for at in self.creates.iter_mut().rev().take_while(|at| **at > now) {
            *at = now;
        }
    }

    pub(super) fn forget(&mut self, now: Timestamp) {
        let longest = self.pace.creates.iter().map(|(_, span)| *span).max().unwrap_or_default();
        while self.creates.front().is_some_and(|at| after(*at, longest) <= now) {
            self.creates.pop_front();
        }
    }

    pub(super) fn rests(&mut self, now: Timestamp) -> bool {
        self.forget(now);
        self.paid_at <= now && self.parked_until <= now && self.creates.is_empty()
    }
}

/// A budget as it is stored; times in milliseconds since 1970.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Spent {
    paid_at: i64,
    creates: Vec<i64>,
}

impl Budget {
    pub(super) fn spent(&self) -> Spent {
        let creates = self.creates.iter().map(|at| at.as_millisecond()).collect();
        Spent { paid_at: self.paid_at.as_millisecond(), creates }
    }

    /// Restores a stored budget. An unreadable one counts as empty: the forge still enforces
    /// its limits.
    pub(super) fn take_over(&mut self, kept: &BudgetRow) {
        self.parked_until = self.parked_until.max(kept.parked_until);
        if let Ok(Spent { paid_at, creates }) = serde_json::from_str(&kept.spent) {
            self.paid_at = Timestamp::from_millisecond(paid_at).unwrap_or(Timestamp::MIN);
            self.creates = creates.into_iter().filter_map(|at| Timestamp::from_millisecond(at).ok()).collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace {
        write_every: SignedDuration::from_secs(1),
        creates: &[(80, SignedDuration::from_secs(61)), (500, SignedDuration::from_secs(3601))],
    };
    const WRITE: Cost = Cost { writes: 1, creates: 0 };
    const CREATE: Cost = Cost { writes: 1, creates: 1 };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).unwrap()
    }

    #[test]
    fn a_burst_goes_at_once_then_one_a_second() {
        let mut budget = Budget::new(PACE);
        let sent = (0..100)
            .flat_map(|s| std::iter::repeat_n(s, 20))
            .filter(|s| {
                let go = budget.admits(Lane::Labels, WRITE, at(*s)) == Admission::Now;
                if go {
                    budget.spend(Lane::Labels, WRITE, at(*s));
                }
                go
            })
            .count();
        assert_eq!(sent, 10 + 99);
    }

    #[test]
    fn without_limits_everything_goes_until_the_forge_says_no() {
        let mut budget = Budget::new(Pace::UNLIMITED);
        for lane in Lane::ALL.into_iter().cycle().take(3000) {
            assert_eq!(budget.admits(lane, CREATE, at(0)), Admission::Now);
            budget.spend(lane, CREATE, at(0));
        }
        assert!(budget.creates.is_empty(), "nothing is counted that nothing limits");
        budget.parked_until = at(60);
        assert_eq!(budget.admits(Lane::Safety, WRITE, at(0)), Admission::NothingBefore(at(60)));
    }

    #[test]
    fn the_safety_lane_has_a_reserve_that_labels_cannot_use_up() {
        let mut budget = Budget::new(PACE);
        while budget.admits(Lane::Labels, WRITE, at(0)) == Admission::Now {
            budget.spend(Lane::Labels, WRITE, at(0));
        }
        assert_eq!(budget.admits(Lane::Conversation, WRITE, at(0)), Admission::NothingBefore(at(1)));
        assert_eq!(budget.admits(Lane::Safety, WRITE, at(0)), Admission::Now);
    }

    /// Conversation writes whenever it may; every label is sent at once.
    #[test]
    fn conversation_leaves_labels_what_is_theirs() {
        let mut budget = Budget::new(PACE);
        let dear = Cost { writes: 3, creates: 0 };
        let (mut talked, mut labels) = (0, 0);
        for second in 0..600 {
            while budget.admits(Lane::Conversation, WRITE, at(second)) == Admission::Now {
                budget.spend(Lane::Conversation, WRITE, at(second));
                talked += 1;
            }
            if second % 6 == 0 {
                assert_eq!(budget.admits(Lane::Labels, dear, at(second)), Admission::Now, "after {second} s");
                budget.spend(Lane::Labels, dear, at(second));
                labels += 1;
            }
        }
        assert_eq!(labels, 100);
        assert!(talked > 250, "{talked} of the 300 that labels left");
    }

    /// Labels use up the budget; conversation still gets through.
    #[test]
    fn labels_leave_conversation_a_word_every_two_seconds() {
        let mut budget = Budget::new(PACE);
        let mut talked = 0;
        for second in 0..600 {
            if budget.admits(Lane::Conversation, WRITE, at(second)) == Admission::Now {
                budget.spend(Lane::Conversation, WRITE, at(second));
                talked += 1;
            }
            while budget.admits(Lane::Labels, WRITE, at(second)) == Admission::Now {
                budget.spend(Lane::Labels, WRITE, at(second));
            }
        }
        assert!((290..=310).contains(&talked), "{talked}");
    }

    #[test]
    fn creates_keep_to_the_minute_and_the_hour() {
        let mut budget = Budget::new(PACE);
        let mut sent = Vec::new();
        for second in 0..7200 {
            while budget.admits(Lane::Conversation, CREATE, at(second)) == Admission::Now {
                budget.spend(Lane::Conversation, CREATE, at(second));
                sent.push(second);
            }
        }
        let most_in = |span: i64| {
            sent.iter().map(|s| sent.iter().filter(|t| (*s..*s + span).contains(*t)).count()).max().unwrap()
        };
        assert!(most_in(60) <= 80, "{} in a minute", most_in(60));
        assert!(most_in(3600) <= 500, "{} in an hour", most_in(3600));
        assert!(sent.len() > 900, "{} in two hours is too shy", sent.len());
    }

    #[test]
    fn without_creates_left_labels_still_go() {
        let mut budget = Budget::new(PACE);
        for _ in 0..80 {
            budget.creates.push_back(at(0));
        }
        assert_eq!(budget.admits(Lane::Conversation, CREATE, at(5)), Admission::NoCreateBefore(at(61)));
        assert_eq!(budget.admits(Lane::Labels, WRITE, at(5)), Admission::Now);
    }

    #[test]
    fn what_is_given_back_can_be_spent_again() {
        let mut budget = Budget::new(PACE);
        budget.spend(Lane::Labels, Cost { writes: 10, creates: 1 }, at(0));
        budget.give_back(Cost { writes: 9, creates: 1 });
        assert_eq!(budget.admits(Lane::Labels, Cost { writes: 9, creates: 0 }, at(0)), Admission::Now);
        assert!(budget.creates.is_empty());
    }

    #[test]
    fn a_clock_set_back_silences_nobody() {
        let mut budget = Budget::new(PACE);
        let day = 24 * 3600;
        for _ in 0..80 {
            budget.spend(Lane::Conversation, CREATE, at(day));
        }
        budget.parked_until = at(day + 60);
        budget.believe(at(0));
        assert_eq!(budget.admits(Lane::Labels, WRITE, at(0)), Admission::NothingBefore(at(7200)));
        assert_eq!(budget.admits(Lane::Labels, CREATE, at(7200)), Admission::Now);
        // Times counted by a correct clock do not change.
        let mut right = Budget::new(PACE);
        right.spend(Lane::Labels, Cost { writes: 20, creates: 20 }, at(0));
        let before = right.clone();
        right.believe(at(0));
        assert_eq!((right.paid_at, right.creates), (before.paid_at, before.creates));
    }

    #[test]
    fn a_budget_comes_back_as_it_was_kept() {
        let mut budget = Budget::new(PACE);
        budget.spend(Lane::Labels, Cost { writes: 3, creates: 2 }, at(0));
        let kept = BudgetRow { spent: serde_json::to_string(&budget.spent()).unwrap(), parked_until: at(9) };
        let mut other = Budget::new(PACE);
        other.take_over(&kept);
        assert_eq!((other.paid_at, other.creates.len(), other.parked_until), (at(3), 2, at(9)));
        other.take_over(&BudgetRow { spent: String::new(), parked_until: at(4) });
        assert_eq!((other.paid_at, other.parked_until), (at(3), at(9)), "parking never goes back");
    }
}
