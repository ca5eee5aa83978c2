//! Asks a forge for the facts that a decision lacks, within bounds.
//!
//! Each question is tried once: the repository is held meanwhile, and its
//! decision goes on with what is known. What failed is asked again when
//! [`super::backoff`] allows it, by a timer.

use std::{
    collections::{BTreeSet, HashSet},
    time::Duration,
};

use futures_util::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::{clock::after, limits::Tenant, question::question_once, shell::Shell};
use crate::{
    decide,
    domain::{
        fact::{DocumentKey, RepoFacts},
        id::ItemNumber,
        needs::{Answer, Answered, Need},
        policy::Policy,
        when::earlier,
    },
    metric,
    port::{
        forge::{Forge, ForgeError, Target},
        store::Partition,
    },
};

/// Questions asked for one delivery or timer; more are asked a little later.
const MOST_QUESTIONS: usize = 8;
/// Questions asked beside each other: those that are known at one moment do
/// not depend on each other.
const AT_ONCE: usize = 4;
/// When this has passed no answer is waited for: the repository is held meanwhile.
const PATIENCE_IN_ALL: Duration = Duration::from_secs(20);
/// The same where somebody waits for what comes of a command.
const PATIENCE_OF_PEOPLE: Duration = Duration::from_millis(500);
/// When to go on with questions that had to wait.
pub(super) const GO_ON_AFTER: SignedDuration = SignedDuration::from_secs(5);

/// What is being found out.
pub(crate) struct Inquiry<'a> {
    pub(crate) facts: &'a mut RepoFacts,
    /// Items to derive; grows by those that an answer concerns.
    pub(crate) items: &'a mut BTreeSet<ItemNumber>,
    /// Documents that changed; grows.
    pub(crate) changed: &'a mut BTreeSet<DocumentKey>,
    pub(crate) policy: &'a Policy,
    /// The id of the delivery that is decided, if it is one.
    pub(crate) own: Option<&'a str>,
    /// It ran commands: somebody waits for what comes of them.
    pub(crate) urgent: bool,
}

/// Asks what is needed and keeps the answers as facts. Returns when to look
/// again, if something could not be asked or was not answered now.
pub(crate) async fn ask(shell: &Shell, forge: &dyn Forge, target: &Target, inquiry: Inquiry<'_>) -> Option<Timestamp> {
    let Inquiry { facts, items, changed, policy, own, urgent } = inquiry;
    let patience = if urgent { PATIENCE_OF_PEOPLE } else { PATIENCE_IN_ALL };
    let round = Round { shell, forge, target, deadline: Instant::now() + patience, own };
    let mut asked: HashSet<Need> = HashSet::new();
    let mut left = MOST_QUESTIONS;
    let mut again: Option<Timestamp> = None;
    // Answers may raise further questions: each round asks at least one, so that there are few.
    loop {
        let now = shell.clock.now();
        let mut batch: Vec<Need> = Vec::new();
        for need in decide::needs(facts, items, policy, now) {
            if asked.contains(&need) {
                continue;
            }
            if left == 0 {
                // The rest is asked a little later, once these are answered.
                again = earlier(again, Some(after(now, GO_ON_AFTER)));
                break;
            }
            asked.insert(need.clone());
            match shell.backoff.admit(&round.tenant(), &target.repo, &need, now) {
                Ok(()) => {
                    left -= 1;
                    batch.push(need);
                }
                Err(until) => again = earlier(again, Some(until)),
            }
        }
        if batch.is_empty() {
            return again;
        }
        let Asked { answers, again: later, broken_off } = round.ask(batch).await;
        again = earlier(again, later);
        for (need, answer) in answers {
            let observed = decide::learn(facts, &Answered { need, answer, at: shell.clock.now() }, policy);
            items.extend(observed.items);
            changed.extend(observed.changed);
        }
        if broken_off {
            return again;
        }
    }
}

/// What came of a round of questions.
struct Asked {
    /// In the order of the questions.
    answers: Vec<(Need, Answer)>,
    /// When to ask again what has no answer.
    again: Option<Timestamp>,
    /// Not every question was waited for: nothing more is asked now.
    broken_off: bool,
}

/// Questions of one decision that are asked beside each other.
struct Round<'a> {
    shell: &'a Shell,
    forge: &'a dyn Forge,
    target: &'a Target,
    deadline: Instant,
    own: Option<&'a str>,
}

impl Round<'_> {
    fn tenant(&self) -> Tenant {
        (self.target.repo.forge.clone(), self.target.installation)
    }

    /// Asks several questions at once. A comment that arrives meanwhile breaks
    /// the asking off.
    async fn ask(&self, needs: Vec<Need>) -> Asked {
        let repo = &self.target.repo;
        let partition = Partition { forge: repo.forge.clone(), repo: Some(repo.id) };
        let all = needs.len();
        let one = async |(index, need): (usize, Need)| {
            let answer = question_once(self.shell, self.target, || self.forge.answer(self.target, &need)).await;
            (index, self.note(&need, answer).map(|answer| (need, answer)))
        };
        let asking = stream::iter(needs.into_iter().enumerate()).map(one).buffer_unordered(AT_ONCE);
        tokio::pin!(asking);
        let interrupted = self.shell.urgent.waits(&partition, self.own);
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
            again = earlier(again, Some(after(self.shell.clock.now(), GO_ON_AFTER)));
        }
        answers.sort_by_key(|(index, _)| *index);
        Asked { answers: answers.into_iter().map(|(_, answer)| answer).collect(), again, broken_off }
    }

    /// What an answer is to the decision, or when to ask again.
    fn note(&self, need: &Need, answer: Result<Answer, ForgeError>) -> Result<Answer, Timestamp> {
        let outcome = if answer.is_ok() { "answered" } else { "unavailable" };
        metrics::counter!(metric::QUESTIONS, "outcome" => outcome).increment(1);
        let (tenant, repo, backoff) = (self.tenant(), &self.target.repo, &self.shell.backoff);
        match answer {
            Ok(answer) => {
                backoff.answered(&tenant, repo, need);
                Ok(answer)
            }
            // What fails for the moment is not an answer: it is asked again.
            Err(ForgeError::RateLimited { until }) => Err(until),
            Err(ForgeError::Transient(why) | ForgeError::Doubt(why)) => {
                let until = backoff.failed(&tenant, repo, need, self.shell.clock.now());
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
