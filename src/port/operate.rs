//! What an operator may ask of a running bot.

use async_trait::async_trait;

use super::store::StoreError;

/// Switches that an operator may throw.
#[async_trait]
pub trait Operate: Send + Sync + 'static {
    /// Stops all writing to forges, here and in every process on this store,
    /// also after a restart. Deciding goes on.
    async fn pause(&self, why: &str) -> Result<(), StoreError>;

    /// Lets writing go on.
    async fn resume(&self) -> Result<(), StoreError>;

    /// Why nothing is written, if so.
    async fn paused(&self) -> Result<Option<String>, StoreError>;

    /// Something may have changed in the inbox.
    fn poke(&self);
}
