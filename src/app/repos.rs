//! Facts of recently used repositories, with one holder at a time.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;
use tokio::sync::OwnedMutexGuard;

use crate::{
    app::{
        decision_slots::aside,
        leases::{Leases, Tenure},
    },
    domain::{fact::RepoFacts, id::RepoKey},
    engine::Repository,
    port::store::{Lease, LeaseKey, RepositoryRow, Store, StoreError},
};

/// A repository in memory, exactly as the store holds it.
#[derive(Debug)]
pub(crate) struct RepoState {
    /// Facts and decisions.
    pub(crate) repo: Repository,
    pub(crate) row: Option<RepositoryRow>,
    /// Time at which old evidence was last removed.
    pub(crate) tidied_at: Option<Timestamp>,
}

/// A repository's state, with the epoch of the lease under which it was read.
type Slot = Arc<tokio::sync::Mutex<Option<(u64, RepoState)>>>;

/// A bounded cache of repositories; the least recently used is evicted first.
pub(crate) struct Repos {
    leases: Arc<Leases>,
    capacity: usize,
    slots: Mutex<Slots>,
}

#[derive(Debug, Default)]
struct Slots {
    by_key: HashMap<RepoKey, (Slot, u64)>,
    uses: u64,
}

impl Repos {
    pub(crate) fn new(capacity: usize, leases: Arc<Leases>) -> Self {
        Self { leases, capacity: capacity.max(1), slots: Mutex::default() }
    }

    /// Waits, without a worker, until nobody else in this process holds the repository.
    pub(crate) async fn hold(&self, key: &RepoKey) -> Held {
        let slot = self.slot(key);
        Held { leases: self.leases.clone(), key: key.clone(), slot: aside(slot.lock_owned()).await, tenure: None }
    }

    fn slot(&self, key: &RepoKey) -> Slot {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).get(key, self.capacity)
    }
}

impl Slots {
    /// Returns the slot of a repository; keeps at most `capacity` slots where that is possible.
    fn get(&mut self, key: &RepoKey, capacity: usize) -> Slot {
        self.uses += 1;
        let now = self.uses;
        if let Some((slot, used)) = self.by_key.get_mut(key) {
            *used = now;
            return slot.clone();
        }
        while self.by_key.len() >= capacity {
            // A slot that is held or waited for must stay: two slots of one repository
            // would diverge.
            let unused = self.by_key.iter().filter(|(_, (slot, _))| Arc::strong_count(slot) == 1);
            let Some(oldest) = unused.min_by_key(|(_, (_, used))| *used).map(|(key, _)| key.clone()) else { break };
            self.by_key.remove(&oldest);
        }
        let slot = Slot::default();
        self.by_key.insert(key.clone(), (slot.clone(), now));
        slot
    }
}

/// A repository held exclusively within this process.
pub(crate) struct Held {
    leases: Arc<Leases>,
    key: RepoKey,
    slot: OwnedMutexGuard<Option<(u64, RepoState)>>,
    /// Set while the state is taken out.
    tenure: Option<Tenure>,
}

impl Held {
    /// Takes the state out. Reads it from the store if it is not in memory or was
    /// read under another lease. Fails with [`StoreError::LeaseLost`] if another
    /// process works on the repository.
    ///
    /// A caller that changes the state puts it back only once the store has the
    /// change. A failure, a panic or a cancelled task simply leaves the slot empty,
    /// and the next holder reads the state from the store.
    pub(crate) async fn take(&mut self, store: &dyn Store) -> Result<RepoState, StoreError> {
        let tenure = self.leases.hold(LeaseKey::of(&self.key)).await?;
        let epoch = tenure.lease().epoch;
        self.tenure = Some(tenure);
        match self.slot.take() {
            Some((read_under, state)) if read_under == epoch => Ok(state),
            _ => load(store, &self.key).await,
        }
    }

    /// Returns the lease under which the state was taken out, for a commit to name.
    pub(crate) fn lease(&self) -> Option<Lease> {
        self.tenure.as_ref().map(|tenure| tenure.lease().clone())
    }

    /// Puts the state back after the store accepted the changes.
    pub(crate) fn put(&mut self, state: RepoState) {
        let epoch = self.tenure.as_ref().map_or(0, |tenure| tenure.lease().epoch);
        *self.slot = Some((epoch, state));
    }

    /// Discards the state in memory: the store has deleted it.
    pub(crate) fn forget(&mut self) {
        *self.slot = None;
    }

    /// Updates the repository's binding, if the state is in memory at all.
    pub(crate) fn set_row(&mut self, row: RepositoryRow) {
        if let Some((_, state)) = self.slot.as_mut() {
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
    Ok(RepoState { repo: Repository::new(facts, items), row: store.repository(key).await?, tidied_at: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::ForgeName;

    fn key(id: u64) -> RepoKey {
        RepoKey { forge: ForgeName::github(), id }
    }

    #[test]
    fn the_least_recently_used_goes_first_and_a_held_one_never() {
        let mut slots = Slots::default();
        let first = slots.get(&key(1), 2);
        drop(slots.get(&key(2), 2));
        drop(slots.get(&key(3), 2));
        let keys = |slots: &Slots| slots.by_key.keys().map(|k| k.id).collect::<std::collections::BTreeSet<_>>();
        assert_eq!(keys(&slots), [1, 3].into());
        drop(first);
        drop(slots.get(&key(3), 2));
        drop(slots.get(&key(4), 2));
        assert_eq!(keys(&slots), [3, 4].into());
    }

    /// An installation event holds thousands at once; afterwards the cache is as small as before.
    #[test]
    fn many_held_at_once_do_not_raise_the_capacity() {
        let mut slots = Slots::default();
        let held: Vec<Slot> = (1..=50).map(|id| slots.get(&key(id), 2)).collect();
        drop(held);
        for id in 51..=60 {
            drop(slots.get(&key(id), 2));
        }
        assert!(slots.by_key.len() <= 2, "{}", slots.by_key.len());
    }
}
