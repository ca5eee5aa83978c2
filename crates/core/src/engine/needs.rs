//! Facts that a decision wants and that are not known.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::{
    command,
    context::EvalContext,
    deploy,
    domain::{fact::RepoFacts, id::ItemId, needs::Need, policy::Policy},
    gate, phase,
};

/// Facts that deriving `items` would want and that are not known.
pub fn needs(facts: &RepoFacts, items: &BTreeSet<ItemId>, policy: &Policy, now: Timestamp) -> Vec<Need> {
    let eval = EvalContext::new(facts, policy, now);
    for item in items {
        eval.want_links(*item);
        phase::derive::derive(&eval, *item);
        command::status_comment::want(&eval, *item);
    }
    eval.want_pushes();
    eval.want_tags();
    deploy::want_all(&eval);
    gate::want_all(&eval);
    command::diff::want_all(&eval);
    eval.take_wants().into_iter().collect()
}
