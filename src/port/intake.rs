//! Intake of deliveries: the interface that the HTTP server uses.

use async_trait::async_trait;
use bytes::Bytes;

use crate::{
    domain::id::ForgeName,
    port::{
        forge::Verified,
        store::{Accepted, StoreError},
    },
};

/// Stores messages of verified senders.
#[async_trait]
pub trait TakeIn: Send + Sync + 'static {
    /// Stores a delivery. `Ok` means that it is on disk now or was already. A body that cannot be
    /// decoded is stored as well.
    async fn take_in(&self, forge: &ForgeName, verified: Verified, body: Bytes) -> Result<Accepted, StoreError>;

    /// Stores a message of a system beside the forges, once for each repository that it is for;
    /// returns its id. `hook` names the connection: `alerts/NAME` or `events/NAME`. Sources have no
    /// message id by which a repeated message could be recognized, so every message is stored.
    async fn take_in_message(&self, hook: &str, body: Bytes) -> Result<String, StoreError>;

    /// Returns whether the store currently answers.
    fn ready(&self) -> bool;

    /// Returns whether an operator has paused all writes to forges.
    fn writing_is_paused(&self) -> bool {
        false
    }
}
