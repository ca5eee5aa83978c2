//! Deploys: from the request to the running commit.
//!
//! ```text
//! asked ─▶ waiting (turn, gate) ─▶ starting ─▶ running ─▶ ended
//!            ▲                        │
//!            └── the gate closed ─────┘
//! ```
//!
//! A request ([`crate::domain::fact::deploy_request`]) goes through these states in order. Every
//! decision is made from facts; effects carry it out on the forge, and `recheck` runs once more
//! right before an effect is sent.

mod approval_request;
mod auto;
mod auto_rollback;
mod draft;
mod finish;
mod jobs;
mod messages;
mod mirror;
mod notes;
mod permit;
mod preview;
mod promote;
mod protection_rule;
mod publish;
mod queue;
mod rollback;
mod runs;
mod schema;
mod start;
mod track;

use std::collections::BTreeSet;

use crate::{
    context::EvalContext,
    domain::{
        effect::Effect,
        fact::{
            DocumentKey, RepoFacts,
            deploy_request::{DeployRequest, Origin, RequestState},
        },
        id::ItemId,
    },
    plan::{DecisionContext, EffectOutcome, PartialPlan},
};

pub(crate) use crate::deploy::draft::drafts;
pub(crate) use crate::deploy::messages::{
    asker, gate_closed, no_deploys, open_requests_to, state_word, waits_for_another, what,
};
pub(crate) use crate::deploy::mirror::recheck as recheck_mirror;
pub(crate) use crate::deploy::notes::recheck as recheck_notes;
pub(crate) use crate::deploy::preview::{has_room, recheck_teardown};
pub(crate) use crate::deploy::promote::upstream;
pub(crate) use crate::deploy::protection_rule::recheck as recheck_answer;
pub(crate) use crate::deploy::publish::{
    Wanted, effect as publication, recheck as recheck_publication, recheck_violation,
};
pub(crate) use crate::deploy::rollback::way_back;
pub(crate) use crate::deploy::schema::{back_note, recheck as recheck_schema};
pub(crate) use crate::deploy::start::recheck as recheck_start;
pub(crate) use crate::deploy::track::{failed_step, recheck as recheck_status};

/// Limit on the passes over the open deploys in one decision; each but the last started one, or
/// changed what it waits for.
const MOST_ROUNDS: usize = 8;

/// Records the unknown facts that the open deploys need.
pub(crate) fn want_all(eval: &EvalContext<'_>) {
    eval.want_origins();
    auto::want_files(eval);
    preview::want_access(eval);
    for (id, request) in eval.facts.open_requests() {
        match &request.state {
            RequestState::Asked => queue::want_name(eval, id, request),
            RequestState::Waiting(_) | RequestState::Starting(_) => queue::want_gate(eval, id, request),
            RequestState::Running if request.deployed_at.is_some() => schema::want_after(eval, request),
            RequestState::Running => track::want_runs(eval, id, request),
            RequestState::Ended { .. } => {}
        }
    }
    protection_rule::want_gates(eval);
    publish::want_gates(eval);
    notes::want_contents(eval);
}

/// Brings every deploy, waiting job and draft release up to date with facts, policy and time.
pub(crate) fn advance(facts: &mut RepoFacts, terms: &DecisionContext<'_>, out: &mut PartialPlan) {
    auto::ask(facts, terms, out);
    auto_rollback::ask(facts, terms, out);
    preview::advance(facts, terms, out);
    track::link(facts, terms, out);
    // A deploy that starts or ends affects those that were handled before it.
    for _ in 0..MOST_ROUNDS {
        let open = queue::in_turn(facts);
        let before: Vec<Option<RequestState>> = open.iter().map(|id| state(facts, id)).collect();
        for id in &open {
            step(facts, id, terms, out);
        }
        if open.iter().map(|id| state(facts, id)).eq(before) {
            break;
        }
    }
    // A deployment that ended just now may have been the last of a closed pull request.
    preview::advance(facts, terms, out);
    track::link(facts, terms, out);
    protection_rule::advance(facts, terms, out);
    publish::advance(facts, terms, out);
    mirror::advance(facts, terms, out);
}

fn state(facts: &RepoFacts, id: &str) -> Option<RequestState> {
    facts.requests.get(id).map(|request| request.state.clone())
}

/// Takes as many steps as the request can take now.
fn step(facts: &mut RepoFacts, id: &str, terms: &DecisionContext<'_>, out: &mut PartialPlan) {
    // Asked, waiting, starting, running, ended: there are no more steps.
    for _ in 0..4 {
        let Some(request) = facts.requests.get(id) else { return };
        let before = request.state.clone();
        match before {
            RequestState::Asked => queue::resolve(facts, id, terms, out),
            RequestState::Waiting(_) => queue::wait(facts, id, terms, out),
            RequestState::Running => track::follow(facts, id, terms, out),
            RequestState::Starting(_) | RequestState::Ended { .. } => {}
        }
        if facts.requests.get(id).is_none_or(|request| request.state == before) {
            return;
        }
    }
}

/// Records the outcome of an effect that a deploy waits for.
pub(crate) fn ended(
    facts: &mut RepoFacts,
    effect: &Effect,
    key: &str,
    outcome: EffectOutcome<'_>,
    terms: &DecisionContext<'_>,
    out: &mut PartialPlan,
) {
    match effect {
        Effect::CreateDeployment { request, .. } | Effect::Dispatch { request, .. } => {
            start::began(facts, request, key, outcome, terms, out);
        }
        Effect::AnswerProtection { run, environment, approve, .. } => {
            protection_rule::answered(facts, *run, environment, *approve, outcome, out);
        }
        Effect::PublishRelease { release, .. } => publish::published(facts, *release, outcome, terms, out),
        Effect::TearDown { environment, pull, workflow, .. } => {
            preview::teardown_ended(facts, environment, (*pull, workflow), outcome, out);
        }
        Effect::MirrorDeployment { .. } => mirror::ended(facts, effect, outcome, terms.now, out),
        Effect::ActOnSchema { request, pin, act } => {
            schema::acted(facts, (request, pin, *act), key, outcome, terms, out);
        }
        Effect::SetPhase { .. }
        | Effect::UpsertComment { .. }
        | Effect::React { .. }
        | Effect::FoldComment { .. }
        | Effect::Assign { .. }
        | Effect::SetMilestone { .. }
        | Effect::RerunFailed { .. }
        | Effect::OpenIssue { .. }
        | Effect::EditIssue { .. }
        | Effect::SetIssueState { .. }
        | Effect::SetLabels { .. }
        | Effect::UpsertIssue { .. }
        | Effect::Report { .. }
        | Effect::SetDeployment { .. }
        | Effect::SetReleaseNotes { .. }
        | Effect::CancelRun { .. } => {}
    }
}

/// Changes a request and records the change; the item's status comment shows it.
fn change(facts: &mut RepoFacts, id: &str, out: &mut PartialPlan, how: impl FnOnce(&mut DeployRequest)) {
    let changed = facts.requests.update(&id.to_owned(), |request| {
        let before = request.clone();
        how(request);
        (*request != before).then(|| request.item())
    });
    let Some(Some(item)) = changed else { return };
    out.items.extend(item);
    if let Some(request) = facts.requests.get(id) {
        let mut runs: Vec<u64> = runs::runs_of(facts, id, request).into_keys().chain(request.run).collect();
        runs.extend(runs::runs_in_doubt(facts, request));
        let pull = request.for_pull.filter(|pull| facts.about.labelled_pulls.contains(pull));
        facts.index.runs_to_link.extend(runs);
        facts.index.previews_to_make.extend(pull);
    }
    out.changed.insert(DocumentKey::Request(id.to_owned()));
}

/// Returns the items that show an automatic deploy because their change landed as its commit: pull
/// requests, and the issues that they close.
fn shown_on(facts: &RepoFacts, id: &str, terms: &DecisionContext<'_>) -> BTreeSet<ItemId> {
    let request = facts.requests.get(id).filter(|request| matches!(request.origin, Origin::Tag(_) | Origin::Merge(_)));
    let Some(sha) = request.and_then(|request| request.sha.as_ref()) else { return BTreeSet::new() };
    let eval = EvalContext::new(facts, terms.policy, terms.now);
    let pulls = facts.index.merged_as.get(sha).into_iter().flatten();
    pulls.flat_map(|pull| eval.named_issues(*pull).into_iter().chain([*pull])).collect()
}

/// Sets a request's state.
fn set_state(facts: &mut RepoFacts, id: &str, state: RequestState, terms: &DecisionContext<'_>, out: &mut PartialPlan) {
    let mut note = None;
    change(facts, id, out, |request| {
        if request.state != state {
            request.state = state;
            request.since = terms.now;
            note = Some(messages::state(request));
        }
    });
    if note.is_some() {
        out.items.extend(shown_on(facts, id, terms));
    }
    out.notes.extend(note);
    if facts.requests.get(id).is_some_and(|request| !matches!(request.state, RequestState::Waiting(_))) {
        approval_request::close(facts, id, out);
    }
}
