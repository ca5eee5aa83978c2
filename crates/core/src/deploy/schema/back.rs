//! Schema changes of a rollback.

use jiff::Timestamp;

use crate::{
    context::EvalContext,
    deploy::schema::{Progress, act, again, applies, is_in_force, known, words},
    domain::{
        effect::SchemaAct,
        fact::{
            RepoFacts,
            deploy_request::{DeployRequest, RequestEnd, RequestKind},
        },
        id::Sha,
        policy::Policy,
        rule::{ApplyRule, DatabaseRule, SchemaRollback},
        schema::{SchemaPin, SchemaState},
    },
    plan::{DecisionContext, PartialPlan},
};

/// Returns the schema changes that were applied with what a rollback to `sha` takes back, the newest
/// first.
fn taken_back(facts: &RepoFacts, policy: &Policy, environment: &str, sha: &Sha, now: Timestamp) -> Vec<SchemaPin> {
    let Some((rule, _)) = applies(policy, environment) else { return Vec::new() };
    let eval = EvalContext::new(facts, policy, now);
    // Where it ran again because a later one failed, it had succeeded long before.
    let target = eval.history(environment).backwards().find(|run| run.commit == Some(sha)).map(|run| run.succeeded);
    let later = facts.requests_for(environment).map(|(_, request)| request).filter(|request| {
        let forward = request.kind != RequestKind::Rollback && request.sha.as_ref() != Some(sha);
        // It may have waited since before the target was deployed; what never acted applied nothing.
        let acted = request.schema_steps.iter().map(|step| step.at).chain(request.started_at).max();
        forward && acted.is_some_and(|acted| target.is_none_or(|succeeded| acted >= succeeded))
    });
    let mut found: Vec<SchemaPin> = Vec::new();
    for pin in later.flat_map(|request| &request.schema).filter(|pin| pin.connection == rule.connection) {
        // Pinned with other content, it was not applied for that request.
        let is_it = known(facts, pin).is_none_or(|change| change.content == pin.content);
        if is_it && !found.iter().any(|other| other.number == pin.number) {
            found.push(pin.clone());
        }
    }
    found.sort_by_key(|pin| std::cmp::Reverse(pin.number));
    found
}

/// Returns whether a rollback has to revert a schema change: the old code needs what it dropped.
fn has_to_go(rule: ApplyRule, keeps_schema: bool, pin: &SchemaPin) -> bool {
    pin.content.drops > 0 && rule.rollback == SchemaRollback::Auto && !keeps_schema
}

/// Reverts what the old code can't do without, before it is deployed.
pub(super) fn before_start(
    facts: &mut RepoFacts,
    id: &str,
    request: &DeployRequest,
    (_, apply): (&DatabaseRule, ApplyRule),
    terms: &DecisionContext<'_>,
    out: &mut PartialPlan,
) -> Progress {
    let Some(sha) = &request.sha else { return Progress::Ready };
    for pin in taken_back(facts, terms.policy, &request.environment, sha, terms.now) {
        if !has_to_go(apply, request.keeps_schema, &pin) {
            continue;
        }
        let Some(change) = known(facts, &pin) else {
            return Progress::Wait(words::asked(&pin), again(terms.now));
        };
        let end = |why: &str| Progress::End(RequestEnd::Refused, words::no_way_back(&pin, why, &request.environment));
        match change.state {
            SchemaState::Revertible => match change.revertible_until {
                Some(until) if until > terms.now => return act(facts, id, &pin, SchemaAct::Revert, terms, out),
                Some(_) => return end("the time to revert it is over"),
                None => return end("the database can't revert it"),
            },
            SchemaState::Reverting => return Progress::Wait(words::under_way(change), again(terms.now)),
            SchemaState::Applied => return end("the time to revert it is over"),
            SchemaState::RevertFailed => return end("reverting it failed"),
            SchemaState::Queued | SchemaState::Running | SchemaState::Applying | SchemaState::Cancelling => {
                return end("it is being applied");
            }
            SchemaState::Failed => return end("applying it failed, and its state is not certain"),
            SchemaState::Unknown => return end("its state is not known to this version of phasebot"),
            // It is not in force.
            SchemaState::Staged
            | SchemaState::Checking
            | SchemaState::Ready
            | SchemaState::Empty
            | SchemaState::Cancelled
            | SchemaState::Invalid
            | SchemaState::Reverted => {}
        }
    }
    Progress::Ready
}

/// Asks for the states of what a rollback takes back.
pub(in crate::deploy) fn want(eval: &EvalContext<'_>, request: &DeployRequest) {
    if request.kind != RequestKind::Rollback {
        return;
    }
    let Some(sha) = &request.sha else { return };
    for pin in taken_back(eval.facts, eval.policy, &request.environment, sha, eval.now) {
        super::want(eval, &pin);
    }
}

/// Returns what becomes of the schema changes in a rollback, for its announcement; empty if there
/// are none.
pub(crate) fn note(
    facts: &RepoFacts,
    policy: &Policy,
    environment: &str,
    sha: &Sha,
    keeps_schema: bool,
    now: Timestamp,
) -> String {
    let Some((_, apply)) = applies(policy, environment) else { return String::new() };
    let pins = taken_back(facts, policy, environment, sha, now);
    let in_force = pins.iter().filter_map(|pin| Some((pin, known(facts, pin).filter(|it| is_in_force(it))?)));
    let said: Vec<String> = in_force
        .filter_map(|(pin, change)| {
            if !has_to_go(apply, keeps_schema, pin) {
                return Some(words::stays(change, &policy.commands.zone, now));
            }
            // One that can't be reverted is what the rollback is refused for.
            let can_go = change.state == SchemaState::Revertible && change.revertible_until > Some(now);
            can_go.then(|| words::reverts(pin))
        })
        .collect();
    if said.is_empty() { String::new() } else { format!(" {}", said.join(" ")) }
}
