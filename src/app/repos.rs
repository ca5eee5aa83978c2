//! The facts of recently used repositories, one holder at a time.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;
use tokio::sync::OwnedMutexGuard;

use crate::{
    domain::{
        fact::RepoFacts,
        id::{ItemNumber, RepoKey},
    },
    port::store::{ItemRow, RepositoryRow, Store, StoreError},
};

/// A repository in memory, exactly as the store holds it.
#[derive(Debug)]
pub(crate) struct RepoState {
    pub(crate) facts: RepoFacts,
    pub(crate) items: BTreeMap<ItemNumber, ItemRow>,
    pub(crate) row: Option<RepositoryRow>,
    /// When old evidence was last let go of.
    pub(crate) tidied_at: Option<Timestamp>,
    /// For when its own timer was set, as far as this process did it.
    pub(crate) wake_at: Option<Timestamp>,
}

type Slot = Arc<tokio::sync::Mutex<Option<RepoState>>>;

/// A bounded cache of repositories; the least recently used goes first.
#[derive(Debug)]
pub(crate) struct Repos {
    capacity: usize,
    slots: Mutex<Slots>,
}

#[derive(Debug, Default)]
struct Slots {
    by_key: HashMap<RepoKey, (Slot, u64)>,
    uses: u64,
}

impl Repos {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity: capacity.max(1), slots: Mutex::default() }
    }

    /// Waits until nobody else holds the repository.
    pub(crate) async fn hold(&self, key: &RepoKey) -> Held {
        let slot = self.slot(key);
        Held { key: key.clone(), slot: slot.lock_owned().await }
    }

    fn slot(&self, key: &RepoKey) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.uses += 1;
        let now = slots.uses;
        if let Some((slot, used)) = slots.by_key.get_mut(key) {
            *used = now;
            return slot.clone();
        }
        while slots.by_key.len() >= self.capacity {
            // A slot that somebody holds or waits for must stay: two slots of one repository would be two truths.
            let unused = slots.by_key.iter().filter(|(_, (slot, _))| Arc::strong_count(slot) == 1);
            let Some(oldest) = unused.min_by_key(|(_, (_, used))| *used).map(|(key, _)| key.clone()) else { break };
            slots.by_key.remove(&oldest);
        }
        let slot = Slot::default();
        slots.by_key.insert(key.clone(), (slot.clone(), now));
        slot
    }
}

/// A repository that nobody else may touch meanwhile.
#[derive(Debug)]
pub(crate) struct Held {
    key: RepoKey,
    slot: OwnedMutexGuard<Option<RepoState>>,
}

impl Held {
    /// Takes the state out, reading it from the store if need be.
    ///
    /// Whoever changes it puts it back only once the store has the change: a
    /// failure, a panic or a cancelled task simply leaves the slot empty, and
    /// the next holder reads what is true.
    pub(crate) async fn take(&mut self, store: &dyn Store) -> Result<RepoState, StoreError> {
        match self.slot.take() {
            Some(state) => Ok(state),
            None => load(store, &self.key).await,
        }
    }

    /// Puts the state back after the store took what changed.
    pub(crate) fn put(&mut self, state: RepoState) {
        *self.slot = Some(state);
    }

    /// Throws away what is in memory: the store has let go of it.
    pub(crate) fn forget(&mut self) {
        *self.slot = None;
    }

    /// Notes a changed place, if the state is in memory at all.
    pub(crate) fn set_row(&mut self, row: RepositoryRow) {
        if let Some(state) = self.slot.as_mut() {
            state.row = Some(row);
        }
    }
}

async fn load(store: &dyn Store, key: &RepoKey) -> Result<RepoState, StoreError> {
    let documents = store.facts(key).await?;
    let documents: Vec<(String, String)> =
        documents.into_iter().filter_map(|d| d.body.map(|body| (d.key, body))).collect();
    let (facts, unreadable) =
        RepoFacts::load(key.clone(), documents.iter().map(|(key, body)| (key.as_str(), body.as_str())));
    for document in unreadable {
        tracing::error!(repo = %key, document, "a kept fact can't be read by this version and is left out");
    }
    let items = store.items(key).await?.into_iter().map(|row| (row.item, row)).collect();
    Ok(RepoState { facts, items, row: store.repository(key).await?, tidied_at: None, wake_at: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::ForgeName;

    fn key(id: u64) -> RepoKey {
        RepoKey { forge: ForgeName::github(), id }
    }

    fn state(id: u64) -> RepoState {
        RepoState { facts: RepoFacts::new(key(id)), items: BTreeMap::new(), row: None, tidied_at: None, wake_at: None }
    }

    #[tokio::test]
    async fn the_least_recently_used_goes_first_and_a_held_one_never() {
        let repos = Repos::new(2);
        let mut first = repos.hold(&key(1)).await;
        first.put(state(1));
        repos.hold(&key(2)).await.put(state(2));
        repos.hold(&key(3)).await.put(state(3));
        let keys =
            || repos.slots.lock().unwrap().by_key.keys().map(|k| k.id).collect::<std::collections::BTreeSet<_>>();
        assert_eq!(keys(), [1, 3].into());
        drop(first);
        drop(repos.hold(&key(3)).await);
        drop(repos.hold(&key(4)).await);
        assert_eq!(keys(), [3, 4].into());
    }

    /// An installation event holds thousands at once; afterwards the cache is as small as it was.
    #[tokio::test]
    async fn many_held_at_once_do_not_raise_the_capacity() {
        let repos = Repos::new(2);
        let mut held = Vec::new();
        for id in 1..=50 {
            held.push(repos.hold(&key(id)).await);
        }
        drop(held);
        for id in 51..=60 {
            repos.hold(&key(id)).await.put(state(id));
        }
        assert!(repos.slots.lock().unwrap().by_key.len() <= 2, "{}", repos.slots.lock().unwrap().by_key.len());
    }
}
