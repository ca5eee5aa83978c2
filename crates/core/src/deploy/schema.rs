//! Schema changes of a deploy: pinned like its commit, and, with `apply: true`, applied in order.
//!
//! What only adds is applied before the code that uses it is deployed, what only drops after it, and
//! one that does both is refused. A rollback keeps what was added, and brings back what was dropped
//! before the old code is deployed.
//!
//! Each act goes through the outbox and is sent by the state of the schema change: the adapter reads
//! it first, and sends nothing that was done already. What the database tells afterwards is a fact,
//! and the next step follows from it.

mod back;
mod drops;
pub(super) mod words;

use jiff::{SignedDuration, Timestamp};

pub(crate) use crate::deploy::schema::back::note as back_note;
pub(super) use crate::deploy::schema::back::want as want_back;
use crate::{
    context::EvalContext,
    deploy::{change, finish, messages, permit, set_state},
    domain::{
        effect::{Effect, ForgeResult, SchemaAct},
        fact::{
            DocumentKey, RepoFacts,
            deploy_request::{DeployRequest, RequestEnd, RequestKind, RequestState, SchemaStep, SchemaStepEnd},
        },
        needs::Need,
        policy::{Mode, Policy},
        rule::{ApplyRule, DatabaseRule, SchemaOrder},
        schema::{SchemaChange, SchemaPin, SchemaState},
    },
    gate::{
        rollout_order::{Order, order},
        schema_changes, subject,
    },
    plan::{DecisionContext, EffectOutcome, PartialPlan, PlannedEffect},
    text::headline::Headline,
};

/// Time until a database is asked again for a schema change that is under way.
const AGAIN: SignedDuration = SignedDuration::from_secs(30);
/// Time within which a schema change has to move on after an act.
const MOVES_WITHIN: SignedDuration = SignedDuration::from_mins(10);
/// Longest time for which a deployed request waits for what is dropped after it.
const LONGEST_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// How a deploy goes on.
pub(super) enum Progress {
    /// Nothing is left to do here.
    Ready,
    /// It waits, for a reason, and is looked at again at this time.
    Wait(String, Option<Timestamp>),
    /// It ends.
    End(RequestEnd, Headline),
}

/// When a schema change is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    First,
    After,
    Never,
}

/// Pins the schema changes that belong to a waiting request, each with the content that it has once
/// the database has compared it. Another content later is not what was asked for.
pub(super) fn pin(facts: &mut RepoFacts, id: &str, terms: &DecisionContext<'_>, out: &mut PartialPlan) {
    let Some(request) = facts.requests.get(id).filter(|request| request.kind != RequestKind::Rollback) else { return };
    let Some(subject) = subject::of_request(facts, terms.policy, id, request) else { return };
    let is_known = |pin: &SchemaPin| {
        request.schema.iter().any(|known| known.connection == pin.connection && known.number == pin.number)
    };
    let mut new = schema_changes::contents(facts, terms.policy, &subject, terms.now);
    new.retain(|pin| !is_known(pin));
    if !new.is_empty() {
        change(facts, id, out, |request| request.schema.extend(new));
    }
}

/// Returns the rules under which phasebot applies schema changes in an environment; `None`: it only
/// watches.
fn applies<'p>(policy: &'p Policy, environment: &str) -> Option<(&'p DatabaseRule, ApplyRule)> {
    let rule = policy.environment(environment)?.database.as_ref()?;
    Some((rule, rule.apply.filter(|_| policy.mode == Mode::Act)?))
}

fn known<'f>(facts: &'f RepoFacts, pin: &SchemaPin) -> Option<&'f SchemaChange> {
    facts.schema_changes.get(&(pin.connection.clone(), pin.number))
}

/// Returns whether a schema change needs nothing more.
fn is_in_force(change: &SchemaChange) -> bool {
    change.state.is_applied() || change.state == SchemaState::Empty
}

fn when(rule: ApplyRule, pin: &SchemaPin) -> When {
    match (rule.order, pin.content.keeps, pin.content.drops) {
        (SchemaOrder::SchemaFirst, ..) | (SchemaOrder::Auto, _, 0) => When::First,
        (SchemaOrder::CodeFirst, ..) | (SchemaOrder::Auto, 0, _) => When::After,
        (SchemaOrder::Auto, ..) => When::Never,
    }
}

/// Does what has to be done before a request starts.
pub(super) fn before_start(
    facts: &mut RepoFacts,
    id: &str,
    terms: &DecisionContext<'_>,
    out: &mut PartialPlan,
) -> Progress {
    let Some(request) = facts.requests.get(id).cloned() else { return Progress::Ready };
    let Some((rule, apply)) = applies(terms.policy, &request.environment) else { return Progress::Ready };
    if request.kind == RequestKind::Rollback {
        return back::before_start(facts, id, &request, (rule, apply), terms, out);
    }
    let mine = || request.schema.iter().filter(|pin| pin.connection == rule.connection);
    let left: Vec<&SchemaPin> = mine().filter(|pin| known(facts, pin).is_none_or(|it| !is_in_force(it))).collect();
    if let Some(mixed) = left.iter().find(|pin| when(apply, pin) == When::Never) {
        return Progress::End(RequestEnd::Refused, words::mixed(mixed));
    }
    let first: Vec<SchemaPin> = left.into_iter().filter(|pin| when(apply, pin) == When::First).cloned().collect();
    for pin in first {
        match forward(facts, id, &pin, terms, out) {
            Progress::Ready => {}
            other @ (Progress::Wait(..) | Progress::End(..)) => return other,
        }
    }
    Progress::Ready
}

/// Keeps a request that has just succeeded running while something is still to be dropped. Returns
/// false if nothing is.
pub(super) fn goes_on(facts: &mut RepoFacts, id: &str, terms: &DecisionContext<'_>, out: &mut PartialPlan) -> bool {
    let Some(request) = facts.requests.get(id) else { return false };
    let forward = request.kind != RequestKind::Rollback;
    if !forward || request.deployed_at.is_some() || after(facts, request, terms.policy).is_empty() {
        return false;
    }
    let now = terms.now;
    change(facts, id, out, |request| request.deployed_at = Some(now));
    after_deploy(facts, id, now, terms, out);
    true
}

/// Returns what is still to be applied after the code of a request.
fn after(facts: &RepoFacts, request: &DeployRequest, policy: &Policy) -> Vec<SchemaPin> {
    let Some((rule, apply)) = applies(policy, &request.environment) else { return Vec::new() };
    let mine = request.schema.iter().filter(|pin| pin.connection == rule.connection && when(apply, pin) == When::After);
    mine.filter(|pin| known(facts, pin).is_none_or(|it| !is_in_force(it))).cloned().collect()
}

/// Tracks what is applied after the code of a request, to the request's end.
pub(super) fn after_deploy(
    facts: &mut RepoFacts,
    id: &str,
    deployed_at: Timestamp,
    terms: &DecisionContext<'_>,
    out: &mut PartialPlan,
) {
    let Some(request) = facts.requests.get(id).cloned() else { return };
    let succeeded = || messages::succeeded(&request);
    let gives_up = deployed_at.checked_add(LONGEST_AFTER).unwrap_or(Timestamp::MAX);
    let is_let_go = facts.commands.index().let_go.contains(id);
    for pin in after(facts, &request, terms.policy) {
        if is_let_go {
            let why = words::beside(&succeeded(), &words::let_go(&pin));
            return finish::finish(facts, id, RequestEnd::Succeeded, &why, terms, out);
        }
        if terms.now >= gives_up {
            let why = words::beside(&succeeded(), &words::not_in_time(&pin));
            return finish::finish(facts, id, RequestEnd::Succeeded, &why, terms, out);
        }
        let is_sent = request.schema_steps.iter().any(|step| step.number == pin.number && step.ended.is_none());
        let acts = known(facts, &pin).is_some_and(|it| matches!(it.state, SchemaState::Ready | SchemaState::Staged));
        let blocked = if acts && !is_sent { drops::against(facts, id, &request, terms) } else { None };
        let progress = match blocked {
            Some(why) => Progress::End(RequestEnd::Succeeded, words::left(&pin, &why)),
            None => forward(facts, id, &pin, terms, out),
        };
        match progress {
            Progress::Ready => {}
            Progress::Wait(_, until) => {
                out.wake(until);
                return out.wake(Some(gives_up));
            }
            // The code runs: what is left in the schema harms nobody.
            Progress::End(_, failed) => {
                let why = words::beside(&succeeded(), &failed);
                return finish::finish(facts, id, RequestEnd::Succeeded, &why, terms, out);
            }
        }
    }
    finish::finish(facts, id, RequestEnd::Succeeded, &succeeded(), terms, out);
}

/// Asks for the states of what is applied after the code of a request.
pub(super) fn want_after(eval: &EvalContext<'_>, request: &DeployRequest) {
    if request.deployed_at.is_some() {
        for pin in after(eval.facts, request, eval.policy) {
            want(eval, &pin);
        }
    }
}

fn want(eval: &EvalContext<'_>, pin: &SchemaPin) {
    eval.answer(&Need::SchemaChange { connection: pin.connection.clone(), number: pin.number }, Some(AGAIN));
}

/// Takes the next step with a schema change that is to be in force.
fn forward(
    facts: &mut RepoFacts,
    id: &str,
    pin: &SchemaPin,
    terms: &DecisionContext<'_>,
    out: &mut PartialPlan,
) -> Progress {
    let Some(change) = known(facts, pin) else {
        return Progress::Wait(words::asked(pin), again(terms.now));
    };
    if change.content != pin.content {
        return Progress::End(RequestEnd::Failed, words::changed(pin));
    }
    if change.is_withdrawn() {
        return Progress::End(RequestEnd::Failed, words::stuck(pin, "was closed before it was deployed"));
    }
    match change.state {
        SchemaState::Empty | SchemaState::Revertible | SchemaState::Applied => Progress::Ready,
        SchemaState::Ready => act(facts, id, pin, SchemaAct::Deploy, terms, out),
        SchemaState::Staged => act(facts, id, pin, SchemaAct::Apply, terms, out),
        SchemaState::Checking | SchemaState::Queued | SchemaState::Running | SchemaState::Applying => {
            Progress::Wait(words::under_way(change), again(terms.now))
        }
        SchemaState::Invalid => Progress::End(RequestEnd::Failed, words::stuck(pin, "can't be deployed")),
        SchemaState::Failed => Progress::End(RequestEnd::Failed, words::stuck(pin, "failed")),
        SchemaState::Cancelling | SchemaState::Cancelled => {
            Progress::End(RequestEnd::Failed, words::stuck(pin, "was cancelled"))
        }
        SchemaState::Reverting | SchemaState::Reverted => {
            Progress::End(RequestEnd::Failed, words::stuck(pin, "was reverted"))
        }
        SchemaState::RevertFailed => Progress::End(RequestEnd::Failed, words::stuck(pin, "could not be reverted")),
        SchemaState::Unknown => {
            Progress::End(RequestEnd::Failed, words::stuck(pin, "is in a state that this version does not know"))
        }
    }
}

fn again(now: Timestamp) -> Option<Timestamp> {
    now.checked_add(AGAIN).ok()
}

/// Queues an act, unless it was queued already, and waits for what becomes of it.
fn act(
    facts: &mut RepoFacts,
    id: &str,
    pin: &SchemaPin,
    act: SchemaAct,
    terms: &DecisionContext<'_>,
    out: &mut PartialPlan,
) -> Progress {
    let Some(request) = facts.requests.get(id) else { return Progress::Ready };
    let wait = |until| Progress::Wait(words::acting(pin, act), until);
    let last = request.schema_steps.iter().rev().find(|step| step.number == pin.number && step.act == act);
    let attempt = match last {
        None => 1,
        Some(SchemaStep { ended: None, .. }) => return wait(None),
        Some(SchemaStep { ended: Some(SchemaStepEnd::Withheld), attempt, .. }) => attempt + 1,
        Some(SchemaStep { ended: Some(SchemaStepEnd::Failed(why)), .. }) => {
            return Progress::End(RequestEnd::Failed, words::refused(pin, why));
        }
        Some(SchemaStep { ended: Some(SchemaStepEnd::Done), at, .. }) => {
            let late = at.checked_add(MOVES_WITHIN).unwrap_or(Timestamp::MAX);
            return if terms.now < late {
                wait(again(terms.now))
            } else {
                Progress::End(RequestEnd::Failed, words::stuck(pin, "did not move on"))
            };
        }
    };
    let effect = Effect::ActOnSchema { request: id.to_owned(), pin: pin.clone(), act };
    out.effects.push(PlannedEffect { key: key(id, pin.number, act, attempt), replaces: false, effect });
    let step = SchemaStep { number: pin.number, act, attempt, at: terms.now, ended: None };
    change(facts, id, out, |request| request.schema_steps.push(step));
    out.notes.push(words::acting(pin, act));
    wait(None)
}

fn key(id: &str, number: u64, act: SchemaAct, attempt: u32) -> String {
    format!("schema/{id}/{number}/{}/{attempt}", act.word())
}

/// Records the outcome of an act.
pub(super) fn acted(
    facts: &mut RepoFacts,
    (id, pin, act): (&str, &SchemaPin, SchemaAct),
    from_key: &str,
    outcome: EffectOutcome<'_>,
    terms: &DecisionContext<'_>,
    out: &mut PartialPlan,
) {
    let end = match outcome {
        EffectOutcome::Done { result: Some(ForgeResult::SchemaActed(told)), .. } => {
            let keys = facts.add_schema_change(told).into_iter();
            out.changed.extend(keys.map(|(connection, number)| DocumentKey::SchemaChange(connection, number)));
            SchemaStepEnd::Done
        }
        EffectOutcome::Done { result: Some(ForgeResult::NotStarted(why)), .. } => SchemaStepEnd::Failed(why.clone()),
        EffectOutcome::Done { .. } | EffectOutcome::Withheld(_) => SchemaStepEnd::Withheld,
        EffectOutcome::Failed(why) => SchemaStepEnd::Failed(why.to_owned()),
    };
    let is_meant = |step: &SchemaStep| {
        step.ended.is_none() && step.number == pin.number && key(id, step.number, act, step.attempt) == from_key
    };
    let now = terms.now;
    change(facts, id, out, |request| {
        if let Some(step) = request.schema_steps.iter_mut().find(|step| is_meant(step)) {
            (step.ended, step.at) = (Some(end), now);
        }
    });
    let waits = facts.requests.get(id).is_some_and(|request| matches!(request.state, RequestState::Waiting(_)));
    if let (true, EffectOutcome::Withheld(why)) = (waits, outcome) {
        set_state(facts, id, RequestState::Waiting(why.to_owned()), terms, out);
    }
}

/// Rechecks an act before it is sent: the policy still applies schema changes there, the request
/// still waits for it, and for what comes before the code, the deploy may still start.
pub(crate) fn recheck(
    facts: &RepoFacts,
    id: &str,
    pin: &SchemaPin,
    act: SchemaAct,
    terms: &DecisionContext<'_>,
) -> Result<(), String> {
    let Some(request) = facts.requests.get(id).filter(|request| request.is_open()) else {
        return Err("the deploy is over".to_owned());
    };
    let waits =
        request.schema_steps.iter().any(|step| step.number == pin.number && step.act == act && step.ended.is_none());
    let known = applies(terms.policy, &request.environment).filter(|(rule, _)| rule.connection == pin.connection);
    if !waits || known.is_none() {
        return Err("the deploy does not wait for the schema change any more".to_owned());
    }
    if request.deployed_at.is_some() {
        return drops::against(facts, id, request, terms).map_or(Ok(()), Err);
    }
    let eval = EvalContext::new(facts, terms.policy, terms.now);
    permit::still_permitted(&eval, id, request).map_err(|refusal| refusal.why().state().to_owned())?;
    if facts.under_way(&request.environment).is_some_and(|(other, _)| other != id) {
        return Err("another deploy holds the environment".to_owned());
    }
    if !matches!(order(&eval, request), Order::Forward) {
        return Err("what the environment runs has changed meanwhile".to_owned());
    }
    match permit::evaluate(facts, id, request, terms) {
        Some(decision) if decision.standing.is_open() => Ok(()),
        Some(decision) => Err(messages::closed(&decision)),
        None => Err("its commit is not known".to_owned()),
    }
}
