//! Keeps each installation's writes to the pace of its forge.
//!
//! The usage is kept in the store: it outlives the process, and processes
//! that share the store keep one installation's limits together.

mod budget;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};

pub(crate) use crate::app::limits::budget::Admission;
use crate::{
    app::{clock::after, limits::budget::Budget},
    domain::{
        effect::Lane,
        id::{ConnectionId, ForgeName},
    },
    port::{
        forge::{Cost, Pace},
        store::{Store, StoreError},
    },
};

/// One installation on one forge.
pub(crate) type Tenant = (ForgeName, ConnectionId);

/// Longest pause accepted: every forge lifts its limits within the hour, so a later time is wrong.
pub(crate) const LONGEST_PARKING: SignedDuration = SignedDuration::from_hours(2);
/// Installations remembered before idle ones are forgotten.
const REMEMBERED: usize = 1024;

/// Part of a stored budget to restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// The time until which the installation is paused. The usage stays as it is here:
    /// the holder of the lease may have counted a write that is not stored yet.
    Parking,
    /// The usage as well.
    All,
}

/// Budgets of all installations.
pub(crate) struct Limits {
    store: Arc<dyn Store>,
    paces: BTreeMap<ForgeName, Pace>,
    budgets: Mutex<HashMap<Tenant, Budget>>,
}

impl Limits {
    pub(crate) fn new(store: Arc<dyn Store>, paces: BTreeMap<ForgeName, Pace>) -> Self {
        Self { store, paces, budgets: Mutex::default() }
    }

    /// Returns whether a write of this cost may be sent. If so, counts it here; [`Self::settle`]
    /// stores it. Only the holder of the installation's lease calls this.
    pub(crate) async fn admit(
        &self,
        tenant: &Tenant,
        lane: Lane,
        cost: Cost,
        now: Timestamp,
    ) -> Result<Admission, StoreError> {
        self.refresh(tenant, Kept::All, now).await?;
        Ok(self.with(tenant, now, |budget| {
            let admission = budget.admits(lane, cost, now);
            if admission == Admission::Now {
                budget.spend(lane, cost, now);
            }
            admission
        }))
    }

    /// Stores the usage. A failure is logged and otherwise ignored.
    pub(crate) async fn settle(&self, tenant: &Tenant, now: Timestamp) {
        let (spent, parked_until) = self.with(tenant, now, |budget| (budget.spent(), budget.parked_until));
        match serde_json::to_string(&spent) {
            Ok(spent) => self.keep(tenant, Some(spent), parked_until).await,
            Err(error) => tracing::warn!(%error, "a budget can't be written down"),
        }
    }

    async fn keep(&self, (forge, installation): &Tenant, spent: Option<String>, parked_until: Timestamp) {
        if let Err(error) = self.store.keep_budget(forge, *installation, spent, parked_until).await {
            tracing::warn!(%error, installation, "what was used of the forge's limits can't be kept");
        }
    }

    /// Reads the stored budget if others may have changed it or nothing is known here.
    async fn refresh(&self, tenant: &Tenant, wanted: Kept, now: Timestamp) -> Result<(), StoreError> {
        let knows = |limits: &Self| limits.budgets.lock().unwrap_or_else(PoisonError::into_inner).contains_key(tenant);
        if knows(self) && !self.store.is_shared() {
            return Ok(());
        }
        if let Some(kept) = self.store.budget(&tenant.0, tenant.1).await? {
            let wanted = if knows(self) { wanted } else { Kept::All };
            self.with(tenant, now, |budget| {
                match wanted {
                    Kept::All => budget.take_over(&kept),
                    Kept::Parking => budget.parked_until = budget.parked_until.max(kept.parked_until),
                }
                budget.believe(now);
            });
        }
        Ok(())
    }

    /// Returns cost that was counted and turned out not to be needed.
    pub(crate) fn give_back(&self, tenant: &Tenant, cost: Cost, now: Timestamp) {
        self.with(tenant, now, |budget| budget.give_back(cost));
    }

    /// Pauses an installation because the forge allows no request before `until`. Returns the time
    /// that is kept to.
    pub(crate) async fn park(&self, tenant: &Tenant, until: Timestamp, now: Timestamp) -> Timestamp {
        let until = believed(until, now);
        let until = self.with(tenant, now, |budget| {
            budget.parked_until = budget.parked_until.max(until);
            budget.parked_until
        });
        self.keep(tenant, None, until).await;
        until
    }

    /// Returns the time until which the installation is paused, if it is.
    pub(crate) async fn parked(&self, tenant: &Tenant, now: Timestamp) -> Option<Timestamp> {
        if let Err(error) = self.refresh(tenant, Kept::Parking, now).await {
            tracing::warn!(%error, "whether an installation is parked can't be read");
        }
        let budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        budgets.get(tenant).map(|b| b.parked_until.min(after(now, LONGEST_PARKING))).filter(|until| *until > now)
    }

    fn with<T>(&self, tenant: &Tenant, now: Timestamp, f: impl FnOnce(&mut Budget) -> T) -> T {
        let mut budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        if budgets.len() >= REMEMBERED && !budgets.contains_key(tenant) {
            budgets.retain(|_, budget| !budget.rests(now));
        }
        let budget = budgets.entry(tenant.clone()).or_insert_with(|| {
            // Nothing is written to a forge that is not configured.
            Budget::new(self.paces.get(&tenant.0).copied().unwrap_or(Pace::UNLIMITED))
        });
        budget.believe(now);
        f(budget)
    }
}

/// Limits a time named by a forge to a plausible range.
fn believed(until: Timestamp, now: Timestamp) -> Timestamp {
    until.clamp(after(now, SignedDuration::from_secs(1)), after(now, LONGEST_PARKING))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).unwrap()
    }

    #[test]
    fn parking_for_years_is_not_believed() {
        assert_eq!(believed(Timestamp::MAX, at(0)), at(7200));
        assert_eq!(believed(at(-5), at(0)), at(1));
        assert_eq!(believed(at(60), at(0)), at(60));
    }
}
