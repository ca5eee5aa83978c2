//! Reasons to drop nothing after the code of a deploy: what is gone can't be rolled back.

use crate::{
    context::EvalContext,
    deploy::permit,
    domain::{
        decision::Condition,
        fact::{
            RepoFacts,
            deploy_request::{DeployRequest, RequestKind},
        },
        rule::ConditionName,
    },
    plan::DecisionContext,
    text::message::quoted,
};

/// Conditions that count after the deploy, too.
const STOPS: [ConditionName; 4] =
    [ConditionName::Lock, ConditionName::Freeze, ConditionName::Hold, ConditionName::Alerts];

/// Returns what stands against dropping something now that the code of a request was deployed:
/// something else runs by then, a rollback waits, or the environment was locked or frozen, an item in
/// it put on hold, or an incident began that its gate forbids. `None`: nothing.
pub(super) fn against(
    facts: &RepoFacts,
    id: &str,
    request: &DeployRequest,
    terms: &DecisionContext<'_>,
) -> Option<String> {
    let environment = quoted(&request.environment);
    let eval = EvalContext::new(facts, terms.policy, terms.now);
    // Its own success may not have been reported yet; what came since it was started is another's.
    let runs = eval.history(&request.environment).current();
    if runs.is_some_and(|run| Some(run.from) >= request.started_at && run.commit != request.sha.as_ref()) {
        return Some(format!("{environment} runs something else by now"));
    }
    let is_way_back = |(other, waiting): (&String, &DeployRequest)| {
        other != id
            && waiting.environment == request.environment
            && waiting.kind == RequestKind::Rollback
            && !waiting.dry_run
    };
    if facts.open_requests().any(is_way_back) {
        return Some(format!("a rollback of {environment} waits"));
    }
    let Some(decision) = permit::evaluate(facts, id, request, terms) else {
        return Some("its commit is not known".to_owned());
    };
    decision.conditions.iter().find_map(stop).map(|condition| condition.sentence.clone())
}

/// Returns the condition, or the part of it, that stops what is to be dropped.
fn stop(condition: &Condition) -> Option<&Condition> {
    if condition.standing.is_open() || condition.name == "not" {
        return None;
    }
    let is_it = STOPS.iter().any(|name| name.name() == condition.name);
    if is_it { Some(condition) } else { condition.parts.iter().find_map(stop) }
}
