//! Decisions as data: the context in which a decision is made, and the plan that results.

pub use crate::domain::timer::TimerKey;
use crate::domain::{
    alert::AlertRules,
    derived::{StoredItem, Transition},
    effect::{Effect, ForgeResult},
    fact::{
        DocumentKey,
        command::{CommandId, Ending},
    },
    id::ItemId,
    insight::RowGroup,
    notice::Notice,
    policy::Policy,
    when,
};
use std::collections::BTreeSet;

use jiff::Timestamp;

/// Partial result of a decision: changes, effects, wake-up time and notes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PartialPlan {
    /// Documents to store again.
    pub changed: BTreeSet<DocumentKey>,
    /// Items to derive again.
    pub items: BTreeSet<ItemId>,
    /// Effects to queue.
    pub effects: Vec<PlannedEffect>,
    /// Keys of queued effects that are no longer wanted.
    pub cancel: Vec<String>,
    /// Time of the next change that no event causes.
    pub wake_at: Option<Timestamp>,
    /// Commands that have ended; their replies follow.
    pub endings: Vec<CommandEnding>,
    /// One sentence per change, for the delivery's notes.
    pub notes: Vec<String>,
}

/// End of a command that was waiting for an outcome.
#[derive(Debug, Clone, PartialEq)]
pub struct CommandEnding {
    /// The command.
    pub command: CommandId,
    /// Its ending.
    pub ending: Ending,
    /// The reply if it succeeded.
    pub reply: SuccessReply,
}

/// Reply to a command that succeeded, beside its reaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SuccessReply {
    /// Not at all.
    None,
    /// With a comment about what would be done.
    DryRun,
    /// With a comment that is the answer to a question.
    Answer,
}

impl PartialPlan {
    /// Moves the wake-up time to `at`, if that is earlier.
    pub fn wake(&mut self, at: Option<Timestamp>) {
        self.wake_at = when::earlier(self.wake_at, at);
    }
}

/// Outcome of an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EffectOutcome<'a> {
    /// Applied.
    Done {
        /// Result that the forge returned, where it matters.
        result: Option<&'a ForgeResult>,
        /// Id or address of the object that was created.
        made: Option<&'a str>,
        /// Number of the issue that was created or updated.
        issue: Option<ItemId>,
    },
    /// Given up or rejected, with the reason.
    Failed(&'a str),
    /// Not sent: the recheck before sending withheld it, with the reason.
    Withheld(&'a str),
}

/// An effect to queue.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedEffect {
    /// Idempotency key, unique within the repository.
    pub key: String,
    /// Replaces a queued effect with the same key.
    pub replaces: bool,
    /// The effect.
    pub effect: Effect,
}

/// A notice to queue for a target. One with the same thread that is still queued is replaced; one that
/// says what the thread's last notice said is not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedNotice {
    /// The target, as the policy names it.
    pub target: String,
    /// The notice.
    pub notice: Notice,
}

/// Context of a decision: policy, settings and time.
#[derive(Debug, Clone, Copy)]
pub struct DecisionContext<'a> {
    /// The policy in force.
    pub policy: &'a Policy,
    /// Alert rules from the settings: the monitoring connections.
    pub alerts: &'a AlertRules,
    /// The time.
    pub now: Timestamp,
    /// Reason why writes to the forge are disabled, if they are.
    pub writes_disabled: Option<&'static str>,
}

/// Result of a decision: everything to store and to do.
#[derive(Debug, Default)]
pub struct Plan {
    /// The time of the decision.
    pub now: Timestamp,
    /// Documents to store again, or to delete where none remains.
    pub changed: BTreeSet<DocumentKey>,
    /// Items whose derived state is to be stored.
    pub items: Vec<StoredItem>,
    /// Histories to store, for items whose history changed.
    pub histories: Vec<(ItemId, Vec<Transition>)>,
    /// Rows for delivery metrics to store.
    pub insight: Vec<RowGroup>,
    /// Effects on the forge, in this order.
    pub effects: Vec<PlannedEffect>,
    /// Keys of queued effects that are no longer wanted.
    pub cancel: Vec<String>,
    /// Notices to targets outside of the forge.
    pub notices: Vec<PlannedNotice>,
    /// Timers to set, or to delete where the time is `None`.
    pub timers: Vec<(TimerKey, Option<Timestamp>)>,
    /// One sentence per command.
    pub command_notes: Vec<String>,
    /// One sentence per other change.
    pub notes: Vec<String>,
    /// Number of commands that were decided.
    pub commands: usize,
}

impl Plan {
    /// Returns an empty plan for a decision at `now`.
    pub fn new(now: Timestamp) -> Self {
        Self { now, ..Self::default() }
    }
}

/// Result of the recheck before an effect is sent.
#[derive(Debug, Clone, PartialEq)]
pub enum Recheck {
    /// Send the effect.
    Send,
    /// Send this one instead: the same effect with its current content.
    Replace(Box<Effect>),
    /// Don't send the effect, with the reason.
    Withhold(String),
}

impl From<Result<(), String>> for Recheck {
    fn from(allowed: Result<(), String>) -> Self {
        allowed.map_or_else(Self::Withhold, |()| Self::Send)
    }
}
