//! Taking deliveries in: what the HTTP server asks of the application.

use async_trait::async_trait;
use bytes::Bytes;

use super::{
    forge::Verified,
    store::{Accepted, StoreError},
};
use crate::domain::id::ForgeName;

/// Takes in deliveries whose signature held.
#[async_trait]
pub trait TakeIn: Send + Sync + 'static {
    /// Keeps a delivery. `Ok` means that it is on disk, or had been taken in
    /// before. A body that can't be understood is kept all the same.
    async fn take_in(&self, forge: &ForgeName, verified: Verified, body: Bytes) -> Result<Accepted, StoreError>;

    /// Whether the store answers at the moment.
    fn ready(&self) -> bool;

    /// Whether an operator has paused all writing to forges.
    fn writing_is_paused(&self) -> bool {
        false
    }
}
