//! Reads for the web pages.
//!
//! A page must not slow a decision: implementations read on connections of their own, one snapshot
//! a call, and give up after [`TIME_LIMIT`]. No call reads all that is kept of a repository.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::{
    domain::{
        derived::{StoredItem, Transition},
        id::{ForgeName, ItemId, RepoKey},
        insight::{InsightRow, RowKind},
    },
    port::store::{Document, InsightPage, RepositoryRow, StoreError},
};

/// Longest time of one call. A call that takes longer fails with [`StoreError::Unavailable`].
pub const TIME_LIMIT: Duration = Duration::from_secs(2);

/// Reads for the web pages. The module's documentation says what every call guarantees.
#[async_trait]
pub trait PageStore: Send + Sync + 'static {
    /// Returns the repository that has this name now, or had it last; names are compared without
    /// case.
    async fn repository_named(&self, forge: &ForgeName, full_name: &str) -> Result<Option<RepositoryRow>, StoreError>;

    /// Returns the versions of the data of these repositories of a forge, in their order. Whatever
    /// pages show of a repository has another version when it changed; 0: nothing was stored yet.
    async fn versions(&self, forge: &ForgeName, repos: &[u64]) -> Result<Vec<u64>, StoreError>;

    /// Lists a forge's active repositories by the forge's id, at most `limit`.
    async fn active_repositories(&self, forge: &ForgeName, limit: usize) -> Result<Vec<RepositoryRow>, StoreError>;

    /// Counts the items of a repository in each phase; phases without an item are left out.
    async fn phase_counts(&self, repo: &RepoKey) -> Result<Vec<PhaseCount>, StoreError>;

    /// Counts the items of these repositories of a forge in each phase, in their order.
    async fn phase_counts_of(&self, forge: &ForgeName, repos: &[u64]) -> Result<Vec<Vec<PhaseCount>>, StoreError>;

    /// Lists the items in a phase, by the time since when they are in it.
    async fn items_in_phase(
        &self,
        repo: &RepoKey,
        phase: &str,
        order: ItemOrder,
        limit: usize,
    ) -> Result<Vec<StoredItem>, StoreError>;

    /// Returns the derived row of an item.
    async fn item(&self, repo: &RepoKey, item: ItemId) -> Result<Option<StoredItem>, StoreError>;

    /// Returns the transition log of an item, oldest first.
    async fn transitions(&self, repo: &RepoKey, item: ItemId) -> Result<Vec<Transition>, StoreError>;

    /// Returns those of these fact documents that exist, by key.
    async fn documents(&self, repo: &RepoKey, keys: &[String]) -> Result<Vec<Document>, StoreError>;

    /// Returns a page of a repository's rows for delivery metrics, by time, owner and part.
    async fn insight(&self, repo: &RepoKey, page: &InsightPage) -> Result<Vec<InsightRow>, StoreError>;

    /// Returns a repository's rows of one kind that belong to these objects, such as `#12`, by owner and
    /// part.
    async fn insight_of(&self, repo: &RepoKey, kind: RowKind, owners: &[String])
    -> Result<Vec<InsightRow>, StoreError>;

    /// Returns the value that the program stored under this name.
    async fn memo(&self, name: &str) -> Result<Option<String>, StoreError>;

    /// Returns fact documents whose key begins with `prefix`, by key, at most `limit`.
    async fn documents_under(&self, repo: &RepoKey, prefix: &str, limit: usize) -> Result<Vec<Document>, StoreError>;
}

/// Items of a repository in one phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhaseCount {
    /// The phase.
    pub phase: String,
    /// Number of items.
    pub items: u64,
    /// Time since when the oldest of them is there.
    pub oldest: Option<Timestamp>,
}

/// Order of a list of items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemOrder {
    /// Those that are there longest come first.
    OldestFirst,
    /// Those that came last come first.
    NewestFirst,
}
