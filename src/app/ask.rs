//! Asks a forge for the facts that a decision lacks, within bounds.

use std::{
    collections::{BTreeSet, HashSet},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::{clock::after, question::question, shell::Shell};
use crate::{
    decide,
    domain::{
        fact::{DocumentKey, RepoFacts},
        id::ItemNumber,
        needs::{Answer, Answered},
        policy::Policy,
    },
    metric,
    port::forge::{Forge, ForgeError, Target},
};

/// Questions asked for one delivery or timer; more are asked a little later.
const MOST_QUESTIONS: usize = 8;
/// When this has passed no other question is asked: the repository is held meanwhile.
const PATIENCE_IN_ALL: Duration = Duration::from_secs(20);
/// When to go on with questions that had to wait.
pub(super) const GO_ON_AFTER: SignedDuration = SignedDuration::from_secs(5);

/// When to ask again what could not be answered.
const TRY_AGAIN_AFTER: SignedDuration = SignedDuration::from_mins(1);

/// What is being found out.
pub(crate) struct Inquiry<'a> {
    pub(crate) facts: &'a mut RepoFacts,
    /// Items to derive; grows by those that an answer concerns.
    pub(crate) items: &'a mut BTreeSet<ItemNumber>,
    /// Documents that changed; grows.
    pub(crate) changed: &'a mut BTreeSet<DocumentKey>,
    pub(crate) policy: &'a Policy,
}

/// Asks what is needed and keeps the answers as facts. Returns when to look
/// again, if something could not be asked now.
pub(crate) async fn ask(shell: &Shell, forge: &dyn Forge, target: &Target, inquiry: Inquiry<'_>) -> Option<Timestamp> {
    let Inquiry { facts, items, changed, policy } = inquiry;
    let started = Instant::now();
    let mut asked = HashSet::new();
    let mut again: Option<Timestamp> = None;
    loop {
        let now = shell.clock.now();
        let Some(need) = decide::needs(facts, items, policy, now).into_iter().find(|n| !asked.contains(n)) else {
            return again;
        };
        if asked.len() >= MOST_QUESTIONS || started.elapsed() >= PATIENCE_IN_ALL {
            let later = after(now, GO_ON_AFTER);
            return Some(again.map_or(later, |at| at.min(later)));
        }
        asked.insert(need.clone());
        let answer = question(shell, target, || forge.answer(target, &need)).await;
        let outcome = if answer.is_ok() { "answered" } else { "unavailable" };
        metrics::counter!(metric::QUESTIONS, "outcome" => outcome).increment(1);
        let answer = match answer {
            Ok(answer) => answer,
            // What fails for the moment is not an answer: it is asked again.
            Err(ForgeError::RateLimited { until }) => {
                again = Some(again.map_or(until, |at| at.max(until)));
                continue;
            }
            Err(ForgeError::Transient(why) | ForgeError::Doubt(why)) => {
                tracing::debug!(?need, why, "a question was not answered");
                let later = after(shell.clock.now(), TRY_AGAIN_AFTER);
                again = Some(again.map_or(later, |at| at.max(later)));
                continue;
            }
            Err(error @ (ForgeError::NotFound(_) | ForgeError::Deleted(_) | ForgeError::Permanent(_))) => {
                Answer::Unavailable { why: error.to_string() }
            }
        };
        let observed = decide::learn(facts, &Answered { need, answer, at: shell.clock.now() }, policy);
        items.extend(observed.items);
        changed.extend(observed.changed);
    }
}
