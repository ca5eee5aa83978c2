//! A target whose secrets can be replaced while it is in use.

use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;

use crate::port::notify::{Abilities, Message, Notifier, NotifyError};

/// A target that can be replaced by another one of its kind.
pub struct Swap(RwLock<Arc<dyn Notifier>>);

impl Swap {
    /// Uses this target until it is replaced.
    pub fn new(target: Arc<dyn Notifier>) -> Self {
        Self(RwLock::new(target))
    }

    /// Replaces the target. Requests under way end with the old one.
    pub fn put(&self, target: Arc<dyn Notifier>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = target;
    }

    fn current(&self) -> Arc<dyn Notifier> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Notifier for Swap {
    fn abilities(&self) -> Abilities {
        self.current().abilities()
    }

    async fn post(&self, message: &Message<'_>) -> Result<String, NotifyError> {
        self.current().post(message).await
    }

    async fn edit(&self, id: &str, message: &Message<'_>) -> Result<(), NotifyError> {
        self.current().edit(id, message).await
    }

    async fn reply(&self, id: &str, message: &Message<'_>) -> Result<(), NotifyError> {
        self.current().reply(id, message).await
    }

    async fn inspect(&self) -> Result<Option<String>, NotifyError> {
        self.current().inspect().await
    }
}
