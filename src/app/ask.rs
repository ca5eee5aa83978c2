//! Asks a forge for the facts that a decision lacks, within bounds.
//!
//! Each question is tried once: the repository is held meanwhile, and its
//! decision continues with the known facts. A timer repeats a question that
//! failed when [`crate::app::backoff`] allows it.

use std::{collections::HashSet, time::Duration};

use futures_util::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::{
    app::{clock::after, forge_query::question_once, limits::Tenant, runtime::Runtime},
    domain::{
        needs::{Answer, Answered, Need},
        when::earlier,
    },
    metric,
    port::{
        forge::{Forge, ForgeError, Target},
        store::Partition,
    },
};

/// Most questions for one delivery or timer; further ones are asked a little later.
const MOST_QUESTIONS: usize = 8;
/// Questions asked in parallel: those known at one moment do not depend on
/// each other.
const AT_ONCE: usize = 4;
/// Total time-out of a decision's questions: the repository is held meanwhile.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(20);
/// Total time-out where somebody waits for the result of a command.
const URGENT_TIMEOUT: Duration = Duration::from_millis(500);
/// Wait before postponed questions are asked.
const GO_ON_AFTER: SignedDuration = SignedDuration::from_secs(5);

/// The questions of one decision.
pub(crate) struct Inquiry<'a> {
    round: Round<'a>,
    asked: HashSet<Need>,
    /// Number of questions that may still be asked.
    left: usize,
    again_at: Option<Timestamp>,
    /// True if nothing more is asked now.
    is_over: bool,
}

impl<'a> Inquiry<'a> {
    /// Prepares questions for the delivery `own`, or for timers. `urgent`: somebody
    /// waits for the result of a command.
    pub(crate) fn new(
        runtime: &'a Runtime,
        forge: &'a dyn Forge,
        target: &'a Target,
        own: Option<&'a str>,
        urgent: bool,
    ) -> Self {
        let timeout = if urgent { URGENT_TIMEOUT } else { TOTAL_TIMEOUT };
        let round = Round { runtime, forge, target, deadline: Instant::now() + timeout, own };
        Self { round, asked: HashSet::new(), left: MOST_QUESTIONS, again_at: None, is_over: false }
    }

    /// Returns when to ask again, if something could not be asked or was not answered now.
    pub(crate) fn again_at(&self) -> Option<Timestamp> {
        self.again_at
    }

    /// Returns whether nothing more is asked now.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Asks the questions that were not asked yet and may be asked now. Answers may raise
    /// further questions: each round asks at least one, so that there are few rounds.
    pub(crate) async fn ask(&mut self, needs: Vec<Need>) -> Vec<Answered> {
        let Round { runtime, target, .. } = self.round;
        let now = runtime.clock.now();
        let mut batch: Vec<Need> = Vec::new();
        for need in needs {
            if self.asked.contains(&need) {
                continue;
            }
            if self.left == 0 {
                // The rest is asked a little later, once these are answered.
                self.again_at = earlier(self.again_at, Some(after(now, GO_ON_AFTER)));
                break;
            }
            self.asked.insert(need.clone());
            match runtime.backoff.admit(&self.round.tenant(), &target.repo, &need, now) {
                Ok(()) => {
                    self.left -= 1;
                    batch.push(need);
                }
                Err(until) => self.again_at = earlier(self.again_at, Some(until)),
            }
        }
        if batch.is_empty() {
            self.is_over = true;
            return Vec::new();
        }
        let Asked { answers, again, broken_off } = self.round.ask(batch).await;
        self.again_at = earlier(self.again_at, again);
        self.is_over = broken_off;
        let answered = |(need, answer)| Answered { need, answer, at: runtime.clock.now() };
        answers.into_iter().map(answered).collect()
    }
}

/// Result of a round of questions.
struct Asked {
    /// Answers in the order of the questions.
    answers: Vec<(Need, Answer)>,
    /// When to ask the unanswered questions again.
    again: Option<Timestamp>,
    /// True if not every question was waited for: nothing more is asked now.
    broken_off: bool,
}

/// Questions of one decision that are asked in parallel.
struct Round<'a> {
    runtime: &'a Runtime,
    forge: &'a dyn Forge,
    target: &'a Target,
    deadline: Instant,
    own: Option<&'a str>,
}

impl Round<'_> {
    fn tenant(&self) -> Tenant {
        (self.target.repo.forge.clone(), self.target.installation)
    }

    /// Asks several questions in parallel. A comment that arrives meanwhile
    /// interrupts this.
    async fn ask(&self, needs: Vec<Need>) -> Asked {
        let repo = &self.target.repo;
        let partition = Partition { forge: repo.forge.clone(), repo: Some(repo.id) };
        let all = needs.len();
        let one = async |(index, need): (usize, Need)| {
            let answer = match need.database() {
                Some(connection) => self.runtime.alerts.ask(connection, &self.target.full_name, &need).await,
                None => question_once(self.runtime, self.target, || self.forge.answer(self.target, &need)).await,
            };
            (index, self.note(&need, answer).map(|answer| (need, answer)))
        };
        let asking = stream::iter(needs.into_iter().enumerate()).map(one).buffer_unordered(AT_ONCE);
        tokio::pin!(asking);
        let interrupted = self.runtime.urgent.waits(&partition, self.own);
        tokio::pin!(interrupted);
        let (mut answers, mut heard, mut again) = (Vec::new(), 0, None);
        loop {
            tokio::select! {
                biased;
                () = &mut interrupted => break,
                next = asking.next() => match next {
                    Some((index, Ok(answer))) => { heard += 1; answers.push((index, answer)); }
                    Some((_, Err(until))) => { heard += 1; again = earlier(again, Some(until)); }
                    None => break,
                },
                () = tokio::time::sleep_until(self.deadline) => break,
            }
        }
        let broken_off = heard < all;
        if broken_off {
            again = earlier(again, Some(after(self.runtime.clock.now(), GO_ON_AFTER)));
        }
        answers.sort_by_key(|(index, _)| *index);
        Asked { answers: answers.into_iter().map(|(_, answer)| answer).collect(), again, broken_off }
    }

    /// Returns the answer for the decision, or when to ask again.
    fn note(&self, need: &Need, answer: Result<Answer, ForgeError>) -> Result<Answer, Timestamp> {
        let outcome = if answer.is_ok() { "answered" } else { "unavailable" };
        metrics::counter!(metric::QUESTIONS, "outcome" => outcome).increment(1);
        let (tenant, repo, backoff) = (self.tenant(), &self.target.repo, &self.runtime.backoff);
        match answer {
            Ok(answer) => {
                backoff.answered(&tenant, repo, need);
                Ok(answer)
            }
            // A temporary failure is not an answer: the question is asked again.
            Err(ForgeError::RateLimited { until }) => Err(until),
            Err(ForgeError::Transient(why) | ForgeError::Doubt(why)) => {
                let until = backoff.failed(&tenant, repo, need, self.runtime.clock.now());
                tracing::debug!(?need, why, %until, "a question was not answered");
                Err(until)
            }
            Err(error @ (ForgeError::NotFound(_) | ForgeError::Deleted(_) | ForgeError::Permanent(_))) => {
                backoff.answered(&tenant, repo, need);
                Ok(Answer::Unavailable { why: error.to_string() })
            }
        }
    }
}
