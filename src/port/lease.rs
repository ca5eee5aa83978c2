//! What processes that share a store divide among themselves.

use std::time::Duration;

use jiff::Timestamp;

use super::store::Partition;
use crate::domain::id::{ForgeName, InstallationId, RepoKey};

/// What one process may hold at a time.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LeaseKey {
    /// Deciding, and keeping facts in memory.
    Partition(Partition),
    /// Writing to a forge in the name of an installation.
    Installation(ForgeName, InstallationId),
}

impl LeaseKey {
    /// The key of a repository.
    pub fn of(repo: &RepoKey) -> Self {
        Self::Partition(Partition { forge: repo.forge.clone(), repo: Some(repo.id) })
    }
}

/// A right to decide or to send that this process has, for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// What it is for.
    pub key: LeaseKey,
    /// Counts its owners.
    pub epoch: u64,
    /// How long it lasts from the moment it was asked for; `None`: as long as the process.
    pub lasts: Option<Duration>,
}

impl Lease {
    /// The lease of the only process there is.
    pub fn sole(key: LeaseKey) -> Self {
        Self { key, epoch: 0, lasts: None }
    }
}

/// What an installation has used of its forge's limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetRow {
    /// As the application wrote it (JSON); empty if it never did.
    pub spent: String,
    /// Nothing is to be asked of the forge before.
    pub parked_until: Timestamp,
}
