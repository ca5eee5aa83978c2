//! Leases, by which processes that share a store divide the work.

use std::time::Duration;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::{
    domain::id::{ConnectionId, ForgeName, RepoKey},
    port::inbox::Partition,
};

/// Work that one process may hold at a time.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LeaseKey {
    /// Decisions, with facts in memory.
    Partition(Partition),
    /// Writes to a forge for an installation.
    Installation(ForgeName, ConnectionId),
}

impl LeaseKey {
    /// Returns the key under which one process sends to a target of notices. It is kept among the
    /// installations, under a name that no forge has.
    pub fn of_target(name: &str) -> Self {
        let digest = Sha256::digest(name);
        let id = digest.iter().take(8).fold(0, |id: u64, byte| (id << 8) | u64::from(*byte));
        Self::Installation(ForgeName("notices".to_owned()), id)
    }

    /// Returns the key of a repository.
    pub fn of(repo: &RepoKey) -> Self {
        Self::Partition(Partition { forge: repo.forge.clone(), repo: Some(repo.id) })
    }
}

/// This process's right to decide or to send, for a limited time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Its key.
    pub key: LeaseKey,
    /// Counter that changes with its owner.
    pub epoch: u64,
    /// Duration from the time of the request; `None` lasts as long as the process.
    pub lasts: Option<Duration>,
}

impl Lease {
    /// Returns the lease of a single process.
    pub fn sole(key: LeaseKey) -> Self {
        Self { key, epoch: 0, lasts: None }
    }
}

/// An installation's use of its forge's rate limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetRow {
    /// JSON written by the application; empty if it never wrote any.
    pub spent: String,
    /// Time before which nothing may be sent to the forge.
    pub parked_until: Timestamp,
}
