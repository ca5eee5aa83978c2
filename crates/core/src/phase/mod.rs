//! The phase of every item: derived from facts, policy and time, and compared
//! with what is shown.

pub(crate) mod derive;
mod diff;
mod impact;
mod impact_of_shipping;
pub(crate) mod linked_work;
pub(crate) mod links;

use std::collections::BTreeSet;

use jiff::Timestamp;

pub use crate::phase::diff::{Decided, Shown, decide};
use crate::{
    context::{self, EvalContext},
    domain::{derived::Derived, fact::RepoFacts, id::ItemNumber, policy::Policy},
};

/// What follows for one item from facts, policy and time.
pub fn derive(facts: &RepoFacts, item: ItemNumber, policy: &Policy, now: Timestamp) -> Derived {
    derive_one(&EvalContext::new(facts, policy, now), item)
}

/// What follows for several items at once: what they share is found out once.
pub fn derive_all(facts: &RepoFacts, items: &BTreeSet<ItemNumber>, policy: &Policy, now: Timestamp) -> Vec<Derived> {
    let eval = EvalContext::new(facts, policy, now);
    items.iter().map(|item| derive_one(&eval, *item)).collect()
}

fn derive_one(eval: &EvalContext<'_>, item: ItemNumber) -> Derived {
    let mut derived = derive::derive(eval, item);
    if !eval.take_wants().is_empty() && derived.ours {
        // Something could not be had: look again before long.
        let again = eval.now.checked_add(context::RETRY_AFTER).ok();
        derived.wake_at = crate::domain::when::earlier(derived.wake_at, again);
    }
    derived
}
