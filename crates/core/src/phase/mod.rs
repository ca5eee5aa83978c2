//! Derives the phase of every item from facts, policy and time, and compares it with the label that
//! is shown.

pub(crate) mod derive;
mod diff;
mod impact;
mod impact_of_shipping;
pub(crate) mod linked_work;
pub(crate) mod links;

use std::collections::BTreeSet;

use jiff::Timestamp;

pub(crate) use crate::phase::derive::by_service;
pub use crate::phase::diff::{Decided, Shown, decide};
use crate::{
    context::{self, EvalContext},
    domain::{derived::Derived, fact::RepoFacts, id::ItemId, policy::Policy},
};

/// Derives the phase of one item from facts, policy and time.
pub fn derive(facts: &RepoFacts, item: ItemId, policy: &Policy, now: Timestamp) -> Derived {
    derive_one(&EvalContext::new(facts, policy, now), item)
}

/// Derives the phases of several items. What they share is evaluated once.
pub fn derive_all(facts: &RepoFacts, items: &BTreeSet<ItemId>, policy: &Policy, now: Timestamp) -> Vec<Derived> {
    let eval = EvalContext::new(facts, policy, now);
    items.iter().map(|item| derive_one(&eval, *item)).collect()
}

fn derive_one(eval: &EvalContext<'_>, item: ItemId) -> Derived {
    let mut derived = derive::derive(eval, item);
    if !eval.take_wants().is_empty() && derived.ours {
        // An answer was unavailable: evaluate again soon.
        let again = eval.now.checked_add(context::RETRY_AFTER).ok();
        derived.wake_at = crate::domain::when::earlier(derived.wake_at, again);
    }
    derived
}
