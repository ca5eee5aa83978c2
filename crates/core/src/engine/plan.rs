//! What is to be stored and carried out.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::{Pending, StoredItem};
use crate::domain::{derived::Transition, effect::Effect, fact::DocumentKey, id::ItemNumber};

/// What follows from a decision.
#[derive(Debug, Default)]
pub struct Plan {
    /// The time of the decision.
    pub now: Timestamp,
    /// Documents to store again, or to remove where there is none any more.
    pub changed: BTreeSet<DocumentKey>,
    /// Items whose decision is to be stored.
    pub items: Vec<StoredItem>,
    /// Histories to store, of those items whose history changed.
    pub histories: Vec<(ItemNumber, Vec<Transition>)>,
    /// What to do on the forge, in this order.
    pub effects: Vec<PlannedEffect>,
    /// Keys of queued effects that are no longer wanted.
    pub cancel: Vec<String>,
    /// Timers to set, or to delete.
    pub timers: Vec<(TimerKey, Option<Timestamp>)>,
    /// A sentence for each command.
    pub command_notes: Vec<String>,
    /// A sentence for each other thing that moved.
    pub notes: Vec<String>,
    /// How many commands were decided.
    pub commands: usize,
}

/// An effect to be queued.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedEffect {
    /// Its idempotency key within the repository.
    pub key: String,
    /// It replaces a queued one of the same key.
    pub replaces: bool,
    /// What to do.
    pub effect: Effect,
}

/// Whose timer it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TimerKey {
    /// An item's: its phase changes by itself.
    Item(ItemNumber),
    /// The repository's: an incident, a deployment or a gate changes by itself.
    Repository,
    /// Its policy's: a file has to be read again, or items decided under another.
    Policy,
    /// The organization's: its policy file is said to have changed.
    Organization,
}

impl TimerKey {
    /// The item whose timer it is.
    pub fn item(&self) -> Option<ItemNumber> {
        match self {
            Self::Item(number) => Some(*number),
            Self::Repository | Self::Policy | Self::Organization => None,
        }
    }
}

impl Plan {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { now, ..Self::default() }
    }

    /// Adds what was ingested to what follows from it.
    pub(super) fn add(&mut self, pending: Pending) {
        self.changed.extend(pending.changed);
        self.effects.extend(pending.effects);
        self.cancel.extend(pending.cancel);
        self.command_notes.extend(pending.command_notes);
        self.commands += pending.commands;
    }
}

pub(super) fn after(at: Timestamp, span: SignedDuration) -> Timestamp {
    at.checked_add(span).unwrap_or(Timestamp::MAX)
}
