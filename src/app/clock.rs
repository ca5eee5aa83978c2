//! The real clock, and a clock that tests and the demo set.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use crate::port::clock::Clock;

/// Returns `at` plus `by`, or the latest possible time.
pub fn after(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// Returns the time from `now` until `at`; zero if `at` has passed.
pub fn until(now: Timestamp, at: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO)
}

/// The machine's clock.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

/// Longest uninterrupted sleep: the machine's clock may be set meanwhile.
const LONGEST_NAP: Duration = Duration::from_mins(1);

#[async_trait]
impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where the real time is read")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    async fn sleep_until(&self, at: Timestamp) {
        loop {
            let left = until(self.now(), at);
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(LONGEST_NAP)).await;
        }
    }
}

/// A simulated clock: stopped, or at a multiple of real time; it can be set forward.
#[derive(Debug)]
pub struct SimClock {
    state: Mutex<SimState>,
    /// Notified whenever the clock was set or its speed changed.
    changed: watch::Sender<u64>,
}

#[derive(Debug)]
struct SimState {
    /// Simulated time at `anchor`.
    base: Timestamp,
    /// Real time at which `base` held.
    anchor: Instant,
    /// Simulated seconds per real second; 0 if stopped.
    speed: f64,
}

impl SimState {
    fn now(&self) -> Timestamp {
        let passed = self.anchor.elapsed().as_secs_f64() * self.speed;
        SignedDuration::try_from_secs_f64(passed).map_or(Timestamp::MAX, |passed| after(self.base, passed))
    }

    fn rebase(&mut self, now: Timestamp) {
        self.base = now;
        self.anchor = Instant::now();
    }
}

impl SimClock {
    /// Creates a clock that is stopped at `start`.
    pub fn new(start: Timestamp) -> Self {
        let state = SimState { base: start, anchor: Instant::now(), speed: 0.0 };
        Self { state: Mutex::new(state), changed: watch::channel(0).0 }
    }

    /// Runs the clock at `speed` simulated seconds per real second; 0 or less stops it.
    pub fn set_speed(&self, speed: f64) {
        {
            let mut state = self.lock();
            let now = state.now();
            state.rebase(now);
            state.speed = if speed.is_finite() { speed.max(0.0) } else { 0.0 };
        }
        self.tell();
    }

    /// Sets the clock forward by `by`; it never goes back.
    pub fn advance(&self, by: SignedDuration) {
        let now = self.lock().now();
        self.set(after(now, by));
    }

    /// Sets the clock to `at`, unless that has passed.
    pub fn set(&self, at: Timestamp) {
        {
            let mut state = self.lock();
            let now = state.now();
            state.rebase(now.max(at));
        }
        self.tell();
    }

    /// Sets the clock to `at`, even in the past, as may happen to a machine's clock.
    pub fn jump(&self, at: Timestamp) {
        self.lock().rebase(at);
        self.tell();
    }

    fn lock(&self) -> MutexGuard<'_, SimState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self) {
        self.changed.send_modify(|n| *n = n.wrapping_add(1));
    }
}

#[async_trait]
impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        self.lock().now()
    }

    async fn sleep_until(&self, at: Timestamp) {
        let mut changed = self.changed.subscribe();
        loop {
            changed.borrow_and_update();
            let (now, speed) = {
                let state = self.lock();
                (state.now(), state.speed)
            };
            if now >= at {
                return;
            }
            let real = if speed > 0.0 {
                Duration::try_from_secs_f64(until(now, at).as_secs_f64() / speed).unwrap_or(LONGEST_NAP)
            } else {
                LONGEST_NAP
            };
            tokio::select! {
                () = tokio::time::sleep(real.clamp(Duration::from_millis(1), LONGEST_NAP)) => {}
                _ = changed.changed() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sleeper_wakes_when_the_clock_is_set_forward() {
        let start = Timestamp::UNIX_EPOCH;
        let clock = std::sync::Arc::new(SimClock::new(start));
        let at = after(start, SignedDuration::from_hours(1));
        let sleeping = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep_until(at).await }
        });
        clock.advance(SignedDuration::from_mins(59));
        tokio::task::yield_now().await;
        assert!(!sleeping.is_finished());
        clock.advance(SignedDuration::from_mins(1));
        sleeping.await.unwrap();
    }

    #[tokio::test]
    async fn a_running_clock_reaches_the_moment_by_itself() {
        let clock = SimClock::new(Timestamp::UNIX_EPOCH);
        clock.set_speed(1_000_000.0);
        clock.sleep_until(after(Timestamp::UNIX_EPOCH, SignedDuration::from_hours(1))).await;
        assert!(clock.now() >= after(Timestamp::UNIX_EPOCH, SignedDuration::from_hours(1)));
    }

    #[test]
    fn it_never_goes_back() {
        let clock = SimClock::new(Timestamp::UNIX_EPOCH);
        clock.set(Timestamp::MIN);
        assert_eq!(clock.now(), Timestamp::UNIX_EPOCH);
    }
}
