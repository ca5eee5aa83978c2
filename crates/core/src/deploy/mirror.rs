//! Copies of external deployments among the forge's own.
//!
//! Each gets one copy, which shows its newest state. The forge reports the copy as a deployment, too;
//! the adapter knows it by its task and drops it, so that nothing counts twice.

use jiff::{SignedDuration, Timestamp};

use crate::{
    context::EvalContext,
    domain::{
        effect::{Effect, ForgeResult},
        event::DeployState,
        fact::{DocumentKey, RepoFacts},
        policy::Mode,
        rule::name_key,
    },
    plan::{DecisionContext, EffectOutcome, PartialPlan, PlannedEffect, Recheck},
    text::message::plain,
};

/// Age from which a state is not shown any more.
const TOO_OLD: SignedDuration = SignedDuration::from_hours(24);

/// Queues the copies of deployments whose state the forge does not show yet.
pub(super) fn advance(facts: &mut RepoFacts, terms: &DecisionContext<'_>, out: &mut PartialPlan) {
    if terms.policy.mode != Mode::Act || terms.writes_disabled.is_some() {
        return;
    }
    for id in facts.deployments.index().to_mirror.clone() {
        let is_recent = facts.deployments.get(&id).is_some_and(|deployment| {
            deployment.statuses.last().is_some_and(|status| terms.now.duration_since(status.at) <= TOO_OLD)
        });
        facts.deployments.update(&id, |deployment| {
            let state = deployment.state_to_mirror();
            if let Some(mirror) = &mut deployment.mirror {
                mirror.shown = state;
            }
        });
        out.changed.insert(DocumentKey::Deployment(id));
        if let Some(effect) = effect(facts, id, terms).filter(|_| is_recent) {
            out.effects.push(PlannedEffect { key: format!("mirror/{id}"), replaces: true, effect });
        }
    }
}

/// Returns the effect that shows the present state of a deployment.
fn effect(facts: &RepoFacts, id: u64, terms: &DecisionContext<'_>) -> Option<Effect> {
    let deployment = facts.deployments.get(&id)?;
    let mirror = deployment.mirror.as_ref()?;
    let environment = name_key(&deployment.environment);
    let eval = EvalContext::new(facts, terms.policy, terms.now);
    let ran_until = |end: Timestamp| {
        let before = end.checked_sub(SignedDuration::from_nanos(1)).unwrap_or(end);
        eval.history(&environment).at(before).is_some_and(|run| run.deployment == id)
    };
    let runs = || eval.history(&environment).current().is_some_and(|run| run.deployment == id);
    let last = deployment.statuses.last()?;
    // What is made for a pull request has no history: its states are shown as they are.
    let has_history = terms.policy.instance(&environment).is_none();
    // What was replaced before is inactive already.
    if last.state == DeployState::Inactive && has_history && !ran_until(last.at) {
        return None;
    }
    // The forge takes the deployment that succeeded last for the one that runs.
    let is_replaced = last.state == DeployState::Success && has_history && !runs();
    let state = if is_replaced { DeployState::Inactive } else { last.state };
    let by = deployment.source.as_deref().unwrap_or_default();
    Some(Effect::MirrorDeployment {
        external: id,
        made: mirror.made,
        environment: deployment.environment.clone(),
        production: terms.policy.production(&deployment.environment).or(deployment.production),
        sha: eval.history(&environment).commit_of(id)?.clone(),
        state,
        description: plain(&format!("Reported by {by}")),
    })
}

/// Rechecks a copy before it is sent: it shows the state of that moment.
pub(crate) fn recheck(facts: &RepoFacts, id: u64, terms: &DecisionContext<'_>) -> Recheck {
    match effect(facts, id, terms).filter(|_| terms.policy.mode == Mode::Act) {
        Some(now) => Recheck::Replace(Box::new(now)),
        None => Recheck::Withhold("the deployment that it shows is not to be shown any more".to_owned()),
    }
}

/// Records the copy that was made.
pub(super) fn made(facts: &mut RepoFacts, id: u64, outcome: EffectOutcome<'_>, out: &mut PartialPlan) {
    let EffectOutcome::Done { result: Some(ForgeResult::Deployed { deployment: copy, .. }), .. } = outcome else {
        return;
    };
    let copy = *copy;
    let changed = facts.deployments.update(&id, |deployment| {
        let Some(mirror) = &mut deployment.mirror else { return false };
        mirror.made.replace(copy) != Some(copy)
    });
    if changed == Some(true) {
        out.changed.insert(DocumentKey::Deployment(id));
    }
}
