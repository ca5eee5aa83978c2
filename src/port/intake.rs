//! The door: what HTTP hands over once a signature held.

use async_trait::async_trait;
use bytes::Bytes;

use super::{
    forge::Verified,
    store::{Accepted, StoreError},
};
use crate::domain::id::ForgeName;

/// Takes deliveries in.
#[async_trait]
pub trait TakeIn: Send + Sync {
    /// Keeps a verified delivery; what returns `Ok` is on disk.
    async fn take_in(&self, forge: &ForgeName, verified: Verified, body: Bytes) -> Result<Accepted, StoreError>;

    /// Whether deliveries can be taken in: the store answers, and nobody is shutting us down.
    fn ready(&self) -> bool;
}
