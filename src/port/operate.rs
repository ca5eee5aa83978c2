//! Operations that an operator may request of a running bot.

use async_trait::async_trait;

use crate::port::store::StoreError;

/// An operator's controls.
#[async_trait]
pub trait Operate: Send + Sync + 'static {
    /// Pauses all writes to forges, here and in every process on this store, also after a restart.
    /// Decisions continue.
    async fn pause(&self, why: &str) -> Result<(), StoreError>;

    /// Resumes writes.
    async fn resume(&self) -> Result<(), StoreError>;

    /// Returns the reason of the pause, if writes are paused.
    async fn paused(&self) -> Result<Option<String>, StoreError>;

    /// Signals that the inbox may have changed.
    fn poke(&self);
}
