//! Limits on concurrent decisions.
//!
//! A decision that waits, for a forge's answer or for the current holder of its
//! repository, needs no worker meanwhile: another one starts in its place.
//! Waiting decisions are bounded in all ([`MOST_BESIDE`]) and by installation
//! ([`Askers`]), so that hanging forges keep nobody else waiting.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::sync::Notify;

use crate::app::limits::Tenant;

/// Most decisions in progress, waiting or not.
pub(crate) const MOST_BESIDE: usize = 256;
/// Most questions of one installation that wait for their answer.
const MOST_QUESTIONS: usize = 32;
/// Most previews in progress.
const MOST_PREVIEWS: usize = 2;

tokio::task_local! {
    static SEAT: Arc<Seat>;
}

/// The waiting decisions.
#[derive(Debug, Default)]
pub(crate) struct Seats {
    waiting: AtomicUsize,
    freed: Notify,
}

/// One decision, with the number of things it waits for.
struct Seat {
    seats: Arc<Seats>,
    waits: AtomicUsize,
}

impl Seats {
    /// Returns how many decisions wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    /// Returns once a decision began to wait.
    pub(crate) async fn freed(&self) {
        self.freed.notified().await;
    }

    /// Runs a decision.
    pub(crate) async fn seated<F: Future>(self: &Arc<Self>, decision: F) -> F::Output {
        SEAT.scope(Arc::new(Seat { seats: self.clone(), waits: AtomicUsize::new(0) }), decision).await
    }
}

/// Awaits the work of others; within a decision, releases its worker meanwhile.
pub(crate) async fn aside<F: Future>(waiting: F) -> F::Output {
    let _away = SEAT.try_with(|seat| Away::new(seat.clone())).ok();
    waiting.await
}

struct Away(Arc<Seat>);

impl Away {
    fn new(seat: Arc<Seat>) -> Self {
        if seat.waits.fetch_add(1, Ordering::SeqCst) == 0 {
            seat.seats.waiting.fetch_add(1, Ordering::SeqCst);
            seat.seats.freed.notify_one();
        }
        Self(seat)
    }
}

impl Drop for Away {
    fn drop(&mut self) {
        if self.0.waits.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.seats.waiting.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

/// Questions that wait for their answer, by installation.
#[derive(Debug, Default)]
pub(crate) struct Askers(Arc<Mutex<BTreeMap<Tenant, usize>>>);

/// Guard of a question that is being asked.
#[derive(Debug)]
pub(crate) struct Asking(Arc<Mutex<BTreeMap<Tenant, usize>>>, Tenant);

impl Askers {
    /// Returns a guard for one more question; `None` if too many of the installation wait.
    pub(crate) fn begin(&self, tenant: &Tenant) -> Option<Asking> {
        let mut asking = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = asking.entry(tenant.clone()).or_default();
        (*count < MOST_QUESTIONS).then(|| {
            *count += 1;
            Asking(self.0.clone(), tenant.clone())
        })
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        let mut asking = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = asking.get_mut(&self.1) {
            *count -= 1;
            if *count == 0 {
                asking.remove(&self.1);
            }
        }
    }
}

/// Previews of proposed policies: one of an installation at a time, few in all.
#[derive(Debug, Default)]
pub(crate) struct Previews(Arc<Mutex<BTreeSet<Tenant>>>);

/// Guard of a preview that is being made.
#[derive(Debug)]
pub(crate) struct Previewing(Arc<Mutex<BTreeSet<Tenant>>>, Tenant);

impl Previews {
    /// Returns a guard for an installation's preview, if it may be made now.
    pub(crate) fn begin(&self, tenant: &Tenant) -> Option<Previewing> {
        let mut busy = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let may = busy.len() < MOST_PREVIEWS && busy.insert(tenant.clone());
        may.then(|| Previewing(self.0.clone(), tenant.clone()))
    }
}

impl Drop for Previewing {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::ForgeName;

    fn tenant(installation: u64) -> Tenant {
        (ForgeName::github(), installation)
    }

    #[test]
    fn an_installation_has_one_preview_at_a_time_and_all_have_two() {
        let previews = Previews::default();
        let one = previews.begin(&tenant(1)).unwrap();
        assert!(previews.begin(&tenant(1)).is_none());
        let two = previews.begin(&tenant(2)).unwrap();
        assert!(previews.begin(&tenant(3)).is_none());
        drop(one);
        assert!(previews.begin(&tenant(3)).is_some() && previews.begin(&tenant(1)).is_some());
        drop(two);
    }

    #[test]
    fn an_installation_that_hangs_takes_no_questions_from_others() {
        let askers = Askers::default();
        let hanging: Vec<Asking> = std::iter::from_fn(|| askers.begin(&tenant(1))).take(1000).collect();
        assert_eq!(hanging.len(), MOST_QUESTIONS);
        assert!(askers.begin(&tenant(2)).is_some());
        drop(hanging);
        assert!(askers.begin(&tenant(1)).is_some() && askers.0.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_decision_that_waits_for_several_things_counts_once() {
        let seats = Arc::new(Seats::default());
        let (one, two) = (Notify::new(), Notify::new());
        let decision = seats.seated(async { tokio::join!(aside(one.notified()), aside(two.notified())) });
        tokio::pin!(decision);
        assert!(futures_util::poll!(&mut decision).is_pending());
        assert_eq!(seats.waiting(), 1);
        one.notify_one();
        assert!(futures_util::poll!(&mut decision).is_pending());
        assert_eq!(seats.waiting(), 1);
        two.notify_one();
        decision.await;
        assert_eq!(seats.waiting(), 0);
        aside(async {}).await;
        assert_eq!(seats.waiting(), 0, "outside of decisions nothing is counted");
    }
}
