//! Facts about a repository.
//!
//! Facts only grow: each kind is a join of sets, or keeps the newest value by the forge's own time.
//! Joining is commutative, associative and idempotent, so it does not matter in which order, or how
//! often, deliveries arrive.

pub mod command;
pub mod commit;
mod commit_origin;
pub mod deploy_request;
pub mod deployment;
pub mod environment;
pub mod gate;
pub mod incident;
mod index;
pub mod indexed;
pub mod item;
pub mod label;
pub mod lock;
pub mod paths;
pub mod phase_override;
pub mod policy;
pub mod release;
mod repo;
pub mod repository_metadata;
mod rollback;
pub mod schema;
pub mod tags;
pub mod verdict;
pub mod waiting;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use crate::domain::fact::repo::{DocumentKey, RepoFacts};

/// The newest value that was seen, with its time at the source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Newest<T> {
    /// The time at which the value was current, according to the forge.
    pub at: Timestamp,
    /// The value.
    pub value: T,
}

impl<T: Ord> Newest<T> {
    /// Creates a value seen at `at`.
    pub fn new(at: Timestamp, value: T) -> Self {
        Self { at, value }
    }

    /// Keeps the newer of both. At the same time it keeps the greater value, so that every order of
    /// arrival gives the same result.
    pub fn join(slot: &mut Option<Self>, seen: Self) {
        match slot {
            Some(known) if *known >= seen => {}
            _ => *slot = Some(seen),
        }
    }
}

/// Keeps the earlier of the known and the seen time.
pub fn keep_earliest(slot: &mut Option<Timestamp>, seen: Timestamp) {
    *slot = Some(slot.map_or(seen, |known| known.min(seen)));
}
