//! A clock that can be simulated.

use async_trait::async_trait;
use jiff::Timestamp;

/// A clock.
#[async_trait]
pub trait Clock: Send + Sync + 'static {
    /// Returns the current time.
    fn now(&self) -> Timestamp;

    /// Returns once `now() >= at`, also when the clock is set forward.
    async fn sleep_until(&self, at: Timestamp);
}
