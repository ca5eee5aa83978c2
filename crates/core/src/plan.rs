//! A decision as data: under what it is made, and what follows from it.

use crate::domain::{
    alert::AlertRules,
    derived::{StoredItem, Transition},
    effect::{Effect, ForgeResult},
    fact::{
        DocumentKey,
        command::{CommandId, Ending},
    },
    id::ItemNumber,
    policy::Policy,
    when,
};
use std::collections::BTreeSet;

use jiff::Timestamp;

/// What follows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PartialPlan {
    /// Documents to store again.
    pub changed: BTreeSet<DocumentKey>,
    /// Items to derive again.
    pub items: BTreeSet<ItemNumber>,
    /// What to do.
    pub effects: Vec<PlannedEffect>,
    /// Keys of queued effects that are no longer wanted.
    pub cancel: Vec<String>,
    /// When something next turns by itself.
    pub wake_at: Option<Timestamp>,
    /// Commands that are over: their answers follow.
    pub endings: Vec<CommandEnding>,
    /// A sentence for each thing that moved, for the delivery's note.
    pub notes: Vec<String>,
}

/// The end of a command that waited for something to come about.
#[derive(Debug, Clone, PartialEq)]
pub struct CommandEnding {
    /// The command.
    pub command: CommandId,
    /// How it ended.
    pub ending: Ending,
    /// Whether the answer is given in words although it succeeded.
    pub says: bool,
}

impl PartialPlan {
    /// Looks again at `at`, if nothing makes it sooner.
    pub fn wake(&mut self, at: Option<Timestamp>) {
        self.wake_at = when::earlier(self.wake_at, at);
    }
}

/// How an effect ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EffectOutcome<'a> {
    /// Done.
    Done {
        /// What the forge found, where that matters.
        told: Option<&'a ForgeResult>,
        /// Id or address of what was made.
        made: Option<&'a str>,
        /// The number of the issue that was made or kept up to date.
        issue: Option<ItemNumber>,
    },
    /// Given up or not wanted, and why.
    Failed(&'a str),
    /// Not sent: at the moment of sending it was not wanted any more, and why.
    Withheld(&'a str),
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

/// Under what is decided: policy, settings and time.
#[derive(Debug, Clone, Copy)]
pub struct DecisionContext<'a> {
    /// The policy in force.
    pub policy: &'a Policy,
    /// What the settings say of monitoring connections.
    pub alerts: &'a AlertRules,
    /// The time.
    pub now: Timestamp,
    /// Why nothing may be written to the forge, if so.
    pub writes_disabled: Option<&'static str>,
}

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
    /// A plan of which nothing follows.
    pub fn new(now: Timestamp) -> Self {
        Self { now, ..Self::default() }
    }
}

/// What to do with an effect that is about to be sent.
#[derive(Debug, Clone, PartialEq)]
pub enum Recheck {
    /// Send it.
    Send,
    /// Send this in its place: the same thing, as it stands now.
    Replace(Box<Effect>),
    /// Don't send it, and why.
    Withhold(String),
}

impl From<Result<(), String>> for Recheck {
    fn from(allowed: Result<(), String>) -> Self {
        allowed.map_or_else(Self::Withhold, |()| Self::Send)
    }
}
