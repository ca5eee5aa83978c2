//! Running deploys: their workflow runs and deployments, and how they end.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::{
    context::EvalContext,
    deploy::{
        change,
        finish::finish,
        jobs, messages,
        runs::{add, begun_otherwise, need, request_of_run, runs_of},
        schema,
        start::cancel,
    },
    domain::{
        effect::Effect,
        event::{DeployState, RunOutcome},
        fact::{
            DocumentKey, RepoFacts,
            deploy_request::{DeployRequest, RequestEnd, RequestKind, RunFacts},
        },
        id::{ItemId, Sha},
        rule::{Via, name_key},
    },
    plan::{DecisionContext, PartialPlan, PlannedEffect},
    text::{headline::Headline, message::plain},
};

/// Time within which a run has to begin.
const BEGINS_WITHIN: SignedDuration = SignedDuration::from_mins(5);
/// Time after which a deploy without a reported end is given up.
const LONGEST_RUN: SignedDuration = SignedDuration::from_hours(24);
/// Longest wait for an answer, before the deploy is decided without it.
const ANSWER_WITHIN: SignedDuration = SignedDuration::from_mins(10);
/// Limit on the pull requests that show a rollback of theirs, newest first: each gets a comment.
const MOST_TAKEN_BACK: usize = 20;
/// Time until a question is asked again.
const AGAIN: SignedDuration = SignedDuration::from_mins(1);

/// Returns the time since when a fresh list of the runs is needed, if it is.
fn list_wanted(facts: &RepoFacts, id: &str, request: &DeployRequest, now: Timestamp) -> Option<Timestamp> {
    let runs = runs_of(facts, id, request);
    let deadline = add(request.started_at?, BEGINS_WITHIN);
    if runs.is_empty() {
        return (!begun_otherwise(facts, request) && now >= deadline).then_some(deadline);
    }
    let ended = runs.values().all(|run| run.outcome != RunOutcome::Running);
    // Another workflow may have begun without an event.
    (ended && request.deployment.is_some()).then(|| runs.values().map(|run| run.at).max().unwrap_or(deadline))
}

pub(super) fn want_runs(eval: &EvalContext<'_>, id: &str, request: &DeployRequest) {
    if let Some(since) = list_wanted(eval.facts, id, request, eval.now) {
        let need = need(id, request);
        let fresh = eval.facts.answers.get(&need).is_some_and(|answered| answered.at >= since);
        if !fresh {
            eval.want(need);
        }
    }
    jobs::want(eval, request, &runs_of(eval.facts, id, request));
}

/// Returns the words for the job that failed in a request's run, for the status comment.
pub(crate) fn failed_step(facts: &RepoFacts, id: &str, request: &DeployRequest) -> Option<String> {
    jobs::failed(facts, request, &runs_of(facts, id, request)).map(messages::step)
}

/// Links deployments that jobs created to the requests that their runs belong to.
pub(super) fn link(facts: &mut RepoFacts, terms: &DecisionContext<'_>, out: &mut PartialPlan) {
    let mut links: Vec<(String, u64)> = Vec::new();
    for run in std::mem::take(&mut facts.index.runs_to_link) {
        for deployment in facts.deployments.index().by_run.of(&run) {
            // Also for a deployment that stays unlinked: its commit may be known only now.
            EvalContext::new(facts, terms.policy, terms.now)
                .concerned(&DocumentKey::Deployment(*deployment), &mut out.items);
            let Some(made) = facts.deployments.get(deployment) else { continue };
            let owner = request_of_run(facts, run, &name_key(&made.environment));
            let unlinked = owner
                .filter(|(_, request)| request.deployment != Some(*deployment) && !request.linked.contains(deployment));
            links.extend(unlinked.map(|(id, _)| (id.clone(), *deployment)));
        }
    }
    for (id, deployment) in links {
        change(facts, &id, out, |request| {
            request.linked.insert(deployment);
        });
        let given = facts.requests.get(&id).and_then(|request| request.sha.clone());
        // The forge records the commit that the workflow ran from.
        if let Some(given) = given {
            facts.deployments.update(&deployment, |made| made.link(given));
        }
        out.changed.insert(DocumentKey::Deployment(deployment));
        EvalContext::new(facts, terms.policy, terms.now)
            .concerned(&DocumentKey::Deployment(deployment), &mut out.items);
    }
}

/// Tracks a deploy to its end.
pub(super) fn follow(facts: &mut RepoFacts, id: &str, terms: &DecisionContext<'_>, out: &mut PartialPlan) {
    let Some(request) = facts.requests.get(id).cloned() else { return };
    let Some(started) = request.started_at else { return };
    if let Some(deployed_at) = request.deployed_at {
        return schema::after_deploy(facts, id, deployed_at, terms, out);
    }
    let give_up = add(started, LONGEST_RUN);
    if facts.commands.index().let_go.contains(id) {
        return finish(facts, id, RequestEnd::Failed, &messages::let_go(), terms, out);
    }
    if terms.now >= give_up {
        return fail(facts, id, &request, &messages::no_end(), terms, out);
    }
    out.wake(Some(give_up));
    if let Some(made) = request.deployment.and_then(|id| facts.deployments.get(&id)) {
        let said = |state: DeployState| made.statuses.iter().any(|status| status.state == state);
        let last = made.statuses.iter().next_back().map(|status| status.state);
        if said(DeployState::Success) {
            let why = succeeded(facts, id, &request, terms, out);
            return succeed(facts, id, &why, terms, out);
        }
        if matches!(last, Some(DeployState::Failure | DeployState::Inactive)) {
            let runs = runs_of(facts, id, &request);
            let cancelled = runs.values().copied().find(|run| run.outcome == RunOutcome::Cancelled);
            let job = jobs::failed(facts, &request, &runs).filter(|_| cancelled.is_none());
            let why = messages::failed(facts, &request, cancelled, job, running(facts, &request, terms).as_ref());
            return finish(facts, id, RequestEnd::Failed, &why, terms, out);
        }
    }
    let runs: BTreeMap<u64, RunFacts> = runs_of(facts, id, &request).into_iter().map(|(r, f)| (r, f.clone())).collect();
    if request.run.is_none()
        && let Some((run, _)) = runs.first_key_value()
    {
        let run = *run;
        change(facts, id, out, |request| request.run = Some(run));
    }
    if let (false, None) = (request.pinned, request.deployment)
        && let Some((run, seen)) = runs.iter().find(|(_, seen)| Some(&seen.sha) != request.sha.as_ref())
        && !is_given_commit(&request, terms)
    {
        out.effects.push(cancel(id, *run));
        let why = messages::mismatch(request.sha.as_ref(), &seen.sha);
        return finish(facts, id, RequestEnd::Failed, &why, terms, out);
    }
    if let Some(since) = list_wanted(facts, id, &request, terms.now) {
        let fresh = facts.answers.get(&need(id, &request)).is_some_and(|answered| answered.at >= since);
        if !fresh && terms.now < add(since, ANSWER_WITHIN) {
            return out.wake(Some(add(terms.now, AGAIN)));
        }
    }
    if runs.is_empty() {
        let deadline = add(started, BEGINS_WITHIN);
        if begun_otherwise(facts, &request) {
            return;
        }
        if terms.now < deadline {
            return out.wake(Some(deadline));
        }
        return fail(facts, id, &request, &messages::never_began(), terms, out);
    }
    if runs.values().any(|run| run.outcome == RunOutcome::Running) {
        if let Some(deployment) = request.deployment.filter(|_| !begun_otherwise(facts, &request)) {
            let log = runs.values().next().map(|run| run.url.clone()).filter(|url| !url.is_empty());
            let description = messages::under_way().to_owned();
            let effect = Effect::SetDeployment { deployment, state: DeployState::InProgress, description, log };
            out.effects.push(PlannedEffect { key: format!("deploy/{id}/in-progress"), replaces: false, effect });
        }
        return;
    }
    let of = |outcomes: &[RunOutcome]| runs.values().find(|run| outcomes.contains(&run.outcome));
    let failed = of(&[RunOutcome::Failure]).or_else(|| of(&[RunOutcome::NoVerdict, RunOutcome::Cancelled]));
    if let Some(run) = jobs::not_begun(facts, &runs_of(facts, id, &request)) {
        let why = messages::not_begun(&request, run);
        out.effects.extend(status(id, &request, DeployState::Inactive, &why));
        return finish(facts, id, RequestEnd::NotBegun, &why, terms, out);
    }
    match failed {
        Some(run) => {
            let job = jobs::failed(facts, &request, &runs_of(facts, id, &request));
            let why = messages::failed(facts, &request, Some(run), job, running(facts, &request, terms).as_ref());
            fail(facts, id, &request, &why, terms, out);
        }
        None if runs.values().all(|run| run.outcome == RunOutcome::Skipped) => {
            fail(facts, id, &request, &messages::skipped(), terms, out);
        }
        None => {
            let why = succeeded(facts, id, &request, terms, out);
            out.effects.extend(status(id, &request, DeployState::Success, &why));
            succeed(facts, id, &why, terms, out);
        }
    }
}

/// Rechecks a status of a deployment before it is sent. The workflow's own status wins: an
/// `in_progress` after its end would stay forever.
pub(crate) fn recheck(facts: &RepoFacts, deployment: u64, state: DeployState) -> Result<(), String> {
    let said = facts.deployments.get(&deployment).and_then(|made| made.statuses.iter().next_back());
    let said = said.map_or(DeployState::Waiting, |status| status.state);
    let is_end = |state: DeployState| !matches!(state, DeployState::Waiting | DeployState::InProgress);
    if is_end(said) || (!is_end(state) && said != DeployState::Waiting) {
        return Err(messages::status_over(said));
    }
    // A deploy that is over, or not phasebot's, needs no progress status.
    if !is_end(state) && !facts.request_of(deployment).is_some_and(|(_, request)| request.is_open()) {
        return Err("the deploy is over".to_owned());
    }
    Ok(())
}

/// Returns whether the workflow was given its commit: without `best_effort`, a workflow that can't
/// be given its commit is not started.
fn is_given_commit(request: &DeployRequest, terms: &DecisionContext<'_>) -> bool {
    let rule = terms.policy.environment(&request.environment);
    let workflow = rule.and_then(|rule| rule.deploy.as_ref()).is_some_and(|d| matches!(d.via, Via::Workflow { .. }));
    workflow && !rule.is_some_and(|rule| rule.best_effort)
}

/// Returns the commit that runs in a request's environment.
fn running(facts: &RepoFacts, request: &DeployRequest, terms: &DecisionContext<'_>) -> Option<Sha> {
    let eval = EvalContext::new(facts, terms.policy, terms.now);
    eval.history(&request.environment).current().and_then(|run| run.commit).cloned()
}

/// Ends a deploy that succeeded, unless it still has something to drop.
fn succeed(facts: &mut RepoFacts, id: &str, why: &Headline, terms: &DecisionContext<'_>, out: &mut PartialPlan) {
    if !schema::goes_on(facts, id, terms, out) {
        finish(facts, id, RequestEnd::Succeeded, why, terms, out);
    }
}

/// Returns what a request brought about. A rollback also records the pull requests that it took out
/// of production: their authors learn of it there.
fn succeeded(
    facts: &mut RepoFacts,
    id: &str,
    request: &DeployRequest,
    terms: &DecisionContext<'_>,
    out: &mut PartialPlan,
) -> Headline {
    if request.kind != RequestKind::Rollback {
        return messages::succeeded(request);
    }
    let eval = EvalContext::new(facts, terms.policy, terms.now);
    let between = request.from.as_ref().zip(request.sha.as_ref());
    let taken = between.and_then(|(from, to)| eval.pulls_between(to, from)).unwrap_or_default();
    let newest_first: Vec<ItemId> = taken.iter().rev().copied().collect();
    let places = eval.environments();
    let is_production = places.iter().any(|place| place.name == request.environment && place.production);
    drop(eval);
    if is_production {
        change(facts, id, out, |request| {
            request.took_back = newest_first.iter().take(MOST_TAKEN_BACK).copied().collect();
        });
        out.items.extend(&taken);
    }
    messages::rolled_back_to(facts, request, &newest_first, terms.now)
}

fn fail(
    facts: &mut RepoFacts,
    id: &str,
    request: &DeployRequest,
    why: &Headline,
    terms: &DecisionContext<'_>,
    out: &mut PartialPlan,
) {
    out.effects.extend(status(id, request, DeployState::Failure, why));
    finish(facts, id, RequestEnd::Failed, why, terms, out);
}

fn status(id: &str, request: &DeployRequest, state: DeployState, why: &Headline) -> Option<PlannedEffect> {
    let deployment = request.deployment?;
    // What to do now belongs to the comment.
    let description = plain(why.state());
    let effect = Effect::SetDeployment { deployment, state, description, log: None };
    Some(PlannedEffect { key: format!("deploy/{id}/end"), replaces: false, effect })
}
