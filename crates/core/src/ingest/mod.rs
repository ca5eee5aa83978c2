//! Events and answers become facts.
//!
//! Nothing is decided here: what arrived is added to the facts, and the items
//! that it concerns are named. Neither the order nor the repetition of what
//! arrives matters.

mod answer;
mod deployment;
pub(crate) mod event;
mod forget;
pub(crate) mod references;
mod rerequest;
mod written;

use std::collections::BTreeSet;

use jiff::Timestamp;

pub use crate::ingest::{
    event::Us,
    forget::forget,
    written::{applied, deleted},
};
use crate::{
    context::EvalContext,
    domain::{
        event::Event,
        fact::{DocumentKey, RepoFacts},
        id::ItemNumber,
        needs::{Answered, Need},
        policy::Policy,
    },
};

/// What an event or an answer changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed {
    /// Documents to store again.
    pub changed: BTreeSet<DocumentKey>,
    /// Items to derive again.
    pub items: BTreeSet<ItemNumber>,
}

/// Adds what an event shows to the facts, and tells which items it concerns.
pub fn observe(facts: &mut RepoFacts, event: &Event, policy: &Policy, us: &Us) -> Observed {
    add(facts, event, policy, us, true)
}

/// Under what something that was read as it stands is added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SurveyTerms {
    /// Its items may be labelled.
    pub loud: bool,
    /// What happened before is not in our record; `None`: all of it is.
    pub since: Option<Timestamp>,
}

/// Adds what was read of a repository as it stands: as an event would have
/// shown it, but nothing happened, and it speaks for the past too.
pub fn survey(facts: &mut RepoFacts, event: &Event, terms: SurveyTerms, policy: &Policy, us: &Us) -> Observed {
    let number = event.seen.item();
    // Of an item kept by an earlier version nothing tells whether it was heard of.
    let known = number.and_then(|number| facts.items.get(&number)).is_some_and(|item| !item.read);
    let mut observed = add(facts, event, policy, us, false);
    if let Some(item) = number.and_then(|number| facts.items.get_mut(&number)) {
        item.read = true;
        item.heard |= known || terms.loud;
        if let Some(created) = item.created_at {
            let from = terms.since.map_or(created, |since| since.max(created));
            crate::domain::fact::keep_earliest(&mut item.recorded_from, from);
        }
        observed.changed.insert(DocumentKey::Item(item.number));
    }
    observed
}

fn add(facts: &mut RepoFacts, event: &Event, policy: &Policy, us: &Us, by_event: bool) -> Observed {
    // What an edit takes out of a pull request's text concerns what it named
    // before, too; and whether a push came late shows only before it is in.
    let mut items: BTreeSet<ItemNumber> = BTreeSet::new();
    if let Some(number) = event.seen.item() {
        EvalContext::new(facts, policy, event.at).concerned(&DocumentKey::Item(number), &mut items);
    }
    if let crate::domain::event::Seen::Deployment(seen) = &event.seen
        && facts.deployments.get(&seen.id).is_some_and(|known| known.environment != seen.environment)
    {
        EvalContext::new(facts, policy, event.at).concerned(&DocumentKey::Deployment(seen.id), &mut items);
    }
    let main_lines = facts.main_lines();
    let late = match &event.seen {
        crate::domain::event::Seen::Push(push) => {
            let known = facts.pushes.contains_key(&(push.name.clone(), push.before.clone(), push.after.clone()));
            Some(!known && facts.index.began_at.contains_key(&push.after))
        }
        _ => None,
    };
    let changed = event::observe(facts, event, policy, us, by_event);
    for key in &changed {
        if let DocumentKey::Item(number) = key
            && let Some(item) = facts.items.get_mut(number)
        {
            item.bound();
        }
    }
    let eval = EvalContext::new(facts, policy, event.at);
    for key in &changed {
        match key {
            // Names and owners turn nothing; another default branch does.
            DocumentKey::About if facts.main_lines() == main_lines => {}
            DocumentKey::Push(..) => eval.concerned_by_push(key, late == Some(true), &mut items),
            _ => eval.concerned(key, &mut items),
        }
    }
    items.retain(|n| facts.items.contains_key(n));
    Observed { changed, items }
}

/// Adds what the forge answered. The items that asked are derived again by the caller.
pub fn learn(facts: &mut RepoFacts, answered: &Answered, policy: &Policy) -> Observed {
    let changed = answer::learn(facts, answered);
    let eval = EvalContext::new(facts, policy, answered.at);
    let mut items = BTreeSet::new();
    for key in &changed {
        eval.concerned(key, &mut items);
    }
    if let Need::LinkedIssues { pull } = &answered.need {
        items.extend(eval.named_issues(*pull));
    }
    items.retain(|n| facts.items.contains_key(n));
    Observed { changed, items }
}
