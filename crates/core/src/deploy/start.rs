//! Start of a deploy: the effect that starts it, and its outcome.

use crate::{
    context::EvalContext,
    deploy::{auto_rollback, change, finish::finish, messages, permit, runs, set_state},
    domain::{
        decision::Decision,
        effect::{Effect, ForgeResult, RefGuard},
        event::DeployState,
        fact::{
            RepoFacts,
            deploy_request::{DeployRequest, Origin, RequestEnd, RequestKind, RequestState},
        },
        id::Sha,
        rule::{EnvironmentRule, Via},
    },
    gate::{
        rollout_order::{Order, order},
        subject,
        target::{self, Basis},
    },
    plan::{DecisionContext, EffectOutcome, PartialPlan, PlannedEffect},
    text::{
        headline::{Headline, rejected},
        message::plain,
    },
};

fn key(id: &str, attempt: u32) -> String {
    format!("deploy/{id}/{attempt}")
}

/// Queues the effect that starts a deploy. From now on the request holds the environment.
pub(super) fn start(
    facts: &mut RepoFacts,
    id: &str,
    decision: &Decision,
    terms: &DecisionContext<'_>,
    out: &mut PartialPlan,
) {
    let eval = EvalContext::new(facts, terms.policy, terms.now);
    let current = facts.requests.get(id).and_then(|request| eval.history(&request.environment).current());
    let leaves = current.and_then(|run| run.commit).cloned();
    let subject = facts.requests.get(id).and_then(|request| subject::of_request(facts, terms.policy, id, request));
    let carries = subject.map(|subject| eval.carried(&subject).brief()).unwrap_or_default();
    let earlier_runs =
        facts.requests.get(id).map(|request| runs::recent(facts, request, terms.now)).unwrap_or_default();
    change(facts, id, out, |request| {
        request.from = leaves;
        request.earlier_runs = earlier_runs;
        request.carries = carries;
        request.attempts += 1;
    });
    let Some(request) = facts.requests.get(id) else { return };
    let attempt = request.attempts;
    let eval = EvalContext::new(facts, terms.policy, terms.now);
    let Some(effect) = effect(&eval, id, request) else { return };
    drop(eval);
    out.notes.push(messages::passed(request, decision));
    out.effects.push(PlannedEffect { key: key(id, attempt), replaces: false, effect });
    let rolls_back = (request.kind == RequestKind::Rollback).then(|| request.environment.clone());
    set_state(facts, id, RequestState::Starting(attempt), terms, out);
    // Requests waiting there would bring something newer, which a rollback makes unwanted.
    let environment = rolls_back.unwrap_or_default();
    let waiting = facts
        .open_requests()
        .filter(|(other, r)| *other != id && r.environment == environment && !r.holds_environment() && !r.dry_run);
    let waiting: Vec<String> = waiting.map(|(other, _)| other.clone()).collect();
    for other in waiting {
        finish(facts, &other, RequestEnd::Withdrawn, &messages::rolled_back(), terms, out);
    }
}

fn effect(eval: &EvalContext<'_>, id: &str, request: &DeployRequest) -> Option<Effect> {
    let rule = eval.policy.environment(&request.environment)?;
    let sha = request.sha.clone()?;
    let watched = target::watched_when_sent(eval, &sha, Basis::of(eval.facts, id, request));
    let inputs = request.inputs.clone();
    let environment = eval.policy.spelled(&request.environment)?;
    let request_id = id.to_owned();
    Some(match &rule.deploy.as_ref()?.via {
        Via::Deployment => Effect::CreateDeployment {
            request: request_id,
            environment,
            production: eval.policy.production(&request.environment),
            transient: rule.per_pull.is_some(),
            sha,
            watched,
            inputs,
            description: messages::description(request, &request.carries),
        },
        Via::Workflow { file } => Effect::Dispatch {
            workflow: file.clone(),
            reference: runs_from(eval.facts, &request.watched),
            sha,
            watched,
            environment,
            request: request_id,
            inputs,
            strict: !rule.best_effort,
        },
    })
}

/// Returns the branch or tag that a workflow runs from, by its full name, as a tag and a branch may
/// have the same name. A fork's branch is not in this repository and a bare commit is no ref, so
/// both run from the default branch.
fn runs_from(facts: &RepoFacts, watched: &RefGuard) -> String {
    let own_head = |number| {
        let shape = facts.pull(number).and_then(|pull| pull.shape.as_ref())?;
        (!shape.value.from_fork).then(|| shape.value.head_ref.clone())
    };
    let branch = |name: &str| format!("refs/heads/{name}");
    match watched {
        RefGuard::Branch(name) => branch(name),
        RefGuard::Tag(name) => format!("refs/tags/{name}"),
        RefGuard::Pull(number) => {
            own_head(*number).map_or_else(|| branch(facts.default_branch()), |name| branch(&name))
        }
        RefGuard::Commit => branch(facts.default_branch()),
    }
}

/// Rechecks a start before it is sent: the policy still deploys there in this way, the request
/// holds the environment, its target is still permitted, and its gate is open by the newest facts.
pub(crate) fn recheck(
    facts: &RepoFacts,
    effect: &Effect,
    id: &str,
    sha: &Sha,
    terms: &DecisionContext<'_>,
) -> Result<(), String> {
    let request = facts.requests.get(id).filter(|r| matches!(r.state, RequestState::Starting(_)));
    let Some(request) = request.filter(|request| request.sha.as_ref() == Some(sha)) else {
        return Err("the deploy is not wanted any more".to_owned());
    };
    let eval = EvalContext::new(facts, terms.policy, terms.now);
    let rule = permit::still_permitted(&eval, id, request).map_err(|refusal| refusal.why().state().to_owned())?;
    if !is_way(rule, effect) {
        return Err(messages::way_changed(&request.environment));
    }
    if let Origin::Incident(incident) = &request.origin
        && !auto_rollback::is_wanted(&eval, &request.environment, incident)
    {
        return Err(messages::not_due().state().to_owned());
    }
    if facts.under_way(&request.environment).is_some_and(|(other, _)| other != id) {
        return Err("another deploy holds the environment".to_owned());
    }
    match order(&eval, request) {
        Order::Forward => {}
        // It waits again, and that step decides what happens next.
        Order::Older { .. } | Order::Lower { .. } | Order::Unknown => {
            return Err("what the environment runs has changed meanwhile".to_owned());
        }
    }
    let decision = permit::evaluate(facts, id, request, terms);
    match decision {
        Some(decision) if decision.standing.is_open() => Ok(()),
        Some(decision) => Err(messages::closed(&decision)),
        None => Err("its commit is not known".to_owned()),
    }
}

/// Returns whether an effect starts a deploy in the way that the policy names.
fn is_way(rule: &EnvironmentRule, effect: &Effect) -> bool {
    match (rule.deploy.as_ref().map(|deploy| &deploy.via), effect) {
        (Some(Via::Deployment), Effect::CreateDeployment { .. }) => true,
        (Some(Via::Workflow { file }), Effect::Dispatch { workflow, strict, .. }) => {
            file == workflow && *strict != rule.best_effort
        }
        _ => false,
    }
}

/// Records the outcome of a start.
pub(super) fn began(
    facts: &mut RepoFacts,
    id: &str,
    from_key: &str,
    outcome: EffectOutcome<'_>,
    terms: &DecisionContext<'_>,
    out: &mut PartialPlan,
) {
    let Some(request) = facts.requests.get(id) else { return };
    let RequestState::Starting(attempt) = request.state else { return };
    if key(id, attempt) != from_key {
        return;
    }
    let (sha, reference) = (request.sha.clone(), request.reference.clone());
    let is_bare = request.watched == RefGuard::Commit;
    let result = match outcome {
        EffectOutcome::Withheld(why) => return set_state(facts, id, RequestState::Waiting(why.to_owned()), terms, out),
        EffectOutcome::Failed(why) => {
            return finish(facts, id, RequestEnd::Failed, &rejected(why), terms, out);
        }
        EffectOutcome::Done { result, .. } => result,
    };
    let refused = |why: Headline, facts: &mut RepoFacts, out: &mut PartialPlan| {
        finish(facts, id, RequestEnd::Refused, &why, terms, out);
    };
    match result {
        Some(ForgeResult::NotFound) => {
            set_state(facts, id, RequestState::Waiting(messages::finding_out().to_owned()), terms, out);
        }
        Some(ForgeResult::NameMoved { .. }) if is_bare => refused(messages::left_its_branch(sha.as_ref()), facts, out),
        Some(ForgeResult::NameMoved { found }) => {
            refused(messages::moved(&reference, sha.as_ref(), found.as_ref()), facts, out);
        }
        Some(ForgeResult::NotStarted(why)) => refused(messages::not_started(why), facts, out),
        Some(ForgeResult::Deployed { deployment, sha: made, at }) => {
            let (deployment, made_at) = (*deployment, *at);
            if sha.as_ref() != Some(made) {
                let description = messages::mismatch(sha.as_ref(), made);
                let state = DeployState::Failure;
                let effect =
                    Effect::SetDeployment { deployment, state, description: plain(description.state()), log: None };
                out.effects.push(PlannedEffect { key: format!("deploy/{id}/mismatch"), replaces: false, effect });
                return finish(facts, id, RequestEnd::Failed, &description, terms, out);
            }
            goes_on(facts, id, terms, out, |request| {
                request.deployment = Some(deployment);
                request.made_at = made_at;
            });
        }
        Some(ForgeResult::Started { run, sha: made, pinned }) => {
            let (run, pinned) = (*run, *pinned);
            if let (Some(run), Some(made), false) = (run, made, pinned)
                && sha.as_ref() != Some(made)
            {
                out.effects.push(cancel(id, run));
                return finish(facts, id, RequestEnd::Failed, &messages::mismatch(sha.as_ref(), made), terms, out);
            }
            goes_on(facts, id, terms, out, |request| {
                request.run = run;
                request.pinned = pinned;
            });
        }
        _ => finish(facts, id, RequestEnd::Failed, &messages::nothing_reported(), terms, out),
    }
}

/// Records that the forge started a deploy.
fn goes_on(
    facts: &mut RepoFacts,
    id: &str,
    terms: &DecisionContext<'_>,
    out: &mut PartialPlan,
    how: impl FnOnce(&mut DeployRequest),
) {
    change(facts, id, out, |request| {
        how(request);
        request.started_at = Some(terms.now);
    });
    set_state(facts, id, RequestState::Running, terms, out);
}

/// Returns the effect that cancels a run of a deploy.
pub(super) fn cancel(id: &str, run: u64) -> PlannedEffect {
    PlannedEffect { key: format!("deploy/{id}/cancel/{run}"), replaces: false, effect: Effect::CancelRun { run } }
}
