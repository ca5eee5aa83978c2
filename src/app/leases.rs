//! Which repositories this process may decide on, and which installations it
//! may write for, while others work on the same database.
//!
//! A lease lasts by the database's clock. Here it counts from before it was
//! asked for, so that this process stops believing in it first. That belief
//! only saves work: what decides is the epoch, which every commit names, and
//! every effect before it is sent but those that may be repeated and are not
//! urgent.
//!
//! Where the store belongs to one process, everything here is always granted.

use std::{
    collections::HashMap,
    future::poll_fn,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Poll,
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use crate::app::wake::stopped;
use crate::port::{
    clock::Clock,
    store::{Lease, LeaseKey, Partition, Store, StoreError},
};

/// How often leases in use are prolonged; several times within the shortest that a store gives.
const PROLONG_EVERY: Duration = Duration::from_secs(3);
/// From these on a lease is prolonged when it is asked for.
const NEARLY_OVER: Duration = Duration::from_secs(7);
/// Patience with the store when the process ends.
const LAST_PATIENCE: Duration = Duration::from_secs(2);

/// The leases of this process.
pub(crate) struct Leases {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    known: Mutex<HashMap<LeaseKey, Known>>,
}

#[derive(Debug, Clone)]
struct Known {
    epoch: u64,
    /// Had under this epoch since, and what time it was.
    since: Instant,
    since_time: Timestamp,
    /// Believed in until.
    sure_until: Instant,
    in_use: usize,
}

impl Known {
    fn sure(&self, at: Instant) -> bool {
        self.sure_until > at
    }
}

impl Leases {
    pub(crate) fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock, known: Mutex::default() }
    }

    /// Whether others may have what this process wants.
    pub(crate) fn are_shared(&self) -> bool {
        self.store.is_shared()
    }

    /// Takes a lease, or goes on with it. It is prolonged for as long as what
    /// is returned lives. [`StoreError::LeaseLost`]: another process has it.
    pub(crate) async fn hold(self: &Arc<Self>, key: LeaseKey) -> Result<Tenure, StoreError> {
        if !self.are_shared() {
            return Ok(Tenure { leases: self.clone(), lease: Lease::sole(key), since: None });
        }
        let fresh = self.use_known(&key, Instant::now() + NEARLY_OVER);
        if let Some(tenure) = fresh {
            return Ok(tenure);
        }
        self.ask(std::slice::from_ref(&key)).await?;
        // What is being written under is not prolonged at that moment, and still ours.
        self.use_known(&key, Instant::now()).ok_or_else(|| StoreError::LeaseLost(shown(&key)))
    }

    fn use_known(self: &Arc<Self>, key: &LeaseKey, sure_at: Instant) -> Option<Tenure> {
        let mut known = self.lock();
        let entry = known.get_mut(key).filter(|entry| entry.sure(sure_at))?;
        entry.in_use += 1;
        let lease = Lease { key: key.clone(), epoch: entry.epoch, lasts: None };
        Some(Tenure { leases: self.clone(), lease, since: Some(entry.since_time) })
    }

    /// Asks the store for leases and believes its answer.
    async fn ask(&self, keys: &[LeaseKey]) -> Result<(), StoreError> {
        let asked_at = Instant::now();
        let granted = self.store.lease(keys).await?;
        self.note(granted, asked_at);
        Ok(())
    }

    fn note(&self, granted: Vec<Lease>, asked_at: Instant) {
        let mut known = self.lock();
        for Lease { key, epoch, lasts } in granted {
            let Some(lasts) = lasts else { continue };
            let sure_until = asked_at + lasts;
            let (now, since_time) = (Instant::now(), self.clock.now());
            known
                .entry(key)
                .and_modify(|entry| {
                    if entry.epoch != epoch || !entry.sure(now) {
                        (entry.epoch, entry.since, entry.since_time) = (epoch, now, since_time);
                    }
                    entry.sure_until = entry.sure_until.max(sure_until);
                })
                .or_insert(Known { epoch, since: now, since_time, sure_until, in_use: 0 });
        }
    }

    /// Takes leases from whoever has them. They are prolonged for as long as
    /// what is returned lives, which is to be [given back](Self::give_back).
    pub(crate) async fn seize(self: &Arc<Self>, keys: &[LeaseKey]) -> Result<Vec<Tenure>, StoreError> {
        let asked_at = Instant::now();
        let granted = self.store.seize(keys).await?;
        self.note(granted.clone(), asked_at);
        let mut known = self.lock();
        let tenure = |lease: Lease| {
            let entry = known.get_mut(&lease.key).filter(|_| lease.lasts.is_some());
            let since = entry.map(|entry| {
                entry.in_use += 1;
                entry.since_time
            });
            Tenure { leases: self.clone(), lease, since }
        };
        Ok(granted.into_iter().map(tenure).collect())
    }

    /// Ends the use of leases and gives back those that nobody else here uses:
    /// the next one to want them need not wait.
    pub(crate) async fn give_back(&self, tenures: Vec<Tenure>) {
        let keys: Vec<LeaseKey> = tenures.iter().map(|tenure| tenure.lease.key.clone()).collect();
        drop(tenures);
        if !self.are_shared() {
            return;
        }
        let unused: Vec<LeaseKey> = {
            let mut known = self.lock();
            let is_unused = |key: &LeaseKey| known.get(key).is_some_and(|entry| entry.in_use == 0);
            let unused: Vec<LeaseKey> = keys.into_iter().filter(is_unused).collect();
            for key in &unused {
                known.remove(key);
            }
            unused
        };
        if !unused.is_empty()
            && let Err(error) = self.store.give_back(Some(&unused)).await
        {
            tracing::debug!(%error, "leases can't be given back and run out");
        }
    }

    /// Takes up to `most` free partitions in which deliveries wait.
    pub(crate) async fn claim(&self, most: usize) -> Result<(), StoreError> {
        let asked_at = Instant::now();
        let granted = self.store.claim(most).await?;
        self.note(granted, asked_at);
        Ok(())
    }

    /// The partitions that this process has, with the moment since when it has each.
    pub(crate) fn partitions(&self) -> HashMap<Partition, Instant> {
        let now = Instant::now();
        let partition = |(key, entry): (&LeaseKey, &Known)| match key {
            LeaseKey::Partition(partition) if entry.sure(now) => Some((partition.clone(), entry.since)),
            _ => None,
        };
        self.lock().iter().filter_map(partition).collect()
    }

    /// Prolongs what this process has of `partitions` and is nearly over.
    pub(crate) async fn prolong(&self, partitions: impl Iterator<Item = Partition>) -> Result<(), StoreError> {
        let soon = Instant::now() + NEARLY_OVER;
        let keys: Vec<LeaseKey> = {
            let known = self.lock();
            partitions
                .map(LeaseKey::Partition)
                .filter(|key| known.get(key).is_some_and(|entry| !entry.sure(soon)))
                .collect()
        };
        if keys.is_empty() { Ok(()) } else { self.ask(&keys).await }
    }

    /// Passes on what a write under leases came to; believes no more in those that it was refused for.
    pub(crate) fn heard<T>(&self, under: &[Lease], outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(StoreError::LeaseLost(_)) = &outcome {
            let now = Instant::now();
            let mut known = self.lock();
            for lease in under {
                if let Some(entry) = known.get_mut(&lease.key).filter(|entry| entry.epoch == lease.epoch) {
                    entry.sure_until = now;
                }
            }
        }
        outcome
    }

    /// Prolongs what is in use until `stop` turns true, then gives everything back.
    pub(crate) async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        while self.are_shared() {
            tokio::select! {
                () = tokio::time::sleep(PROLONG_EVERY) => {}
                () = stopped(&mut stop) => break,
            }
            let keys = self.in_use();
            if !keys.is_empty()
                && let Err(error) = self.ask(&keys).await
            {
                tracing::warn!(%error, leases = keys.len(), "leases can't be prolonged");
            }
        }
        stopped(&mut stop).await;
    }

    /// What is in use; forgets what is neither in use nor sure.
    fn in_use(&self) -> Vec<LeaseKey> {
        let now = Instant::now();
        let mut known = self.lock();
        known.retain(|_, entry| entry.in_use > 0 || entry.sure(now));
        known.iter().filter(|(_, entry)| entry.in_use > 0).map(|(key, _)| key.clone()).collect()
    }

    /// Gives everything back, so that others need not wait until it is over.
    pub(crate) async fn give_back_all(&self) {
        if self.are_shared() {
            self.lock().clear();
            let given = tokio::time::timeout(LAST_PATIENCE, self.store.give_back(None)).await;
            if !matches!(given, Ok(Ok(()))) {
                tracing::warn!("leases can't be given back: others go on once these are over");
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<LeaseKey, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shown(key: &LeaseKey) -> String {
    match key {
        LeaseKey::Partition(Partition { forge, repo: Some(repo) }) => format!("{forge}, repository {repo}"),
        LeaseKey::Partition(Partition { forge, repo: None }) => format!("{forge}"),
        LeaseKey::Installation(forge, installation) => format!("{forge}, installation {installation}"),
    }
}

/// A lease in use.
pub(crate) struct Tenure {
    leases: Arc<Leases>,
    lease: Lease,
    /// `None`: always.
    since: Option<Timestamp>,
}

impl Tenure {
    /// What a commit names.
    pub(crate) fn lease(&self) -> &Lease {
        &self.lease
    }

    /// For how long this process has had it; `None`: always.
    pub(crate) fn age(&self) -> Option<SignedDuration> {
        self.since.map(|since| self.leases.clock.now().duration_since(since))
    }

    /// Whether this process may still believe in it.
    pub(crate) fn holds(&self) -> bool {
        let now = Instant::now();
        self.since.is_none()
            || self
                .leases
                .lock()
                .get(&self.lease.key)
                .is_some_and(|entry| entry.epoch == self.lease.epoch && entry.sure(now))
    }

    /// Ends the use and gives the lease back.
    pub(crate) async fn give_back(self) {
        let leases = self.leases.clone();
        leases.give_back(vec![self]).await;
    }
}

impl Drop for Tenure {
    fn drop(&mut self) {
        if self.since.is_some()
            && let Some(entry) = self.leases.lock().get_mut(&self.lease.key)
        {
            entry.in_use = entry.in_use.saturating_sub(1);
        }
    }
}

/// Goes on with `work` while all leases hold; `None` once one does not.
///
/// Asked before each step of the work: a process that was stopped, and wakes
/// when another has long gone on in its place, sends nothing more.
pub(crate) async fn while_held<T>(tenures: &[&Tenure], work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    poll_fn(|cx| {
        if tenures.iter().all(|tenure| tenure.holds()) { work.as_mut().poll(cx).map(Some) } else { Poll::Ready(None) }
    })
    .await
}
