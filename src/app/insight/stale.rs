//! Repositories whose rows are to be derived again.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use tokio::sync::Notify;

use crate::domain::id::RepoKey;

/// Repositories whose rows may have been derived under another policy.
#[derive(Debug, Default)]
pub(crate) struct StaleRows {
    repos: Mutex<BTreeSet<RepoKey>>,
    bell: Notify,
}

impl StaleRows {
    /// Adds a repository.
    pub(crate) fn add(&self, repo: RepoKey) {
        self.repos.lock().unwrap_or_else(PoisonError::into_inner).insert(repo);
        self.bell.notify_one();
    }

    /// Waits until a repository is added.
    pub(crate) async fn added(&self) {
        self.bell.notified().await;
    }

    /// Takes them all out.
    pub(crate) fn take(&self) -> BTreeSet<RepoKey> {
        std::mem::take(&mut *self.repos.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
