//! Asks a forge for the facts that a decision lacks, within bounds.

use std::{
    collections::{BTreeSet, HashSet},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::{clock::after, shell::Shell};
use crate::{
    decide,
    domain::{
        fact::RepoFacts,
        id::ItemNumber,
        needs::{Answer, Answered, Need},
        policy::Policy,
    },
    port::forge::{Forge, ForgeError, Target},
};

/// Questions asked for one delivery or timer; more are asked a little later.
const MOST_QUESTIONS: usize = 8;
/// Patience with one answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Patience with all of them: the repository is held meanwhile.
const PATIENCE_IN_ALL: Duration = Duration::from_secs(20);
/// When to go on with questions that had to wait.
const GO_ON_AFTER: SignedDuration = SignedDuration::from_secs(5);

/// What is being found out.
pub(crate) struct Inquiry<'a> {
    pub(crate) facts: &'a mut RepoFacts,
    /// Items to derive; grows by those that an answer concerns.
    pub(crate) items: &'a mut BTreeSet<ItemNumber>,
    /// Keys of documents that changed; grows.
    pub(crate) changed: &'a mut BTreeSet<String>,
    pub(crate) policy: &'a Policy,
}

/// Asks what is needed and keeps the answers as facts. Returns when to look
/// again, if something could not be asked now.
pub(crate) async fn ask(shell: &Shell, forge: &dyn Forge, target: &Target, inquiry: Inquiry<'_>) -> Option<Timestamp> {
    let Inquiry { facts, items, changed, policy } = inquiry;
    let tenant = (target.repo.forge.clone(), target.installation);
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
        let answer = match shell.limits.parked(&tenant, now) {
            Some(until) => Err(ForgeError::RateLimited { until }),
            None => one(forge, target, &need).await,
        };
        let answer = answer.unwrap_or_else(|error| {
            if let ForgeError::RateLimited { until } = error {
                let until = shell.limits.park(&tenant, until, now);
                again = Some(again.map_or(until, |at| at.max(until)));
            }
            Answer::Unavailable { why: error.to_string() }
        });
        let outcome = if matches!(answer, Answer::Unavailable { .. }) { "unavailable" } else { "answered" };
        metrics::counter!("phasebot_questions_total", "outcome" => outcome).increment(1);
        let observed = decide::learn(facts, &Answered { need, answer, at: shell.clock.now() });
        items.extend(observed.items);
        changed.extend(observed.changed);
    }
}

async fn one(forge: &dyn Forge, target: &Target, need: &Need) -> Result<Answer, ForgeError> {
    match tokio::time::timeout(PATIENCE, forge.answer(target, need)).await {
        Ok(answer) => answer,
        Err(_) => Err(ForgeError::Transient(format!("no answer within {} s", PATIENCE.as_secs()))),
    }
}
