//! Wakes loops, and reports when a loop found nothing to do.

use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use tokio::sync::{Notify, watch};

/// State of a resting loop.
#[derive(Debug, Clone, Copy, Default)]
struct Rest {
    heard: u64,
    wake: Option<Timestamp>,
}

/// Wakes one loop. Every poke has a number. A loop that rests names the last
/// poke that it had read when it last looked for work.
#[derive(Debug)]
pub(crate) struct Pulse {
    pokes: AtomicU64,
    bell: Notify,
    rested: watch::Sender<Rest>,
}

impl Pulse {
    pub(crate) fn new() -> Self {
        // The first look counts as requested, so that work left by an earlier run is found.
        Self { pokes: AtomicU64::new(1), bell: Notify::new(), rested: watch::channel(Rest::default()).0 }
    }

    /// Reports that there may be work. Returns the poke's number.
    pub(crate) fn poke(&self) -> u64 {
        let number = self.pokes.fetch_add(1, Ordering::SeqCst) + 1;
        self.bell.notify_one();
        number
    }

    /// Returns the newest poke: to be read before looking for work.
    pub(crate) fn heard(&self) -> u64 {
        self.pokes.load(Ordering::SeqCst)
    }

    /// Waits for the next poke; one that came meanwhile counts.
    pub(crate) async fn poked(&self) {
        self.bell.notified().await;
    }

    /// Records that the loop looked for work after poke `heard`, and has nothing to do
    /// or in progress until `wake`.
    pub(crate) fn rest(&self, heard: u64, wake: Option<Timestamp>) {
        self.rested.send_replace(Rest { heard, wake });
    }

    /// Returns the time at which the loop last planned to continue by itself.
    pub(crate) fn wake(&self) -> Option<Timestamp> {
        self.rested.borrow().wake
    }

    /// Returns once the loop rested after poke `number`.
    pub(crate) async fn rested(&self, number: u64) {
        let _ = self.rested.subscribe().wait_for(|rest| rest.heard >= number).await;
    }
}

/// Returns once `stop` turned true, or its sender is gone.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn rest_is_only_what_came_after_the_poke() {
        let pulse = Pulse::new();
        let before = pulse.heard();
        let poke = pulse.poke();
        pulse.rest(before, None);
        tokio::select! {
            biased;
            () = pulse.rested(poke) => panic!("rested before the poke was heard"),
            () = std::future::ready(()) => {}
        }
        pulse.rest(pulse.heard(), None);
        pulse.rested(poke).await;
        pulse.poked().await;
    }
}
