//! The timeline of an incident: derives from its alert episodes when it fired and when it was over.
//!
//! ```text
//! episodes         ─── ──    ─              ──
//! firing periods   ──────    ─              ──      a gap within `grace` is a flap
//! cycles           ───────────              ──      a gap within `reopen_window` reopens
//! ```

use jiff::{SignedDuration, Timestamp};

use crate::{
    domain::{alert_policy::AlertPolicy, fact::incident::IncidentFacts},
    incident::later,
};

/// A period in which an incident fired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FiringPeriod {
    /// Start of the period.
    pub(super) from: Timestamp,
    /// End of the period; `None` while it fires.
    pub(super) until: Option<Timestamp>,
    /// Number of gaps that were no longer than the grace period.
    pub(super) flaps: u32,
    /// Whether a person resolved it: no grace period applies.
    pub(super) by_hand: bool,
}

/// State of an incident at a given time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IncidentState {
    /// It never fired.
    Quiet,
    /// It fires, but not for `hold` yet.
    Pending {
        /// Time at which it will have fired for `hold`.
        until: Timestamp,
    },
    /// It fires.
    Firing,
    /// It stopped firing, but not for `grace` yet.
    Resolving {
        /// Time at which it will have been quiet for `grace`.
        until: Timestamp,
    },
    /// It is over.
    Over,
}

impl IncidentState {
    /// Returns whether it fires or is about to resolve, and has fired for long enough to be shown.
    pub(super) fn is_on(self) -> bool {
        matches!(self, Self::Firing | Self::Resolving { .. })
    }
}

/// Firing periods and current cycle of one incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Timeline {
    /// Firing periods, oldest first.
    pub(super) runs: Vec<FiringPeriod>,
    /// Start of the current cycle: of the last firing periods with gaps no longer than the reopen
    /// window, the first one's start.
    pub(super) cycle: Option<Timestamp>,
    noticed: Option<Timestamp>,
    hold: SignedDuration,
    grace: SignedDuration,
}

impl Timeline {
    /// Builds the timeline. `over` holds the times at which people resolved the incident.
    pub(super) fn new(facts: &IncidentFacts, over: &[Timestamp], policy: &AlertPolicy) -> Self {
        let runs = runs(facts, over, policy.grace);
        let mut cycle: Option<Timestamp> = None;
        let mut ended: Option<Timestamp> = None;
        for run in &runs {
            let again = ended.is_none_or(|end| run.from.duration_since(end) > policy.reopen_window);
            if again {
                cycle = Some(run.from);
            }
            ended = run.until.or(Some(Timestamp::MAX));
        }
        Self { runs, cycle, noticed: facts.noticed, hold: policy.hold, grace: policy.grace }
    }

    /// Returns the current firing period, or the last one.
    pub(super) fn last(&self) -> Option<FiringPeriod> {
        self.runs.last().copied()
    }

    /// Returns the state at `now`.
    pub(super) fn standing(&self, now: Timestamp) -> IncidentState {
        let Some(run) = self.last() else { return IncidentState::Quiet };
        match run.until {
            None => {
                let until = later(run.from.max(self.noticed.unwrap_or(now)), self.hold);
                if now < until { IncidentState::Pending { until } } else { IncidentState::Firing }
            }
            Some(end) if !run.by_hand && now < later(end, self.grace) => {
                IncidentState::Resolving { until: later(end, self.grace) }
            }
            Some(_) => IncidentState::Over,
        }
    }
}

fn runs(facts: &IncidentFacts, over: &[Timestamp], grace: SignedDuration) -> Vec<FiringPeriod> {
    let mut stretches: Vec<FiringPeriod> = facts
        .episodes
        .iter()
        .filter_map(|(key, episode)| {
            let from = episode.fired?.min(key.from);
            let reported = episode.ended.at;
            let until = match episode.ended.value {
                Some(end) => Some(end.max(from)),
                // A newer, complete message no longer lists the alert, so it ended.
                None => (facts.whole_at > Some(reported)).then_some(reported.max(from)),
            };
            Some(FiringPeriod { from, until, flaps: 0, by_hand: false })
        })
        .collect();
    // While the newest message is incomplete, an alert that it left out may still fire.
    let cut_short = facts.cut_at.is_some() && facts.cut_at >= facts.whole_at;
    if cut_short
        && stretches.iter().all(|run| run.until.is_some())
        && let Some(last) = stretches.iter_mut().max_by_key(|run| (run.until, run.from))
    {
        last.until = None;
    }
    for stretch in &mut stretches {
        let within = |at: &&Timestamp| stretch.from <= **at && stretch.until.is_none_or(|end| **at < end);
        if let Some(at) = over.iter().filter(within).min() {
            (stretch.until, stretch.by_hand) = (Some(*at), true);
        }
    }
    stretches.sort_by_key(|run| (run.from, run.until));
    let mut runs: Vec<FiringPeriod> = Vec::new();
    for next in stretches {
        let Some(run) = runs.last_mut() else {
            runs.push(next);
            continue;
        };
        let Some(end) = run.until else { continue };
        if next.from > end && (run.by_hand || next.from.duration_since(end) > grace) {
            runs.push(next);
            continue;
        }
        run.flaps += u32::from(next.from > end);
        if next.until.is_none_or(|until| until > end) {
            (run.until, run.by_hand) = (next.until, next.by_hand);
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fact::{
        Newest,
        incident::{Episode, EpisodeKey},
    };

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + minute * 60).unwrap()
    }

    fn incident(stretches: &[(i64, Option<i64>)]) -> IncidentFacts {
        let mut facts = IncidentFacts::new("prod", "k");
        for (from, until) in stretches {
            let key = EpisodeKey { from: at(*from), fingerprint: "a".into() };
            let ended = Newest::new(at(until.unwrap_or(*from)), until.map(at));
            facts.episodes.insert(key, Episode { ended, fired: Some(at(*from)) });
        }
        facts
    }

    fn shape(facts: &IncidentFacts, over: &[i64]) -> Vec<(i64, Option<i64>, u32)> {
        let over: Vec<Timestamp> = over.iter().map(|m| at(*m)).collect();
        let minute = |t: Timestamp| t.duration_since(at(0)).as_mins();
        let course = Timeline::new(facts, &over, &AlertPolicy::default());
        let runs = course.runs.iter();
        runs.map(|run| (minute(run.from), run.until.map(minute), run.flaps)).collect()
    }

    #[test]
    fn short_gaps_are_flaps() {
        let facts = incident(&[(0, Some(5)), (10, Some(11)), (40, None)]);
        assert_eq!(shape(&facts, &[]), [(0, Some(11), 1), (40, None, 0)]);
        assert_eq!(Timeline::new(&facts, &[], &AlertPolicy::default()).cycle, Some(at(0)));
    }

    #[test]
    fn a_day_later_is_another_cycle() {
        let facts = incident(&[(0, Some(5)), (24 * 60 + 6, None)]);
        assert_eq!(Timeline::new(&facts, &[], &AlertPolicy::default()).cycle, Some(at(24 * 60 + 6)));
    }

    #[test]
    fn what_a_person_ended_stays_ended() {
        let facts = incident(&[(0, None), (7, None)]);
        assert_eq!(shape(&facts, &[5]), [(0, Some(5), 0), (7, None, 0)]);
        assert_eq!(shape(&facts, &[8]), [(0, Some(8), 0)]);
        // It had already ended on its own at that time.
        assert_eq!(shape(&incident(&[(0, Some(5)), (7, None)]), &[5]), [(0, None, 1)]);
    }

    #[test]
    fn what_was_left_out_may_still_fire() {
        let mut facts = incident(&[(0, Some(5))]);
        facts.whole_at = Some(at(4));
        facts.cut_at = Some(at(5));
        assert_eq!(shape(&facts, &[]), [(0, None, 0)]);
        facts.whole_at = Some(at(6));
        assert_eq!(shape(&facts, &[]), [(0, Some(5), 0)]);
    }

    #[test]
    fn what_is_no_longer_listed_is_gone() {
        let mut facts = incident(&[(0, None)]);
        facts.whole_at = Some(at(9));
        assert_eq!(shape(&facts, &[]), [(0, Some(0), 0)]);
    }
}
