//! Which deployments may have caused an incident.
//!
//! By time and place alone: those to its environment that ended within the
//! window before it began, by its source's clock, and those that were under
//! way then. It is a suspicion until a person says `/cause`.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::{
    commits::landing::Work,
    context::EvalContext,
    domain::{event::DeployState, fact::deployment::DeploymentFacts, id::ItemNumber},
    environment::history::{Attempt, History},
    evidence::shipped::first,
    incident::view::Suspect,
    text::message,
};

/// Deployments that are named, the likeliest.
const MOST: usize = 5;
/// What began longer before the window than this is not under way any more.
const LONGEST: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Pull requests merged longer before a deployment than this are not looked at.
const MERGED_WITHIN: SignedDuration = SignedDuration::from_hours(60 * 24);
/// Items that are named of each, the newest.
const MOST_ITEMS: usize = 20;

/// The deployments that may have caused what began in an environment, those
/// that were under way first, then the last before it.
pub(super) fn suspects(eval: &EvalContext<'_>, environment: &str, began: Timestamp) -> Vec<Suspect> {
    let history = eval.history(environment);
    let window = eval.policy.alerts.suspect_window;
    let earliest = began.checked_sub(window).unwrap_or(Timestamp::MIN);
    let oldest = earliest.checked_sub(LONGEST).unwrap_or(Timestamp::MIN);
    let mut found: Vec<(bool, Timestamp, Attempt<'_>)> = Vec::new();
    for attempt in history.attempts_since(oldest) {
        let started = first(attempt.facts, DeployState::InProgress).unwrap_or(attempt.facts.created_at);
        if started > began {
            continue;
        }
        match ended(attempt.facts) {
            Some(at) if at <= began => {
                if at >= earliest {
                    found.push((false, at, attempt));
                }
            }
            _ => found.push((true, started, attempt)),
        }
    }
    found.sort_by_key(|(under_way, at, attempt)| std::cmp::Reverse((*under_way, *at, attempt.deployment)));
    found.truncate(MOST);
    let named = found.into_iter().map(|(under_way, at, attempt)| Suspect {
        environment: attempt.facts.environment.clone(),
        reference: attempt.facts.reference.clone(),
        commit: attempt.commit.map_or_else(|| "unknown".to_owned(), |commit| commit.short().to_owned()),
        actor: attempt.facts.creator.as_ref().map(|creator| creator.login.clone()),
        finished_at: (!under_way).then_some(at),
        age: (!under_way).then(|| message::duration(began.duration_since(at))),
        items: carried(eval, history, attempt),
    });
    named.collect()
}

fn ended(deployment: &DeploymentFacts) -> Option<Timestamp> {
    let ends = [DeployState::Success, DeployState::Failure, DeployState::Inactive];
    ends.iter().filter_map(|state| first(deployment, *state)).min()
}

/// The pull requests that a deployment brought beyond what ran there before
/// it, and the issues that they close; the newest first. What the record can't
/// tell is left out: nobody is suspected for want of knowledge.
fn carried(eval: &EvalContext<'_>, history: History<'_>, attempt: Attempt<'_>) -> Vec<ItemNumber> {
    let facts = eval.facts;
    let Some(commit) = attempt.commit else { return Vec::new() };
    let until = first(attempt.facts, DeployState::Success).unwrap_or(attempt.begun);
    let before = history.before(until).map(|run| run.commit);
    // What ran before is not known: neither is what is new.
    let Ok(before) = before.map(|known| known.ok_or(())).transpose() else { return Vec::new() };
    let between = before.and_then(|base| eval.recorded_between(base, commit));
    let mut pulls: BTreeSet<(Timestamp, ItemNumber)> = BTreeSet::new();
    let oldest = until.checked_sub(MERGED_WITHIN).unwrap_or(Timestamp::MIN);
    let merged_at = |number: &&ItemNumber| facts.pull(**number).and_then(|pull| pull.merged.as_ref()).map(|m| m.at);
    let lately = facts.index.merged_as.values().flatten().filter(|number| merged_at(number) >= Some(oldest));
    for number in lately {
        let landings = eval.landings(&Work::Pull(*number));
        let brought = landings.iter().filter(|landing| match &between {
            Some(between) => between.contains(&landing.sha),
            None => {
                eval.known_to_contain(commit, &landing.sha) == Some(true)
                    && before.is_none_or(|base| eval.known_to_contain(base, &landing.sha) == Some(false))
            }
        });
        pulls.extend(brought.map(|landing| (landing.from, *number)));
    }
    let mut items: Vec<ItemNumber> = Vec::new();
    for (_, pull) in pulls.into_iter().rev() {
        for item in std::iter::once(pull).chain(eval.named_issues(pull)) {
            if !items.contains(&item) {
                items.push(item);
            }
        }
    }
    items.truncate(MOST_ITEMS);
    items
}
