//! Backoff for questions that a forge fails to answer.
//!
//! A question that failed is asked again only after a wait that doubles with
//! each failure. If several different questions of one kind failed in an
//! installation and none was answered since (GraphQL is down, say), the whole
//! kind pauses, and one of them is tried when the pause ends. Everything that
//! decides on a repository shares this, whatever makes it ask.
//!
//! It is kept in memory only. It describes the forge at this moment, which a
//! restart may find out again at the price of a few calls a kind, and the time
//! to ask again is a timer in the store already. A refusal is not remembered
//! here: it is an answer, and a fact.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};

use crate::{
    app::{clock::after, limits::Tenant},
    domain::{id::RepoKey, needs::Need},
};

/// First and longest wait of one question.
const QUESTION_WAITS: [SignedDuration; 2] = [SignedDuration::from_secs(2), SignedDuration::from_mins(30)];
/// First and longest pause of a kind.
const KIND_WAITS: [SignedDuration; 2] = [SignedDuration::from_secs(5), SignedDuration::from_mins(2)];
/// Number of different questions that have to fail in a row before their kind pauses.
const FAILURES_OF_A_KIND: u32 = 3;
/// Questions remembered before those that may be asked again are forgotten.
const REMEMBERED: usize = 4096;

/// Questions of one kind in one installation.
type Kind = (Tenant, &'static str);
/// One question in one repository.
type Question = (RepoKey, Need);

/// Recent failures, with the times at which questions may be asked again.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: Mutex<Failures>,
}

#[derive(Debug, Default)]
struct Failures {
    questions: HashMap<Question, Rest>,
    kinds: HashMap<Kind, KindRest>,
}

/// Failures in a row, and the time before which it is not asked again.
#[derive(Debug, Clone, Copy)]
struct Rest {
    failures: u32,
    until: Timestamp,
}

#[derive(Debug)]
struct KindRest {
    rest: Rest,
    /// The question that failed last: one that keeps failing does not pause its kind.
    last: Question,
}

impl Rest {
    fn failed(self, [first, longest]: [SignedDuration; 2], beyond: u32, now: Timestamp) -> Self {
        let failures = self.failures.saturating_add(1);
        let doublings = failures.saturating_sub(beyond + 1).min(16);
        let wait = if failures > beyond { (first * (1 << doublings)).min(longest) } else { SignedDuration::ZERO };
        Self { failures, until: after(now, wait) }
    }
}

impl Backoff {
    /// Returns whether a question may be asked now; `Err` is the time from which it may. Once the
    /// pause of its kind is over, the first caller that gets `Ok` tries for all: the others
    /// continue to wait.
    pub(crate) fn admit(&self, tenant: &Tenant, repo: &RepoKey, need: &Need, now: Timestamp) -> Result<(), Timestamp> {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        // After the clock was set back, no wait may be longer than the longest.
        let waits = |rest: Rest, [_, longest]: [SignedDuration; 2]| {
            (rest.until > now && rest.until <= after(now, longest)).then_some(rest.until)
        };
        let question = failures.questions.get(&(repo.clone(), need.clone())).copied();
        if let Some(until) = question.and_then(|rest| waits(rest, QUESTION_WAITS)) {
            return Err(until);
        }
        if let Some(kind) = failures.kinds.get_mut(&(tenant.clone(), need.kind())) {
            if let Some(until) = waits(kind.rest, KIND_WAITS) {
                return Err(until);
            }
            if kind.rest.failures >= FAILURES_OF_A_KIND {
                kind.rest.until = after(now, KIND_WAITS[0]);
            }
        }
        Ok(())
    }

    /// Records that the forge answered, if only by refusing.
    pub(crate) fn answered(&self, tenant: &Tenant, repo: &RepoKey, need: &Need) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.questions.remove(&(repo.clone(), need.clone()));
        failures.kinds.remove(&(tenant.clone(), need.kind()));
    }

    /// Records that the forge did not answer. Returns when the question may be asked again.
    pub(crate) fn failed(&self, tenant: &Tenant, repo: &RepoKey, need: &Need, now: Timestamp) -> Timestamp {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.questions.len() >= REMEMBERED {
            failures.questions.retain(|_, rest| rest.until > now);
            // Still too many at once: the pauses of kinds remain.
            if failures.questions.len() >= REMEMBERED {
                failures.questions.clear();
            }
        }
        let never = Rest { failures: 0, until: Timestamp::MIN };
        let question = (repo.clone(), need.clone());
        let rest = failures.questions.entry(question.clone()).or_insert(never);
        *rest = rest.failed(QUESTION_WAITS, 0, now);
        let mut until = rest.until;
        let kind = failures.kinds.entry((tenant.clone(), need.kind()));
        let kind = kind.or_insert_with(|| KindRest { rest: never, last: (repo.clone(), Need::Tags) });
        let resting = kind.rest.failures >= FAILURES_OF_A_KIND;
        if resting || kind.rest.failures == 0 || kind.last != question {
            kind.rest = kind.rest.failed(KIND_WAITS, FAILURES_OF_A_KIND - 1, now);
            kind.last = question;
        }
        until = until.max(kind.rest.until);
        until
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::ForgeName;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).unwrap()
    }

    fn tenant() -> Tenant {
        (ForgeName::github(), 7)
    }

    fn repo() -> RepoKey {
        RepoKey { forge: ForgeName::github(), id: 1 }
    }

    fn links(pull: u64) -> Need {
        Need::LinkedIssues { pull }
    }

    /// Returns the seconds within an hour at which questions that always fail are asked.
    fn tries(needs: &[Need]) -> Vec<i64> {
        let backoff = Backoff::default();
        let mut asked = Vec::new();
        for second in 0..3600 {
            for need in needs {
                if backoff.admit(&tenant(), &repo(), need, at(second)).is_ok() {
                    backoff.failed(&tenant(), &repo(), need, at(second));
                    asked.push(second);
                }
            }
        }
        asked
    }

    #[test]
    fn one_question_waits_twice_as_long_each_time() {
        assert_eq!(tries(&[links(1)]), [0, 2, 6, 14, 30, 62, 126, 254, 510, 1022, 2046]);
    }

    #[test]
    fn a_thousand_questions_of_a_kind_cost_hardly_more_than_one() {
        let needs: Vec<Need> = (0..1000).map(links).collect();
        let asked = tries(&needs);
        assert!(asked.len() < 40, "{} calls in an hour", asked.len());
        assert!(
            asked.windows(2).all(|pair| pair[1] - pair[0] <= 120),
            "the kind is tried every two minutes: {asked:?}"
        );
    }

    #[test]
    fn one_bad_question_keeps_none_of_its_kind_waiting() {
        let backoff = Backoff::default();
        for second in [0, 2, 6, 14, 30] {
            backoff.failed(&tenant(), &repo(), &links(1), at(second));
        }
        assert_eq!(backoff.admit(&tenant(), &repo(), &links(2), at(30)), Ok(()));
        assert_eq!(backoff.admit(&tenant(), &repo(), &links(1), at(30)), Err(at(62)));
    }

    #[test]
    fn an_answer_ends_the_rest_of_its_kind_at_once() {
        let backoff = Backoff::default();
        for pull in 1..=3 {
            backoff.failed(&tenant(), &repo(), &links(pull), at(0));
        }
        assert_eq!(backoff.admit(&tenant(), &repo(), &links(4), at(1)), Err(at(5)));
        assert_eq!(backoff.admit(&tenant(), &repo(), &Need::Tags, at(1)), Ok(()), "another kind");
        let other = (ForgeName::github(), 8);
        assert_eq!(backoff.admit(&other, &repo(), &links(4), at(1)), Ok(()), "another installation");
        assert_eq!(backoff.admit(&tenant(), &repo(), &links(4), at(5)), Ok(()), "one is tried");
        assert_eq!(backoff.admit(&tenant(), &repo(), &links(5), at(5)), Err(at(10)), "for all");
        backoff.answered(&tenant(), &repo(), &links(4));
        assert_eq!(backoff.admit(&tenant(), &repo(), &links(5), at(5)), Ok(()));
    }

    #[test]
    fn a_clock_set_back_keeps_nothing_waiting() {
        let backoff = Backoff::default();
        for pull in 1..=3 {
            backoff.failed(&tenant(), &repo(), &links(pull), at(86_400));
        }
        assert_eq!(backoff.admit(&tenant(), &repo(), &links(1), at(0)), Ok(()));
    }
}
