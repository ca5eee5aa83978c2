//! Permission of a request to go on: by the policy, and by its gate.

use jiff::{SignedDuration, Timestamp};

use crate::{
    context::EvalContext,
    deploy::{messages, preview},
    domain::{
        decision::Decision,
        fact::{
            RepoFacts,
            deploy_request::{DeployRequest, Origin},
        },
        policy::Mode,
        rule::{EnvironmentRule, Trigger},
    },
    gate::{
        self,
        target::{Basis, Refusal, permitted},
    },
    plan::DecisionContext,
};

/// Greatest age of an answer that is fresh enough to act on.
const FRESH: SignedDuration = SignedDuration::from_mins(2);

/// Returns the environment's rule, if the policy still allows the request: phasebot deploys there,
/// automatically if the request is automatic, with these inputs, and the environment accepts the
/// commit. `Err`: the reason, for people.
pub(super) fn still_permitted<'p>(
    eval: &EvalContext<'p>,
    id: &str,
    request: &DeployRequest,
) -> Result<&'p EnvironmentRule, Refusal> {
    let environment = request.environment.as_str();
    let rule = eval.policy.environment(environment);
    let Some((rule, deploy)) =
        rule.and_then(|rule| Some((rule, rule.deploy.as_ref()?))).filter(|_| eval.policy.mode == Mode::Act)
    else {
        return Err(Refusal::No(messages::no_deploys(eval.facts, eval.policy, environment)));
    };
    let by_itself = match &request.origin {
        Origin::Command(_) => true,
        Origin::Tag(tag) => {
            rule.auto.on.contains(&Trigger::Tag) && eval.policy.auto_takes_tag(environment, &rule.auto, tag)
        }
        Origin::Merge(branch) => {
            let takes = rule.auto.takes_branch(branch).unwrap_or_else(|| eval.facts.is_main_line(branch));
            rule.auto.on.contains(&Trigger::Merge) && takes
        }
        Origin::Incident(_) => rule.rollback.on_incident.is_some(),
        Origin::Label(_) => rule.per_pull.as_ref().is_some_and(|made| made.label.is_some()),
    };
    preview::is_wanted(eval, rule, request)?;
    if !by_itself {
        return Err(Refusal::No(messages::no_auto(environment)));
    }
    for (name, value) in &request.inputs {
        if !deploy.inputs.get(name).is_some_and(|values| values.contains(value)) {
            return Err(Refusal::No(messages::input_gone(name)));
        }
    }
    if let Some(sha) = &request.sha {
        permitted(eval, environment, sha, Basis::of(eval.facts, id, request))?;
    }
    Ok(rule)
}

/// Returns the time from which on an answer is fresh enough to act on.
pub(super) fn fresh(now: Timestamp) -> Option<Timestamp> {
    now.checked_sub(FRESH).ok()
}

/// Evaluates the gate of a request; `None` while its commit is unknown.
pub(super) fn evaluate(
    facts: &RepoFacts,
    id: &str,
    request: &DeployRequest,
    terms: &DecisionContext<'_>,
) -> Option<Decision> {
    let subject = gate::subject::of_request(facts, terms.policy, id, request)?;
    Some(gate::evaluate(facts, terms.policy, &subject, terms.now))
}

/// Evaluates it again with fresh answers only.
pub(super) fn evaluate_afresh(
    facts: &RepoFacts,
    id: &str,
    request: &DeployRequest,
    terms: &DecisionContext<'_>,
) -> Option<Decision> {
    let mut subject = gate::subject::of_request(facts, terms.policy, id, request)?;
    subject.fresh_since = fresh(terms.now);
    Some(gate::evaluate(facts, terms.policy, &subject, terms.now))
}
