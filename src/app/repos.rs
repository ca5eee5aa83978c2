//! The facts of recently used repositories, one holder at a time.

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
    /// What is known and was decided.
    pub(crate) repo: Repository,
    pub(crate) row: Option<RepositoryRow>,
    /// When old evidence was last let go of.
    pub(crate) tidied_at: Option<Timestamp>,
}

/// With the epoch of the lease under which it was read.
type Slot = Arc<tokio::sync::Mutex<Option<(u64, RepoState)>>>;

/// A bounded cache of repositories; the least recently used goes first.
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

    /// Waits until nobody else in this process holds the repository, without a worker.
    pub(crate) async fn hold(&self, key: &RepoKey) -> Held {
        let slot = self.slot(key);
        Held { leases: self.leases.clone(), key: key.clone(), slot: aside(slot.lock_owned()).await, tenure: None }
    }

    fn slot(&self, key: &RepoKey) -> Slot {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).get(key, self.capacity)
    }
}

impl Slots {
    /// The slot of a repository, at most `capacity` of them where that is possible.
    fn get(&mut self, key: &RepoKey, capacity: usize) -> Slot {
        self.uses += 1;
        let now = self.uses;
        if let Some((slot, used)) = self.by_key.get_mut(key) {
            *used = now;
            return slot.clone();
        }
        while self.by_key.len() >= capacity {
            // A slot that somebody holds or waits for must stay: two slots of one repository would be two truths.
            let unused = self.by_key.iter().filter(|(_, (slot, _))| Arc::strong_count(slot) == 1);
            let Some(oldest) = unused.min_by_key(|(_, (_, used))| *used).map(|(key, _)| key.clone()) else { break };
            self.by_key.remove(&oldest);
        }
        let slot = Slot::default();
        self.by_key.insert(key.clone(), (slot.clone(), now));
        slot
    }
}

/// A repository that nobody else may touch meanwhile.
pub(crate) struct Held {
    leases: Arc<Leases>,
    key: RepoKey,
    slot: OwnedMutexGuard<Option<(u64, RepoState)>>,
    /// Since the state was taken out.
    tenure: Option<Tenure>,
}

impl Held {
    /// Takes the state out, reading it from the store if need be: if it is not
    /// in memory, or was read under another lease.
    /// [`StoreError::LeaseLost`]: another process works on the repository.
    ///
    /// Whoever changes it puts it back only once the store has the change: a
    /// failure, a panic or a cancelled task simply leaves the slot empty, and
    /// the next holder reads what is true.
    pub(crate) async fn take(&mut self, store: &dyn Store) -> Result<RepoState, StoreError> {
        let tenure = self.leases.hold(LeaseKey::of(&self.key)).await?;
        let epoch = tenure.lease().epoch;
        self.tenure = Some(tenure);
        match self.slot.take() {
            Some((read_under, state)) if read_under == epoch => Ok(state),
            _ => load(store, &self.key).await,
        }
    }

    /// The lease under which the state was taken out: what a commit must name.
    pub(crate) fn lease(&self) -> Option<Lease> {
        self.tenure.as_ref().map(|tenure| tenure.lease().clone())
    }

    /// Puts the state back after the store took what changed.
    pub(crate) fn put(&mut self, state: RepoState) {
        let epoch = self.tenure.as_ref().map_or(0, |tenure| tenure.lease().epoch);
        *self.slot = Some((epoch, state));
    }

    /// Throws away what is in memory: the store has let go of it.
    pub(crate) fn forget(&mut self) {
        *self.slot = None;
    }

    /// Notes a changed place, if the state is in memory at all.
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

    /// An installation event holds thousands at once; afterwards the cache is as small as it was.
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
