//! Steps before a start: resolve the name, wait for the turn, wait for the gate.

use crate::{
    context::EvalContext,
    deploy::{
        approval_request, change,
        finish::finish,
        messages,
        permit::{evaluate, evaluate_afresh, fresh, still_permitted},
        runs,
        schema::{self, Progress},
        set_state, start,
    },
    domain::{
        decision::{ConditionState, Decision},
        event::RefName,
        fact::{
            RepoFacts,
            commit::RefFacts,
            deploy_request::{DeployRequest, Origin, RequestEnd, RequestKind, RequestState},
        },
        id::Sha,
        needs::{Answer, ResolvedRefKind},
        rule::Busy,
    },
    gate::{
        self,
        rollout_order::{Order, order},
        target::{self, Refusal},
    },
    plan::{DecisionContext, PartialPlan},
    text::headline::Headline,
};
use std::cmp::Reverse;

use jiff::{SignedDuration, Timestamp};

/// Time after which a request that could not start is given up.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(24);
/// Longest wait for an answer that a request depends on.
const ANSWER_WITHIN: SignedDuration = SignedDuration::from_mins(10);
/// Time until an unanswered question is checked again.
const AGAIN: SignedDuration = SignedDuration::from_mins(1);

/// Returns the open requests in the order in which they may take an environment: the one that holds
/// it, then rollbacks, then first come, first served.
pub(super) fn in_turn(facts: &RepoFacts) -> Vec<String> {
    let mut open: Vec<_> = facts.open_requests().collect();
    open.sort_by_key(|(id, r)| (Reverse(r.holds_environment()), r.kind != RequestKind::Rollback, r.at, (*id).clone()));
    open.into_iter().map(|(id, _)| id.clone()).collect()
}

pub(super) fn want_name(eval: &EvalContext<'_>, id: &str, request: &DeployRequest) {
    let need = target::name_need(eval.facts, id, request);
    if let Some(Answer::Named(Some(named))) = eval.lasting(&need) {
        // This asks whether a reviewer may write.
        let _ = target::may(eval, request, named);
    }
}

/// Asks for what a waiting request needs: its gate's facts, and the order of its commit relative to
/// the running one.
pub(super) fn want_gate(eval: &EvalContext<'_>, id: &str, request: &DeployRequest) {
    let Some(mut subject) = gate::subject::of_request(eval.facts, eval.policy, id, request) else { return };
    for need in gate::needs(eval.facts, eval.policy, &subject, eval.now) {
        eval.want(need);
    }
    // Before an action, all questions are asked again.
    if gate::evaluate(eval.facts, eval.policy, &subject, eval.now).standing.is_open() {
        subject.fresh_since = fresh(eval.now);
        for need in gate::needs(eval.facts, eval.policy, &subject, eval.now) {
            eval.want(need);
        }
    }
    schema::want_back(eval, request);
    order(eval, request);
    // What it carries is shown with it.
    eval.carried(&subject);
    // This asks where its commit is, and whether a fork's reviewer may write.
    let _ = still_permitted(eval, id, request);
}

/// Resolves the commit that a request names.
pub(super) fn resolve(facts: &mut RepoFacts, id: &str, terms: &DecisionContext<'_>, out: &mut PartialPlan) {
    let Some(request) = facts.requests.get(id) else { return };
    let refuse = |facts: &mut RepoFacts, why: Headline, out: &mut PartialPlan| {
        finish(facts, id, RequestEnd::Refused, &why, terms, out);
    };
    let need = target::name_need(facts, id, request);
    let named = match facts.answers.get(&need).map(|answered| answered.answer.clone()) {
        Some(Answer::Named(Some(named))) => named,
        Some(Answer::Named(None)) => {
            let why = messages::no_name(&request.reference);
            return refuse(facts, why, out);
        }
        other => {
            if terms.now.duration_since(request.at) >= ANSWER_WITHIN {
                let why = messages::name_unknown(&request.reference, other.as_ref());
                return refuse(facts, why, out);
            }
            return out.wake(terms.now.checked_add(AGAIN).ok());
        }
    };
    // The author of the command did not mean what was pushed after it.
    if let (Origin::Command(_), Some(since)) = (&request.origin, moved_here(facts, request, named.kind, &named.sha))
        && since > request.at
    {
        let why = messages::moved(&request.reference, request.sha.as_ref(), Some(&named.sha));
        return refuse(facts, why, out);
    }
    let eval = EvalContext::new(facts, terms.policy, terms.now);
    let may = target::may(&eval, request, &named);
    let unknown = !eval.take_wants().is_empty();
    match may {
        Ok(watched) => {
            change(facts, id, out, |request| {
                request.sha = Some(named.sha);
                request.watched = watched;
            });
            set_state(facts, id, RequestState::Waiting(String::new()), terms, out);
        }
        Err(_) if unknown && terms.now.duration_since(request.at) < ANSWER_WITHIN => {
            out.wake(terms.now.checked_add(AGAIN).ok());
        }
        Err(refusal) => refuse(facts, refusal.why(), out),
    }
}

/// Returns when a branch or tag came to a commit, as far as pushes show.
fn moved_here(facts: &RepoFacts, request: &DeployRequest, kind: ResolvedRefKind, sha: &Sha) -> Option<Timestamp> {
    let name = target::short_name(&request.reference).to_owned();
    let place = if kind == ResolvedRefKind::Tag { RefName::Tag(name) } else { RefName::Branch(name) };
    let moves = facts.refs.get(&place).into_iter().flat_map(RefFacts::moves);
    moves.filter(|(_, to)| to.as_ref() == Some(sha)).map(|(at, _)| *at).max()
}

/// Waits for the request's turn and its gate, then starts it.
pub(super) fn wait(facts: &mut RepoFacts, id: &str, terms: &DecisionContext<'_>, out: &mut PartialPlan) {
    if facts.commands.index().let_go.contains(id) {
        return finish(facts, id, RequestEnd::Failed, &messages::let_go_before_start(), terms, out);
    }
    schema::pin(facts, id, terms, out);
    match next(facts, id, terms, out) {
        Next::Start(decision) => match schema::before_start(facts, id, terms, out) {
            Progress::Ready => start::start(facts, id, &decision, terms, out),
            Progress::Wait(why, until) => {
                out.wake(until);
                set_state(facts, id, RequestState::Waiting(why), terms, out);
            }
            Progress::End(how, why) => finish(facts, id, how, &why, terms, out),
        },
        Next::Wait(why, until) => {
            out.wake(until);
            set_state(facts, id, RequestState::Waiting(why), terms, out);
        }
        Next::WaitForGate(decision, until) => {
            out.wake(until);
            set_state(facts, id, RequestState::Waiting(messages::closed(&decision)), terms, out);
            approval_request::update(facts, id, &decision, terms, out);
        }
        Next::End(how, why) => finish(facts, id, how, &why, terms, out),
    }
}

enum Next {
    Start(Decision),
    Wait(String, Option<Timestamp>),
    WaitForGate(Decision, Option<Timestamp>),
    End(RequestEnd, Headline),
}

fn next(facts: &RepoFacts, id: &str, terms: &DecisionContext<'_>, out: &mut PartialPlan) -> Next {
    let refused = |why: Headline| Next::End(RequestEnd::Refused, why);
    let Some(request) = facts.requests.get(id) else { return refused(messages::newer_came()) };
    let environment = request.environment.as_str();
    let eval = EvalContext::new(facts, terms.policy, terms.now);
    let asked = matches!(request.origin, Origin::Command(_));
    let rule = match still_permitted(&eval, id, request) {
        Ok(rule) => rule,
        // Write access of a reviewer, or the place of the commit, is being asked.
        Err(_)
            if !eval.take_wants().is_empty()
                && terms.now.duration_since(finding_out_since(request, terms.now)) < ANSWER_WITHIN =>
        {
            return Next::Wait(messages::finding_out().to_owned(), terms.now.checked_add(AGAIN).ok());
        }
        // Nobody would repeat an automatic request.
        Err(Refusal::Pending(why)) if !asked && terms.now.duration_since(request.at) < LONGEST_WAIT => {
            return Next::Wait(why.state().to_owned(), terms.now.checked_add(AGAIN).ok());
        }
        Err(refusal) => return refused(refusal.why()),
    };
    let gives_up = request.at.checked_add(LONGEST_WAIT).unwrap_or(Timestamp::MAX);
    if terms.now >= gives_up {
        let RequestState::Waiting(why) = &request.state else { return refused(messages::waited_too_long("")) };
        return refused(messages::waited_too_long(why));
    }
    out.wake(Some(gives_up));
    if let Some(why) = terms.writes_disabled {
        return Next::Wait(messages::silent(why), None);
    }
    // One that changes the schema already goes on.
    if let Some((_, other)) = same(facts, id, request).filter(|_| !request.holds_environment()) {
        if other.replace && !request.replace {
            return Next::End(RequestEnd::Withdrawn, messages::repeated());
        }
        return if asked {
            refused(messages::the_same(other, terms.policy))
        } else {
            Next::End(RequestEnd::Withdrawn, messages::the_same(other, terms.policy))
        };
    }
    let busy = facts.under_way(environment).filter(|(other, _)| *other != id).map(|(_, other)| other);
    match order(&eval, request) {
        Order::Forward => {}
        // The deploy under way may still turn out to be the running one.
        Order::Unknown if busy.is_some() => {}
        Order::Unknown if terms.now.duration_since(finding_out_since(request, terms.now)) < ANSWER_WITHIN => {
            return Next::Wait(messages::finding_out().to_owned(), terms.now.checked_add(AGAIN).ok());
        }
        backward @ (Order::Older { .. } | Order::Lower { .. } | Order::Unknown) => {
            return refused(gate::rollout_order::backward(request, &backward));
        }
    }
    drop(eval);
    let Some(decision) = evaluate(facts, id, request, terms) else {
        return refused(messages::no_name(&request.reference));
    };
    if request.dry_run {
        // A dry run has to report the outcome, not that the questions are still open.
        let asks = gate::subject::of_request(facts, terms.policy, id, request).is_some_and(|subject| {
            let eval = EvalContext::new(facts, terms.policy, terms.now);
            eval.carried(&subject);
            !eval.take_wants().is_empty() || !gate::needs(facts, terms.policy, &subject, terms.now).is_empty()
        });
        if asks && terms.now.duration_since(request.at) < ANSWER_WITHIN {
            return Next::Wait(messages::finding_out().to_owned(), terms.now.checked_add(AGAIN).ok());
        }
        let eval = EvalContext::new(facts, terms.policy, terms.now);
        let subject = gate::subject::of_request(facts, terms.policy, id, request);
        let carries = subject.map(|subject| eval.carried(&subject).list(&eval, &subject.sha)).unwrap_or_default();
        return Next::End(
            RequestEnd::DryRunEnded,
            messages::would(facts, request, &decision, busy, &carries, terms.policy),
        );
    }
    if let Some(other) = busy {
        let why = messages::busy(other, terms.policy);
        // A rollback waits for the deploy under way instead of interrupting it.
        return if asked && rule.when_busy == Busy::Refuse && request.kind != RequestKind::Rollback {
            refused(messages::is_busy(&why))
        } else {
            Next::Wait(why, None)
        };
    }
    if let Some(other) = runs::unclaimed(facts, id, terms.policy) {
        return Next::Wait(messages::busy(other, terms.policy), None);
    }
    if let until @ Some(_) = runs::copy_without_run(facts, request, terms.policy, terms.now) {
        return Next::Wait(messages::copy_made().to_owned(), until);
    }
    let decision = if decision.standing.is_open() {
        evaluate_afresh(facts, id, request, terms).unwrap_or(decision)
    } else {
        decision
    };
    match decision.standing {
        ConditionState::Waived | ConditionState::Pass => Next::Start(decision),
        ConditionState::Fail if asked && !decision.needs_person && decision.next_at.is_none() => {
            refused(messages::gate_closed(facts, &decision))
        }
        ConditionState::Error if asked && terms.now.duration_since(request.at) >= ANSWER_WITHIN => {
            refused(messages::gate_closed(facts, &decision))
        }
        ConditionState::Error => Next::WaitForGate(decision, terms.now.checked_add(AGAIN).ok()),
        ConditionState::Fail | ConditionState::Pending => {
            let until = decision.next_at;
            Next::WaitForGate(decision, until)
        }
    }
}

/// Returns since when the forge is being asked about the request.
fn finding_out_since(request: &DeployRequest, now: Timestamp) -> Timestamp {
    match &request.state {
        RequestState::Waiting(why) if why == messages::finding_out() => request.since,
        RequestState::Asked
        | RequestState::Waiting(_)
        | RequestState::Starting(_)
        | RequestState::Running
        | RequestState::Ended { .. } => now,
    }
}

/// Returns an earlier open request for the same, or one that was repeated with `replace`.
fn same<'a>(facts: &'a RepoFacts, id: &str, request: &DeployRequest) -> Option<(&'a String, &'a DeployRequest)> {
    facts.open_requests().find(|(other_id, other)| {
        !other.dry_run
            && !request.dry_run
            && other.environment == request.environment
            && other.sha == request.sha
            && other.kind == request.kind
            && other.inputs == request.inputs
            && match (other.replace, request.replace) {
                (true, false) => true,
                (false, true) => false,
                _ => (other.at, other_id.as_str()) < (request.at, id),
            }
    })
}
