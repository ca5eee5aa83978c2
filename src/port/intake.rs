//! Taking deliveries in: what the HTTP server asks of the application.

use async_trait::async_trait;
use bytes::Bytes;

use super::{
    forge::Verified,
    store::{Accepted, StoreError},
};
use crate::domain::id::ForgeName;

/// Takes in what its sender was proved to have sent.
#[async_trait]
pub trait TakeIn: Send + Sync + 'static {
    /// Keeps a delivery. `Ok` means that it is on disk, or had been taken in
    /// before. A body that can't be understood is kept all the same.
    async fn take_in(&self, forge: &ForgeName, verified: Verified, body: Bytes) -> Result<Accepted, StoreError>;

    /// Keeps a message of a monitoring connection, once for each repository
    /// that it is for; returns its id. Sources have no id of their own by
    /// which one that is sent again could be told: each is kept.
    async fn take_in_alert(&self, connection: &str, body: Bytes) -> Result<String, StoreError>;

    /// Whether the store answers at the moment.
    fn ready(&self) -> bool;

    /// Whether an operator has paused all writing to forges.
    fn writing_is_paused(&self) -> bool {
        false
    }
}
