//! Effects as a store keeps them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::store::{EffectId, Seq};
use crate::domain::{
    effect::{Effect, Lane},
    id::{InstallationId, RepoKey},
};

/// An effect to be queued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEffect {
    /// Idempotency key, unique within the repository.
    pub key: String,
    /// A queued row with this key is replaced by this one (desired state);
    /// otherwise a key that was ever used is never queued again.
    pub replaces: bool,
    /// In whose name.
    pub installation: InstallationId,
    /// What to do.
    pub effect: Effect,
    /// The delivery that caused it, for the logs.
    pub cause: Option<Seq>,
}

/// An effect as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEffect {
    /// Its number: order of queueing.
    pub id: EffectId,
    /// Counts replacements of the row.
    pub version: u64,
    /// The repository.
    pub repo: RepoKey,
    /// Idempotency key.
    pub key: String,
    /// In whose name.
    pub installation: InstallationId,
    /// Its lane.
    pub lane: Lane,
    /// What to do.
    pub effect: Effect,
    /// How it stands.
    pub state: EffectState,
    /// Attempts so far.
    pub attempts: u32,
    /// When it was queued.
    pub created_at: Timestamp,
    /// Not to be tried before.
    pub not_before: Timestamp,
    /// The last error, or what was made.
    pub note: String,
    /// The delivery that caused it.
    pub cause: Option<Seq>,
}

impl StoredEffect {
    /// Whether an attempt was made, or may have been made by what this effect
    /// replaced: where it left no answer, nobody knows what it changed.
    pub fn may_have_been_sent(&self) -> bool {
        const FIRST: u64 = 1;
        self.attempts > 0 || self.version > FIRST
    }
}

/// How an effect stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EffectState {
    /// Waits.
    Queued,
    /// Was about to be sent; after a crash, in doubt.
    Sending,
    /// Done.
    Done,
    /// Given up.
    Dead,
    /// No longer wanted, or impossible by nature (item gone, App removed).
    Dropped,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EffectEnd {
    /// Done; what was made.
    Done {
        /// Id or address of what was made; may be empty.
        note: String,
        /// When.
        at: Timestamp,
    },
    /// To be tried again.
    Retry {
        /// Not before.
        not_before: Timestamp,
        /// Why it failed.
        error: String,
        /// It may have gone through.
        in_doubt: bool,
        /// Whether this counts as an attempt (a rate limit does not).
        counts: bool,
    },
    /// Given up.
    Dead {
        /// Why.
        error: String,
        /// When.
        at: Timestamp,
    },
    /// Not wanted any more.
    Dropped {
        /// Why.
        reason: String,
        /// When.
        at: Timestamp,
    },
}
