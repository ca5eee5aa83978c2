//! Ingests the forge's answers to our own writes.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::domain::{
    fact::{
        DocumentKey, RepoFacts,
        item::{ItemFacts, Labels},
    },
    id::ItemId,
};

/// Adds the results of a write of ours: the labels on an item after it, and the labels that now
/// exist. Returns the documents that changed.
pub fn applied(
    facts: &mut RepoFacts,
    labels: Option<(ItemId, &BTreeSet<String>)>,
    made: &BTreeSet<String>,
    at: Timestamp,
) -> BTreeSet<DocumentKey> {
    let mut changed = BTreeSet::new();
    if let Some((number, names)) = labels
        && let Some(item) = facts.items.get_mut(&number)
    {
        // The forge's answer to our own write is the newest observation.
        item.labels = Some(Labels { at, names: names.clone() });
        changed.insert(DocumentKey::Item(number));
    }
    if made.iter().any(|name| facts.about.known_labels.insert(name.clone())) {
        changed.insert(DocumentKey::About);
    }
    changed
}

/// Records that the forge reports an item as deleted although no event did. The item was deleted
/// after it was last seen: that earliest possible time is used, so that anything that started since
/// then is shown in a new issue.
pub fn deleted(facts: &mut RepoFacts, number: ItemId, now: Timestamp) -> BTreeSet<DocumentKey> {
    let item = facts.items.entry(number).or_insert_with(|| ItemFacts::new(number, false));
    if item.gone.is_some() {
        return BTreeSet::new();
    }
    let sights = [
        item.labels.as_ref().map(|labels| labels.at),
        item.title.as_ref().map(|title| title.at),
        item.open.as_ref().map(|open| open.at),
        item.created_at,
    ];
    item.gone = Some(sights.into_iter().flatten().max().unwrap_or(now).min(now));
    facts.reindex(&DocumentKey::Item(number));
    BTreeSet::from([DocumentKey::Item(number)])
}
