//! Effects in the store.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    domain::{
        effect::{Effect, Lane},
        id::{ConnectionId, RepoKey},
    },
    port::inbox::Seq,
};

/// Id of an effect.
pub type EffectId = u64;

/// An effect to queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEffect {
    /// Idempotency key, unique within the repository.
    pub key: String,
    /// Whether a queued row with this key is replaced by this one (desired state); otherwise a key
    /// that was ever used is never queued again.
    pub replaces: bool,
    /// The installation that acts.
    pub installation: ConnectionId,
    /// The effect.
    pub effect: Effect,
    /// The delivery that caused it, for the logs.
    pub cause: Option<Seq>,
}

/// A stored effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEffect {
    /// Its id, in order of queueing.
    pub id: EffectId,
    /// Number of replacements of the row.
    pub version: u64,
    /// The repository.
    pub repo: RepoKey,
    /// Idempotency key.
    pub key: String,
    /// The installation that acts.
    pub installation: ConnectionId,
    /// Its lane.
    pub lane: Lane,
    /// The effect.
    pub effect: Effect,
    /// Its state.
    pub state: EffectState,
    /// Attempts so far.
    pub attempts: u32,
    /// Time of queueing.
    pub created_at: Timestamp,
    /// Earliest time of the next attempt.
    pub not_before: Timestamp,
    /// The last error, or the created object.
    pub note: String,
    /// The delivery that caused it.
    pub cause: Option<Seq>,
}

impl StoredEffect {
    /// Returns whether an attempt was made, or may have been made by an effect that this one
    /// replaced: if that left no answer, its result is unknown.
    pub fn may_have_been_sent(&self) -> bool {
        const FIRST: u64 = 1;
        self.attempts > 0 || self.version > FIRST
    }
}

/// State of an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EffectState {
    /// Waits to be sent.
    Queued,
    /// About to be sent; in doubt after a crash.
    Sending,
    /// Done.
    Done,
    /// Given up.
    Dead,
    /// No longer wanted, or impossible (item deleted, App removed).
    Dropped,
}

/// Result of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EffectEnd {
    /// The effect was applied.
    Done {
        /// Id or address of the created object; may be empty.
        note: String,
        /// Time of the answer.
        at: Timestamp,
    },
    /// To be tried again.
    Retry {
        /// Earliest time of the next attempt.
        not_before: Timestamp,
        /// The error.
        error: String,
        /// Whether it may have been applied.
        in_doubt: bool,
        /// Whether this counts as an attempt (a rate limit does not).
        counts: bool,
    },
    /// Given up.
    Dead {
        /// The error.
        error: String,
        /// Time of the decision.
        at: Timestamp,
    },
    /// No longer wanted.
    Dropped {
        /// The reason.
        reason: String,
        /// Time of the decision.
        at: Timestamp,
    },
}
