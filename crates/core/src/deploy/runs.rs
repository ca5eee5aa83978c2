//! Workflow runs of deploys: which run does the work of which request.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::domain::{
    event::{DeployState, RunTrigger},
    fact::{
        RepoFacts,
        deploy_request::{DeployRequest, RunFacts},
    },
    id::Sha,
    needs::{Answer, Need},
    policy::Policy,
    rule::Via,
};

/// Tolerance for the forge's timestamps, which are whole seconds of another clock.
const SLACK: SignedDuration = SignedDuration::from_secs(10);
/// Age below which a run may seem to have begun after a deployment that is created now.
const RECENT: SignedDuration = SignedDuration::from_mins(5);
/// Time within which the forge starts the runs of a copy of a reported deployment.
const COPY_STARTS_WITHIN: SignedDuration = SignedDuration::from_mins(1);

pub(super) fn add(at: Timestamp, span: SignedDuration) -> Timestamp {
    at.checked_add(span).unwrap_or(Timestamp::MAX)
}

fn trigger(request: &DeployRequest) -> RunTrigger {
    if request.deployment.is_some() { RunTrigger::Deployment } else { RunTrigger::Dispatch }
}

pub(super) fn need(id: &str, request: &DeployRequest) -> Need {
    // A dispatched run is at its branch's head, whatever commit its inputs name.
    let sha = request.deployment.and(request.sha.clone());
    Need::RunsAt { sha, trigger: trigger(request), purpose: id.to_owned() }
}

/// Returns the runs at a request's commit that began lately. Times of the forge are whole seconds, so
/// that a run from before the request's deployment may seem to be from after it.
pub(super) fn recent(facts: &RepoFacts, request: &DeployRequest, now: Timestamp) -> BTreeSet<u64> {
    let at_commit = request.sha.iter().flat_map(|sha| facts.runs.index().by_commit.of(sha));
    let is_recent = |run: &&u64| {
        let run = facts.runs.get(run).filter(|run| run.trigger == RunTrigger::Deployment);
        run.is_some_and(|run| now.duration_since(run.created_at) <= RECENT)
    };
    at_commit.filter(is_recent).copied().collect()
}

/// Returns the runs that do a request's work, from events and from the forge's answer.
pub(super) fn runs_of<'a>(facts: &'a RepoFacts, id: &str, request: &DeployRequest) -> BTreeMap<u64, &'a RunFacts> {
    if request.started_at.is_none() {
        return BTreeMap::new();
    }
    let answered = match facts.answers.get(&need(id, request)).map(|answered| &answered.answer) {
        Some(Answer::Runs(runs)) => Some(runs),
        _ => None,
    };
    let mut found: BTreeMap<u64, &RunFacts> = BTreeMap::new();
    let index = facts.runs.index();
    let candidates: BTreeSet<u64> = match (&request.deployment, &request.sha) {
        (Some(_), Some(sha)) => index.by_commit.of(sha).copied().collect(),
        (Some(_), None) => BTreeSet::new(),
        (None, _) => index.by_named_request.of(id).copied().collect(),
    };
    let candidates = candidates.into_iter().chain(request.run).filter_map(|run| facts.runs.get_key_value(&run));
    for (run, seen) in candidates.chain(answered.into_iter().flatten()) {
        let ours = match request.deployment {
            Some(_) => request.run == Some(*run) || is_of_deployment(facts, id, request, *run, seen),
            None => {
                request.run == Some(*run) || (request.run.is_none() && seen.named_requests().any(|name| name == id))
            }
        };
        let newer = found.get(run).is_none_or(|known| *known < seen);
        if ours && newer && seen.trigger == trigger(request) {
            found.insert(*run, seen);
        }
    }
    found
}

/// Returns whether this request's deployment started a run. The forge does not say which deployment
/// started a run: it is phasebot's newest deployment at the run's commit that existed before the
/// run, copies of reported ones among them, unless another request is known to own the run.
fn is_of_deployment(facts: &RepoFacts, id: &str, request: &DeployRequest, number: u64, run: &RunFacts) -> bool {
    let Some(made) = made_at(request) else { return false };
    if request.sha.as_ref() != Some(&run.sha) || run.created_at < made || request.earlier_runs.contains(&number) {
        return false;
    }
    let index = facts.requests.index();
    let known = index.by_run.of(&number).any(|other| other != id);
    let newer = |other: &String| {
        let other_made = facts.requests.get(other).filter(|other| other.deployment.is_some()).and_then(made_at);
        other != id && other_made.is_some_and(|at| at > made && at <= run.created_at)
    };
    let mut copies = facts.deployments.index().copies.of(&run.sha);
    let is_of_copy = copies.any(|(at, _)| *at > made && *at <= run.created_at);
    !known && !is_of_copy && !index.by_commit.of(&run.sha).any(newer)
}

/// Returns when a request's deployment was created, by the forge's clock, like a run's time: after
/// a crash, phasebot may learn of the deployment long after its run began.
fn made_at(request: &DeployRequest) -> Option<Timestamp> {
    request.made_at.or_else(|| request.started_at?.checked_sub(SLACK).ok())
}

/// Returns another deploy of the same commit whose deployment has no known run yet. A second
/// deployment at that commit would make it ambiguous to which of the two a run belongs.
pub(super) fn unclaimed<'a>(facts: &'a RepoFacts, id: &str, policy: &Policy) -> Option<&'a DeployRequest> {
    let request = facts.requests.get(id).filter(|request| is_by_deployment(request, policy))?;
    let mut others = without_run(facts, request.sha.as_ref()?, policy).filter(|(other, _)| *other != id);
    others.next().map(|(_, other)| other)
}

/// Returns whether a deploy of a commit waits for the run that its deployment starts.
pub(super) fn waits_for_run(facts: &RepoFacts, sha: &Sha, policy: &Policy) -> bool {
    without_run(facts, sha, policy).next().is_some()
}

/// Returns the deploys of a commit whose deployments have no known run yet, or are about to be
/// created.
fn without_run<'a>(
    facts: &'a RepoFacts,
    sha: &Sha,
    policy: &Policy,
) -> impl Iterator<Item = (&'a String, &'a DeployRequest)> {
    let of_commit = facts.requests.index().by_commit.of(sha).filter_map(|id| facts.requests.get_key_value(id));
    of_commit.filter(move |(id, request)| {
        let waits = || runs_of(facts, id, request).is_empty() && !begun_otherwise(facts, request);
        request.is_under_way() && is_by_deployment(request, policy) && waits()
    })
}

fn is_by_deployment(request: &DeployRequest, policy: &Policy) -> bool {
    let rule = policy.environment(&request.environment).and_then(|rule| rule.deploy.as_ref());
    rule.is_some_and(|rule| matches!(rule.via, Via::Deployment))
}

/// Returns until when a deploy waits at most, because a run that the forge starts now may be one of a
/// copy of a reported deployment that was created a moment ago.
pub(super) fn copy_without_run(
    facts: &RepoFacts,
    request: &DeployRequest,
    policy: &Policy,
    now: Timestamp,
) -> Option<Timestamp> {
    let sha = request.sha.as_ref().filter(|_| is_by_deployment(request, policy))?;
    let (made, _) = facts.deployments.index().copies.of(sha).next_back()?;
    let mut runs = facts.runs.index().by_commit.of(sha).filter_map(|run| facts.runs.get(run));
    let is_known = runs.any(|run| run.trigger == RunTrigger::Deployment && run.created_at >= *made);
    Some(add(*made, COPY_STARTS_WITHIN)).filter(|until| *until > now && !is_known)
}

/// Returns whether something other than a run took up the deployment.
pub(super) fn begun_otherwise(facts: &RepoFacts, request: &DeployRequest) -> bool {
    let made = request.deployment.and_then(|id| facts.deployments.get(&id));
    made.is_some_and(|made| made.statuses.iter().any(|status| status.state != DeployState::Waiting))
}

/// Returns the request for an environment whose work a workflow run does.
pub(super) fn request_of_run<'a>(
    facts: &'a RepoFacts,
    run: u64,
    environment: &str,
) -> Option<(&'a String, &'a DeployRequest)> {
    let index = facts.requests.index();
    let seen = facts.runs.get(&run);
    let named = seen.into_iter().flat_map(RunFacts::named_requests);
    let at_commit = seen.into_iter().flat_map(|seen| index.by_commit.of(&seen.sha)).map(String::as_str);
    let known = index.by_run.of(&run).chain(&index.open).map(String::as_str);
    let candidates = named.chain(at_commit).chain(known).filter_map(|id| facts.requests.get_key_value(id));
    let mut begun = candidates.filter(|(_, r)| r.environment == environment && r.started_at.is_some());
    begun.find(|(id, request)| request.run == Some(run) || runs_of(facts, id, request).contains_key(&run))
}

/// Returns runs with a deployment that may belong to this dispatch, as long as the dispatch's own
/// run is unknown.
pub(super) fn runs_in_doubt(facts: &RepoFacts, request: &DeployRequest) -> Vec<u64> {
    let started = request.started_at.filter(|_| request.is_dispatched());
    let since = started.map(|at| at.checked_sub(SLACK).unwrap_or(Timestamp::MIN));
    let index = facts.deployments.index().environments.get(&request.environment);
    let (Some(since), Some(index)) = (since, index) else { return Vec::new() };
    let made = index.made.range((since, 0)..).filter_map(|(_, id)| facts.deployments.get(id));
    made.filter(|made| !made.is_linked()).filter_map(|made| made.run).collect()
}
