//! Pull requests that a deploy brings, or that a rollback takes back.

use std::collections::BTreeSet;

use crate::{
    context::EvalContext,
    domain::id::{ItemId, Sha},
};

/// Returns the pull requests whose merges lie between two commits, newest first; `None` if the
/// record does not connect the commits.
pub(super) fn pulls_between(eval: &EvalContext<'_>, older: &Sha, newer: &Sha) -> Option<Vec<ItemId>> {
    let between = eval.known_between(older, newer)?;
    let merged = between.iter().filter_map(|sha| eval.facts.index.merged_as.get(*sha)).flatten();
    let found: BTreeSet<ItemId> = merged.copied().collect();
    Some(found.into_iter().rev().collect())
}
