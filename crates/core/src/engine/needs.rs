//! Facts that a decision wants and that are not known.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::{
    context::EvalContext,
    deploy,
    domain::{fact::RepoFacts, id::ItemNumber, needs::Need, policy::Policy},
    gate, phase,
};

/// Facts that deriving `items` would want and that are not known.
pub fn needs(facts: &RepoFacts, items: &BTreeSet<ItemNumber>, policy: &Policy, now: Timestamp) -> Vec<Need> {
    let look = EvalContext::new(facts, policy, now);
    for item in items {
        look.want_links(*item);
        phase::derive::derive(&look, *item);
    }
    look.want_pushes();
    look.want_tags();
    deploy::want_all(&look);
    gate::want_all(&look);
    look.take_wants().into_iter().collect()
}
