//! Turns events and answers into facts.
//!
//! Nothing is decided here: each arrival is added to the facts, and the items that it concerns are
//! named. Neither order nor repetition of arrivals matters.

mod about;
mod answer;
mod deployment;
pub(crate) mod event;
mod external;
mod forget;
mod labelled_pulls;
mod paths;
mod record;
pub(crate) mod references;
mod rerequest;
mod verdict;
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
        id::ItemId,
        needs::{Answered, Need},
        policy::Policy,
    },
};

/// Changes from an event or an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed {
    /// Documents to store again.
    pub changed: BTreeSet<DocumentKey>,
    /// Items to derive again.
    pub items: BTreeSet<ItemId>,
}

/// Adds an event to the facts; returns the changed documents and the items that it concerns.
pub fn observe(facts: &mut RepoFacts, event: &Event, policy: &Policy, us: &Us) -> Observed {
    add(facts, event, policy, us, true)
}

/// Terms under which surveyed objects are added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SurveyTerms {
    /// Whether its items may be labelled.
    pub loud: bool,
    /// Start of our record; `None` if the record is complete.
    pub since: Option<Timestamp>,
}

/// Adds an object that was read in a survey of a repository: like its event, except that nothing
/// happened at this time, and that it covers the past too.
pub fn survey(facts: &mut RepoFacts, event: &Event, terms: SurveyTerms, policy: &Policy, us: &Us) -> Observed {
    let number = event.seen.item();
    // An item stored by an earlier version does not record whether an event reported it.
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
    // An edit that removes a reference from a pull request's text concerns the formerly named
    // items, too; and whether a push came late shows only before it is added.
    let mut items: BTreeSet<ItemId> = BTreeSet::new();
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
        crate::domain::event::Seen::Issue(_)
        | crate::domain::event::Seen::Pull(_)
        | crate::domain::event::Seen::Review(_)
        | crate::domain::event::Seen::Comment(_)
        | crate::domain::event::Seen::Ref(_)
        | crate::domain::event::Seen::Check(_)
        | crate::domain::event::Seen::ChecksRerequested { .. }
        | crate::domain::event::Seen::Status(_)
        | crate::domain::event::Seen::Workflow(_)
        | crate::domain::event::Seen::Release(_)
        | crate::domain::event::Seen::Deployment(_)
        | crate::domain::event::Seen::External(_)
        | crate::domain::event::Seen::Verdict(_)
        | crate::domain::event::Seen::MergeGroup(_)
        | crate::domain::event::Seen::Protection(_)
        | crate::domain::event::Seen::Repository(_)
        | crate::domain::event::Seen::Label { .. }
        | crate::domain::event::Seen::Connection(_)
        | crate::domain::event::Seen::Revoked { .. }
        | crate::domain::event::Seen::Alert(_)
        | crate::domain::event::Seen::Nothing { .. } => None,
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
        // Names and owners affect no item; another default branch does.
        if *key == DocumentKey::About && facts.main_lines() == main_lines {
            continue;
        }
        if matches!(key, DocumentKey::Push(..)) {
            eval.concerned_by_push(key, late == Some(true), &mut items);
        } else {
            eval.concerned(key, &mut items);
        }
    }
    items.retain(|n| facts.items.contains_key(n));
    Observed { changed, items }
}

/// Adds an answer of the forge. The caller derives the items that asked for it.
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
