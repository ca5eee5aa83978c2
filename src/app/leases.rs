//! Leases of this process: repositories it may decide on and installations it may write for,
//! while other processes work on the same database.
//!
//! A lease expires by the database's clock. This process counts from before it requested the
//! lease, so that it stops trusting the lease first. That local knowledge only saves work.
//! Correctness rests on the epoch, which every commit names. Every effect names it before it is
//! sent, too, except effects that may be repeated and are not urgent.
//!
//! If the store belongs to one process, every lease is always granted.

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

use crate::{
    app::wake::stopped,
    port::{
        clock::Clock,
        store::{Lease, LeaseKey, Partition, Store, StoreError},
    },
};

/// Interval at which leases in use are renewed: several times within the shortest lease.
const PROLONG_EVERY: Duration = Duration::from_secs(3);
/// Remaining time below which a lease is renewed when it is requested.
const NEARLY_OVER: Duration = Duration::from_secs(7);
/// Time-out of the store when the process ends.
const LAST_TIMEOUT: Duration = Duration::from_secs(2);

/// Leases of this process.
pub(crate) struct Leases {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    known: Mutex<HashMap<LeaseKey, Known>>,
}

#[derive(Debug, Clone)]
struct Known {
    epoch: u64,
    /// Since when the lease is held under this epoch, on both clocks.
    since: Instant,
    since_time: Timestamp,
    /// Trusted until then.
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

    /// Returns whether other processes compete for leases.
    pub(crate) fn are_shared(&self) -> bool {
        self.store.is_shared()
    }

    /// Acquires a lease, or reuses one that is held. It is renewed for as long as the returned
    /// [`Tenure`] lives. Fails with [`StoreError::LeaseLost`] if another process holds it.
    pub(crate) async fn hold(self: &Arc<Self>, key: LeaseKey) -> Result<Tenure, StoreError> {
        if !self.are_shared() {
            return Ok(Tenure { leases: self.clone(), lease: Lease::sole(key), since: None });
        }
        let fresh = self.use_known(&key, Instant::now() + NEARLY_OVER);
        if let Some(tenure) = fresh {
            return Ok(tenure);
        }
        self.ask(std::slice::from_ref(&key)).await?;
        // A lease that a write is using is not renewed at that moment, and is still ours.
        self.use_known(&key, Instant::now()).ok_or_else(|| StoreError::LeaseLost(shown(&key)))
    }

    fn use_known(self: &Arc<Self>, key: &LeaseKey, sure_at: Instant) -> Option<Tenure> {
        let mut known = self.lock();
        let entry = known.get_mut(key).filter(|entry| entry.sure(sure_at))?;
        entry.in_use += 1;
        let lease = Lease { key: key.clone(), epoch: entry.epoch, lasts: None };
        Some(Tenure { leases: self.clone(), lease, since: Some(entry.since_time) })
    }

    /// Requests leases from the store and records those that it grants.
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

    /// Takes leases from whoever holds them. They are renewed for as long as the returned tenures
    /// live, which the caller has to [give back](Self::give_back).
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

    /// Ends the use of leases, and releases those that nothing else in this process uses, so
    /// that the next holder need not wait until they expire.
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

    /// Acquires up to `most` free partitions that have pending deliveries.
    pub(crate) async fn claim(&self, most: usize) -> Result<(), StoreError> {
        let asked_at = Instant::now();
        let granted = self.store.claim(most).await?;
        self.note(granted, asked_at);
        Ok(())
    }

    /// Returns the partitions that this process holds, each with the time since when.
    pub(crate) fn partitions(&self) -> HashMap<Partition, Instant> {
        let now = Instant::now();
        let partition = |(key, entry): (&LeaseKey, &Known)| match key {
            LeaseKey::Partition(partition) if entry.sure(now) => Some((partition.clone(), entry.since)),
            _ => None,
        };
        self.lock().iter().filter_map(partition).collect()
    }

    /// Renews those of `partitions` that this process holds and that expire soon.
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

    /// Returns the outcome of a write under leases; if it was refused because a lease was
    /// lost, stops trusting these leases.
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

    /// Renews the leases in use until `stop` turns true, then releases all leases.
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

    /// Returns the leases in use; forgets those that are neither in use nor trusted.
    fn in_use(&self) -> Vec<LeaseKey> {
        let now = Instant::now();
        let mut known = self.lock();
        known.retain(|_, entry| entry.in_use > 0 || entry.sure(now));
        known.iter().filter(|(_, entry)| entry.in_use > 0).map(|(key, _)| key.clone()).collect()
    }

    /// Releases all leases, so that others need not wait until they expire.
    pub(crate) async fn give_back_all(&self) {
        if self.are_shared() {
            self.lock().clear();
            let given = tokio::time::timeout(LAST_TIMEOUT, self.store.give_back(None)).await;
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
    /// `None` if the lease never expires.
    since: Option<Timestamp>,
}

impl Tenure {
    /// Returns the lease for a commit to name.
    pub(crate) fn lease(&self) -> &Lease {
        &self.lease
    }

    /// Returns how long this process has held the lease; `None` if it never expires.
    pub(crate) fn age(&self) -> Option<SignedDuration> {
        self.since.map(|since| self.leases.clock.now().duration_since(since))
    }

    /// Returns whether this process may still trust the lease.
    pub(crate) fn holds(&self) -> bool {
        let now = Instant::now();
        self.since.is_none()
            || self
                .leases
                .lock()
                .get(&self.lease.key)
                .is_some_and(|entry| entry.epoch == self.lease.epoch && entry.sure(now))
    }

    /// Ends the use and releases the lease.
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

/// Runs `work` while all leases hold; returns `None` once one does not.
///
/// The leases are checked before each poll of the work: a process that was suspended, and resumes
/// after another has taken over, sends nothing more.
pub(crate) async fn while_held<T>(tenures: &[&Tenure], work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    poll_fn(|cx| {
        if tenures.iter().all(|tenure| tenure.holds()) { work.as_mut().poll(cx).map(Some) } else { Poll::Ready(None) }
    })
    .await
}
