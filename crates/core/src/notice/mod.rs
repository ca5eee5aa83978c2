//! Notices: which changes of the facts are worth a message to people outside of the forge.
//!
//! A notice is a function of one changed document, the policy and the time, so that an event costs
//! what it touches. Nothing is recorded of it here: whoever queues it knows what was last said in a
//! thread and sends the same words once. What happened more than [`NEWS_FOR`] ago is no news: old
//! events that arrive late only change what was said already.

mod deploys;
mod gates;
mod incidents;
mod releases;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::{
    context::EvalContext,
    domain::{
        fact::{DocumentKey, RepoFacts},
        notice::{NEWS_FOR, Notice, NoticeKind, NoticeLink, NoticeRule},
        rule::name_key,
    },
    plan::{DecisionContext, PartialPlan, PlannedNotice},
};

/// Time for which a gate has to wait for a person before people are told.
const PATIENCE: SignedDuration = SignedDuration::from_mins(10);
/// Time for which the message of a thread is kept up to date.
const OF_USE_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Furthest that the forge's clock may be ahead of ours.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// A notice before it is known who gets it.
struct Draft {
    thread: String,
    kind: NoticeKind,
    /// False if it only changes a message that is there.
    is_news: bool,
    /// Lower-case name.
    environment: Option<String>,
    headline: String,
    lines: Vec<String>,
    links: Vec<NoticeLink>,
    needs_person: bool,
    at: Timestamp,
}

/// Returns the notices about changed documents.
pub(crate) fn changed<'k>(
    facts: &RepoFacts,
    changed: impl Iterator<Item = &'k DocumentKey>,
    terms: &DecisionContext<'_>,
) -> Vec<PlannedNotice> {
    if terms.policy.notices.is_empty() || terms.writes_disabled.is_some() {
        return Vec::new();
    }
    let eval = EvalContext::new(facts, terms.policy, terms.now);
    // Several documents may be about one thing; the last one in their order speaks.
    let mut drafts: BTreeMap<String, Draft> = BTreeMap::new();
    for draft in changed.flat_map(|key| drafts_of(&eval, key)) {
        let age = eval.now.duration_since(draft.at);
        if age <= OF_USE_FOR && age >= -SKEW {
            let is_news = draft.is_news && age <= NEWS_FOR;
            drafts.insert(draft.thread.clone(), Draft { is_news, ..draft });
        }
    }
    drafts.into_values().flat_map(|draft| addressed(&eval, &draft)).collect()
}

fn drafts_of(eval: &EvalContext<'_>, key: &DocumentKey) -> Vec<Draft> {
    let draft = match key {
        DocumentKey::Deployment(id) => {
            let released = releases::of_deployment(eval, *id);
            return deploys::of_deployment(eval, *id).into_iter().chain(released).collect();
        }
        DocumentKey::Request(id) => deploys::of_request(eval, id),
        DocumentKey::Release(id) => releases::of_release(eval, *id),
        DocumentKey::Gate(name, sha) => gates::of_gate(eval, name, sha),
        DocumentKey::Incident(id) => incidents::of_incident(eval, id),
        DocumentKey::Storm(id) => incidents::of_storm(eval, id),
        DocumentKey::About
        | DocumentKey::Item(_)
        | DocumentKey::Commit(_)
        | DocumentKey::Push(..)
        | DocumentKey::Ref(_)
        | DocumentKey::Tags
        | DocumentKey::Checks(_)
        | DocumentKey::Verdicts(_)
        | DocumentKey::SchemaChange(..)
        | DocumentKey::Group(_)
        | DocumentKey::Feedback(_)
        | DocumentKey::Heartbeat(_)
        | DocumentKey::Command(_)
        | DocumentKey::WaitingCommand(_)
        | DocumentKey::Run(_)
        | DocumentKey::WaitingJob(..)
        | DocumentKey::Publication(_)
        | DocumentKey::Answer(_)
        | DocumentKey::Policy => None,
    };
    draft.into_iter().collect()
}

/// Returns a notice for each target that the policy names for it.
fn addressed(eval: &EvalContext<'_>, draft: &Draft) -> Vec<PlannedNotice> {
    let environment = draft.environment.as_deref();
    let production = environment.is_none_or(|name| is_production(eval, name));
    let fits = |rule: &&NoticeRule| match environment {
        Some(name) if !rule.environments.is_empty() => rule.environments.iter().any(|glob| glob.matches(name)),
        _ => production,
    };
    let Some(repository) = eval.facts.about.full_name.as_ref().map(|name| name.value.clone()) else {
        return Vec::new();
    };
    let rules: Vec<&NoticeRule> = eval.policy.notices.iter().filter(fits).collect();
    let targets: BTreeSet<&str> = rules.iter().map(|rule| rule.to.as_str()).collect();
    let notice = |target: &str| Notice {
        thread: draft.thread.clone(),
        kind: draft.kind,
        is_news: draft.is_news && rules.iter().any(|rule| rule.to == target && rule.on.contains(&draft.kind)),
        repository: repository.clone(),
        environment: draft.environment.clone(),
        headline: words::line(&draft.headline),
        lines: words::lines(&draft.lines),
        links: draft.links.clone(),
        needs_person: draft.needs_person,
        at: draft.at,
    };
    targets.into_iter().map(|target| PlannedNotice { target: target.to_owned(), notice: notice(target) }).collect()
}

fn is_production(eval: &EvalContext<'_>, name: &str) -> bool {
    match eval.facts.deployments.index().environments.get(name) {
        Some(index) => eval.is_production_environment(name, index),
        None => eval.policy.production(name).unwrap_or_else(|| name == name_key("production")),
    }
}

/// Records which gates have waited for a person for so long that people are told. What is recorded
/// changes the gate's document, and that makes the notice.
pub(crate) fn note_waits(facts: &mut RepoFacts, terms: &DecisionContext<'_>, out: &mut PartialPlan) {
    if terms.policy.notices.is_empty() || terms.writes_disabled.is_some() {
        return;
    }
    let live: Vec<_> = facts.gates.index().live.iter().cloned().collect();
    for key in live {
        let Some(gate) = facts.gates.get(&key) else { continue };
        let Some(since) = gate.person_since.filter(|since| gate.noticed.is_none_or(|at| at < *since)) else {
            continue;
        };
        let due_at = since.checked_add(PATIENCE).unwrap_or(Timestamp::MAX);
        if due_at > terms.now {
            out.wake(Some(due_at));
            continue;
        }
        let mut gate = gate.clone();
        gate.noticed = Some(terms.now);
        facts.gates.insert(key.clone(), gate);
        out.changed.insert(DocumentKey::Gate(key.0, key.1));
    }
}
