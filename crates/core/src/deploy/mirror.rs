//! Copies of external deployments among the forge's own.
//!
//! Each gets one copy, which shows its newest state. The copy is created first and recorded, then its
//! state is set: an effect that fails, or a crash, costs no more than that effect. The forge reports
//! the copy as a deployment, too; the adapter knows it by its task and drops it, so that nothing
//! counts twice.

use jiff::{SignedDuration, Timestamp};

use crate::{
    context::EvalContext,
    deploy::runs,
    domain::{
        effect::{Effect, ForgeResult},
        event::DeployState,
        fact::{
            DocumentKey, RepoFacts,
            deployment::{MadeCopy, Mirror, MirrorStep},
        },
        policy::Mode,
        rule::name_key,
    },
    plan::{DecisionContext, EffectOutcome, PartialPlan, PlannedEffect, Recheck},
    text::message::plain,
};

/// Age from which a state is not shown any more.
const TOO_OLD: SignedDuration = SignedDuration::from_hours(24);
/// Time from an effect that failed to the next one.
const AGAIN: SignedDuration = SignedDuration::from_hours(1);

/// Queues what shows the states of deployments that the forge does not show yet.
pub(super) fn advance(facts: &mut RepoFacts, terms: &DecisionContext<'_>, out: &mut PartialPlan) {
    if terms.policy.mode != Mode::Act || terms.writes_disabled.is_some() {
        return;
    }
    let index = facts.deployments.index();
    let again = index.to_mirror_again.iter().take_while(|(at, _)| *at <= terms.now).map(|(_, id)| *id);
    for id in index.to_mirror.iter().copied().chain(again).collect::<Vec<_>>() {
        queue(facts, id, terms, out);
    }
    out.wake(facts.deployments.index().to_mirror_again.first().map(|(at, _)| *at));
}

fn queue(facts: &mut RepoFacts, id: u64, terms: &DecisionContext<'_>, out: &mut PartialPlan) {
    let effect = match next(facts, id, terms) {
        Next::Send(effect) => Some(effect),
        Next::Nothing => None,
        // The end of that wait is an event.
        Next::Wait => return change(facts, id, out, |mirror, _| mirror.step = MirrorStep::Idle),
    };
    let Some(effect) = effect else {
        return change(facts, id, out, |mirror, reported| {
            (mirror.step, mirror.settled) = (MirrorStep::Idle, Some(reported));
        });
    };
    change(facts, id, out, |mirror, _| mirror.step = MirrorStep::Queued);
    let is_new = matches!(effect, Effect::MirrorDeployment { made: None, .. });
    let key = if is_new { format!("mirror/{id}") } else { format!("mirror/{id}/state") };
    out.effects.push(PlannedEffect { key, replaces: true, effect });
}

/// Changes what is recorded of a copy, with the newest reported state of its deployment.
fn change(facts: &mut RepoFacts, id: u64, out: &mut PartialPlan, how: impl FnOnce(&mut Mirror, DeployState)) {
    let changed = facts.deployments.update(&id, |deployment| {
        let (reported, mirror) = (deployment.statuses.last()?.state, deployment.mirror.as_mut()?);
        let before = mirror.clone();
        how(mirror, reported);
        Some(*mirror != before)
    });
    if changed.flatten() == Some(true) {
        out.changed.insert(DocumentKey::Deployment(id));
    }
}

/// What is to be done to show the present state of a deployment.
enum Next {
    Send(Effect),
    /// Its state is not to be shown.
    Nothing,
    /// A run that a deploy waits for could not be told from those that the copy starts.
    Wait,
}

fn next(facts: &RepoFacts, id: u64, terms: &DecisionContext<'_>) -> Next {
    let Some(effect) = effect(facts, id, terms) else { return Next::Nothing };
    if let Effect::MirrorDeployment { made: None, sha, .. } = &effect
        && runs::waits_for_run(facts, sha, terms.policy)
    {
        return Next::Wait;
    }
    Next::Send(effect)
}

/// Returns the effect that creates the copy of a deployment, or sets its present state.
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
    if terms.now.duration_since(last.at) > TOO_OLD {
        return None;
    }
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
        made: mirror.made.as_ref().map(|copy| copy.id),
        look_first: mirror.in_doubt,
        environment: deployment.environment.clone(),
        production: terms.policy.production(&deployment.environment).or(deployment.production),
        sha: eval.history(&environment).commit_of(id)?.clone(),
        state,
        reported: last.state,
        description: plain(&format!("Reported by {by}")),
    })
}

/// Rechecks an effect before it is sent: it shows the state of that moment. `made`: the copy whose
/// state it sets; `None` if it creates one.
pub(crate) fn recheck(facts: &RepoFacts, id: u64, made: Option<u64>, terms: &DecisionContext<'_>) -> Recheck {
    if terms.policy.mode != Mode::Act {
        return Recheck::Withhold("copies of deployments are created only in `mode: act`".to_owned());
    }
    match next(facts, id, terms) {
        Next::Send(now) if matches!(&now, Effect::MirrorDeployment { made: known, .. } if *known == made) => {
            Recheck::Replace(Box::new(now))
        }
        Next::Send(_) => Recheck::Withhold("the copy exists already".to_owned()),
        Next::Nothing => Recheck::Withhold("the deployment that it shows is not to be shown any more".to_owned()),
        Next::Wait => Recheck::Withhold("a deploy of this commit waits for its run".to_owned()),
    }
}

/// Records the outcome of an effect: the copy that exists now, or the state that it shows. One that
/// failed is repeated later, as long as the state is recent.
pub(super) fn ended(
    facts: &mut RepoFacts,
    effect: &Effect,
    outcome: EffectOutcome<'_>,
    now: Timestamp,
    out: &mut PartialPlan,
) {
    let Effect::MirrorDeployment { external, made, reported, .. } = effect else { return };
    change(facts, *external, out, |mirror, _| {
        mirror.step = match outcome {
            EffectOutcome::Failed(_) => MirrorStep::Again(now.checked_add(AGAIN).unwrap_or(Timestamp::MAX)),
            EffectOutcome::Done { .. } | EffectOutcome::Withheld(_) => MirrorStep::Idle,
        };
        match (outcome, made) {
            (EffectOutcome::Done { .. }, Some(_)) => mirror.settled = Some(*reported),
            (EffectOutcome::Done { result: Some(ForgeResult::Deployed { deployment, sha, at }), .. }, None) => {
                mirror.made = Some(MadeCopy { id: *deployment, sha: sha.clone(), at: at.unwrap_or(now) });
            }
            (EffectOutcome::Failed(_), None) => mirror.in_doubt = true,
            (EffectOutcome::Done { .. } | EffectOutcome::Failed(_) | EffectOutcome::Withheld(_), _) => {}
        }
    });
}
