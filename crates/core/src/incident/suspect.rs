//! Suspects: deployments that may have caused an incident.
//!
//! The match is by time and environment alone: deployments to the incident's environment that ended
//! within the window before it started, by its source's clock, and those in progress at that time.
//! They are suspects until a person runs `/cause`.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::{
    context::EvalContext,
    domain::{event::DeployState, fact::deployment::DeploymentFacts, id::ItemId},
    environment::history::{Attempt, History},
    evidence::shipped::first,
    incident::view::Suspect,
    text::{links::Links, message},
};

/// Maximum suspects of an incident; the likeliest are kept.
const MOST: usize = 5;
/// Deployments that began more than this before the window are no longer considered in progress.
const LONGEST: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Pull requests merged more than this before a deployment are not considered.
const MERGED_WITHIN: SignedDuration = SignedDuration::from_hours(60 * 24);
/// Maximum items named for each suspect; the newest are kept.
const MOST_ITEMS: usize = 20;

/// Returns the ids of the deployments that may have caused an incident which began at `began`.
pub(super) fn suspected_deployments(eval: &EvalContext<'_>, environment: &str, began: Timestamp) -> Vec<u64> {
    found(eval, environment, began).into_iter().map(|(_, _, attempt)| attempt.deployment).collect()
}

/// Returns the deployments that may have caused an incident which began at `began`: those in
/// progress first, then the others, the latest first.
pub(super) fn suspects(eval: &EvalContext<'_>, environment: &str, began: Timestamp) -> Vec<Suspect> {
    let history = eval.history(environment);
    let named = found(eval, environment, began).into_iter().map(|(under_way, at, attempt)| Suspect {
        environment: attempt.facts.environment.clone(),
        reference: attempt.facts.reference.clone(),
        commit: attempt.commit.map_or_else(|| "unknown".to_owned(), |commit| commit.short().to_owned()),
        page: attempt.commit.and_then(|commit| Links::of(eval.facts).commit_page(commit)),
        actor: attempt.facts.creator.as_ref().map(|creator| creator.login.clone()),
        finished_at: (!under_way).then_some(at),
        age: (!under_way).then(|| message::duration(began.duration_since(at))),
        items: carried(eval, history, attempt),
    });
    named.collect()
}

/// Returns the suspected deployments, each with whether it was in progress, and its end or else its
/// start.
fn found<'f>(eval: &EvalContext<'f>, environment: &str, began: Timestamp) -> Vec<(bool, Timestamp, Attempt<'f>)> {
    let history = eval.history(environment);
    let window = eval.policy.alerts.suspect_window;
    let earliest = began.checked_sub(window).unwrap_or(Timestamp::MIN);
    let oldest = earliest.checked_sub(LONGEST).unwrap_or(Timestamp::MIN);
    // Its first report may come after the incident began.
    let newest = began.checked_add(LONGEST).unwrap_or(Timestamp::MAX);
    let mut found: Vec<(bool, Timestamp, Attempt<'_>)> = Vec::new();
    for attempt in history.attempts_between(oldest, newest) {
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
    found
}

fn ended(deployment: &DeploymentFacts) -> Option<Timestamp> {
    let ends = [DeployState::Success, DeployState::Failure, DeployState::Inactive];
    ends.iter().filter_map(|state| first(deployment, *state)).min()
}

/// Returns the pull requests that a deployment added to what ran there before it, and the issues
/// that they close, the newest first. Pull requests that the record cannot place are left out:
/// nothing is suspected for lack of data.
fn carried(eval: &EvalContext<'_>, history: History<'_>, attempt: Attempt<'_>) -> Vec<ItemId> {
    let facts = eval.facts;
    let Some(commit) = attempt.commit else { return Vec::new() };
    let until = first(attempt.facts, DeployState::Success).unwrap_or(attempt.begun);
    let before = history.before(until).map(|run| run.commit);
    // If the previous commit is unknown, so is the difference.
    let Ok(before) = before.map(|known| known.ok_or(())).transpose() else { return Vec::new() };
    let oldest = until.checked_sub(MERGED_WITHIN).unwrap_or(Timestamp::MIN);
    let brought = match before {
        Some(base) => eval.pulls_between(base, commit).unwrap_or_default(),
        None => eval.pulls_within(commit, oldest),
    };
    let merged_at = |number: &ItemId| facts.pull(*number).and_then(|pull| pull.merged.as_ref()).map(|merge| merge.at);
    let merged = brought.into_iter().filter_map(|number| Some((merged_at(&number)?, number)));
    let pulls: BTreeSet<(Timestamp, ItemId)> = merged.filter(|(at, _)| *at >= oldest).collect();
    let mut items: Vec<ItemId> = Vec::new();
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
