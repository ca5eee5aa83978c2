//! Checks at the moment of sending whether an effect may still be sent.
//!
//! An effect is decided, queued, and sent when the forge takes it: a second
//! later, or hours later if the forge is down. Each kind names the rule under
//! which it may be sent then. A rule that is gone is a no.
//!
//! | effect | may still be sent if |
//! | --- | --- |
//! | `CancelRun` | always: it stops something |
//! | `CreateDeployment`, `Dispatch` | the environment still has this `deploy:`, the request is still its turn, its target still permitted, and its gate open |
//! | `AnswerProtection` | the job still waits, and the gate still says the same |
//! | `PublishRelease` | the gate that it names still stands before the draft, with `publish` or a command, and is open |
//! | `SetDeployment` | the deployment has not ended by itself; `in_progress` only before anybody else said anything |
//! | `TearDown` | the pull request is still closed, or its environment still too old, and nothing is deployed there again |
//! | `MirrorDeployment` | the deployment is still in the record, in its present state; a copy is created only if none exists, and no deploy of its commit waits for a run |
//! | `ActOnSchema` | the policy still applies schema changes there, the request still waits for it, and what comes before the code may still start |
//! | `SetReleaseNotes` | the draft is still there, and its gate still has `notes` |
//! | `Report` of a gate | always, as the gate stands now |
//! | `OpenIssue` about a tag | the gate that it names still asks for such issues |
//! | `Assign`, `SetMilestone`, `RerunFailed` of a command | the command still waits for it |
//! | labels, texts and states of items, comments, reactions, other issues and checks | the item is still there; a newer wish replaces a queued one |
//!
//! In `mode: observe` nothing but `CancelRun` is sent.

use crate::{
    command::addressed,
    deploy,
    domain::{
        effect::Effect,
        fact::{
            RepoFacts,
            command::{CommandId, Ending},
        },
        id::ItemId,
        policy::Mode,
    },
    gate,
    plan::{DecisionContext, Recheck},
};

/// Rechecks an effect against the facts, the policy and the time of sending.
pub fn recheck_before_send(facts: &RepoFacts, effect: &Effect, terms: &DecisionContext<'_>) -> Recheck {
    match recheck(facts, effect, terms) {
        Recheck::Replace(mut now) => {
            addressed::address(&mut now, terms.policy);
            if now.says(effect) { Recheck::Send } else { Recheck::Replace(now) }
        }
        other @ (Recheck::Send | Recheck::Withhold(_)) => other,
    }
}

fn recheck(facts: &RepoFacts, effect: &Effect, terms: &DecisionContext<'_>) -> Recheck {
    if terms.policy.mode == Mode::Observe && !matches!(effect, Effect::CancelRun { .. }) {
        return Recheck::Withhold("nothing is written in `mode: observe`".to_owned());
    }
    // No `_` here: whoever adds an effect says under which rule it is sent.
    match effect {
        Effect::CreateDeployment { request, sha, .. } | Effect::Dispatch { request, sha, .. } => {
            deploy::recheck_start(facts, effect, request, sha, terms).into()
        }
        Effect::AnswerProtection { run, environment, approve, .. } => {
            deploy::recheck_answer(facts, *run, environment, *approve, terms).into()
        }
        Effect::PublishRelease { release, tag, gate, sha, command, .. } => deploy::recheck_publication(
            facts,
            &deploy::Wanted { release: *release, tag, gate, sha, command: *command },
            terms,
        )
        .into(),
        Effect::TearDown { environment, workflow, .. } => {
            deploy::recheck_teardown(facts, environment, workflow, terms).into()
        }
        Effect::MirrorDeployment { external, made, .. } => deploy::recheck_mirror(facts, *external, *made, terms),
        Effect::ActOnSchema { request, pin, act } => {
            deploy::recheck_schema(facts, request, pin, *act, terms).into()
        }
        Effect::SetReleaseNotes { release, tag, gate, .. } => {
            deploy::recheck_notes(facts, *release, tag, gate, terms).into()
        }
        Effect::SetDeployment { deployment, state, .. } => deploy::recheck_status(facts, *deployment, *state).into(),
        Effect::Report { gate: Some(name), .. } => gate::recheck(facts, name, effect, terms),
        Effect::OpenIssue { gate: Some(name), .. } => deploy::recheck_violation(name, terms).into(),
        Effect::Assign { item, command: Some(id), .. } | Effect::SetMilestone { item, command: id, .. } => {
            pending(facts, *id).and_then(|()| exists(facts, *item)).into()
        }
        Effect::RerunFailed { pull, command, .. } => {
            pending(facts, *command).and_then(|()| exists(facts, *pull)).into()
        }
        Effect::Assign { item, command: None, .. }
        | Effect::SetPhase { item, .. }
        | Effect::SetLabels { item, .. }
        | Effect::EditIssue { item, .. }
        | Effect::SetIssueState { item, .. }
        | Effect::UpsertComment { item, .. }
        | Effect::FoldComment { item, .. } => exists(facts, *item).into(),
        // It stops something: always.
        Effect::CancelRun { .. }
        // They say what was true when they were decided, or what a file says:
        // nothing is done by them.
        | Effect::React { .. }
        | Effect::UpsertIssue { .. }
        | Effect::OpenIssue { gate: None, .. }
        | Effect::Report { gate: None, .. } => Recheck::Send,
    }
}

/// Returns whether a command still waits for its effect. A command of which nothing
/// is recorded waits for none.
fn pending(facts: &RepoFacts, id: CommandId) -> Result<(), String> {
    match facts.commands.get(&id) {
        Some(command) if command.ending == Ending::Pending => Ok(()),
        _ => Err("the command that asked for it is over".to_owned()),
    }
}

fn exists(facts: &RepoFacts, item: ItemId) -> Result<(), String> {
    // An item that was never seen may well be there: GitHub says 404 otherwise,
    // and what is sent opens nothing.
    match facts.items.get(&item) {
        Some(item) if item.gone.is_some() => Err("the item is gone".to_owned()),
        _ => Ok(()),
    }
}
