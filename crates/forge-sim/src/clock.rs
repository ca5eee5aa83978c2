//! The time that the simulation lives by.

use jiff::Timestamp;

/// A clock.
pub trait Clock: Send + Sync + 'static {
    /// The moment that it is.
    fn now(&self) -> Timestamp;
}
