//! The facts of one repository (reduced to what the shell's own tests need).

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    id::{ItemNumber, RepoKey},
    needs::Answered,
};
use crate::port::forge::Applied;

/// All facts of one repository.
#[derive(Debug, Clone)]
pub struct RepoFacts {
    /// Which repository.
    pub key: RepoKey,
    pub(crate) items: BTreeMap<ItemNumber, ItemFacts>,
    pub(crate) answers: BTreeMap<String, Answered>,
    labels: BTreeSet<String>,
}

/// What is known of an item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ItemFacts {
    pub open: bool,
    pub pull: bool,
    pub at: Timestamp,
    pub labels: Option<BTreeSet<String>>,
}

impl RepoFacts {
    /// No facts yet.
    pub fn new(key: RepoKey) -> Self {
        Self { key, items: BTreeMap::new(), answers: BTreeMap::new(), labels: BTreeSet::new() }
    }

    /// Facts from their documents, and the keys of those that can't be read.
    pub fn load(key: RepoKey, documents: &[(String, String)]) -> (Self, Vec<String>) {
        let mut facts = Self::new(key);
        let mut unreadable = Vec::new();
        for (key, body) in documents {
            let read = if key == "labels" {
                serde_json::from_str(body).map(|labels| facts.labels = labels)
            } else if let Some(number) = key.strip_prefix("item/").and_then(|n| n.parse().ok()) {
                serde_json::from_str(body).map(|item| drop(facts.items.insert(number, item)))
            } else {
                serde_json::from_str(body).map(|answer| drop(facts.answers.insert(key.clone(), answer)))
            };
            if read.is_err() {
                unreadable.push(key.clone());
            }
        }
        (facts, unreadable)
    }

    /// The JSON under a key; `None`: there is nothing under it any more.
    pub fn document(&self, key: &str) -> Option<String> {
        if key == "labels" {
            return serde_json::to_string(&self.labels).ok();
        }
        match key.strip_prefix("item/").and_then(|n| n.parse().ok()) {
            Some(number) => self.items.get(&number).and_then(|item| serde_json::to_string(item).ok()),
            None => self.answers.get(key).and_then(|answer| serde_json::to_string(answer).ok()),
        }
    }

    /// An item's labels, if ever seen.
    pub fn item_labels(&self, item: ItemNumber) -> Option<BTreeSet<String>> {
        self.items.get(&item).and_then(|i| i.labels.clone())
    }

    /// Labels known to exist in the repository.
    pub fn known_labels(&self) -> BTreeSet<String> {
        self.labels.clone()
    }

    /// Keeps what an effect taught; returns the keys that changed.
    pub fn applied(&mut self, applied: &Applied, _at: Timestamp) -> BTreeSet<String> {
        let mut changed = BTreeSet::new();
        if let Some((number, labels)) = &applied.labels
            && let Some(item) = self.items.get_mut(number)
        {
            item.labels = Some(labels.clone());
            changed.insert(format!("item/{number}"));
        }
        if !applied.made_labels.is_empty() {
            self.labels.extend(applied.made_labels.iter().cloned());
            changed.insert("labels".to_owned());
        }
        changed
    }
}
