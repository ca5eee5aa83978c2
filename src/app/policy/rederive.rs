//! Derives a repository's items again when another policy is in force: some
//! at a time, the newest first, so that one change of a file blocks nothing else.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    domain::{
        fact::policy::{DerivedBy, PolicyFiles},
        id::ItemId,
        policy::Policy,
    },
    port::store::StoredItem,
};

/// Most items derived at once.
const ITEMS: usize = 200;

/// Begins to derive the items again if the policy in force is not the one by which they were
/// derived. Returns whether it began.
pub(super) fn begin(files: &mut PolicyFiles, policy: &Policy, has_items: bool) -> bool {
    if files.derived_by.as_ref().is_some_and(|by| by.version == policy.version) {
        return false;
    }
    files.derived_by = Some(DerivedBy { version: policy.version.clone() });
    files.rederive_below = has_items.then_some(ItemId::MAX);
    true
}

/// Returns the next items to derive again.
pub(super) fn next(files: &mut PolicyFiles, rows: &BTreeMap<ItemId, StoredItem>) -> BTreeSet<ItemId> {
    let Some(below) = files.rederive_below else { return BTreeSet::new() };
    let items: BTreeSet<ItemId> = rows.range(..below).rev().take(ITEMS).map(|(item, _)| *item).collect();
    files.rederive_below = items.first().copied().filter(|_| items.len() == ITEMS);
    items
}
