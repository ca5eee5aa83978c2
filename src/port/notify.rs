//! Targets of notices, and the notices in the store.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::{
    domain::{id::RepoKey, notice::Notice},
    port::outbox::EffectState,
};

/// A target of notices, such as a channel of a chat. Implementations hold no state that a restart
/// must preserve, follow no redirect, time out by themselves, and escape every text for their target.
#[async_trait]
pub trait Notifier: Send + Sync + 'static {
    /// Returns what the target can do.
    fn abilities(&self) -> Abilities;

    /// Sends a new message. Returns its id at the target; empty if there is none.
    async fn post(&self, message: &Message<'_>) -> Result<String, NotifyError>;

    /// Replaces the text of a message. Called only if the target can edit.
    async fn edit(&self, id: &str, message: &Message<'_>) -> Result<(), NotifyError>;

    /// Answers a message in its thread, so that people notice. Called only if the target has threads.
    async fn reply(&self, id: &str, message: &Message<'_>) -> Result<(), NotifyError>;

    /// Asks the target if it would take a message, without sending one. Returns what it said, in a few
    /// words; `None` if only a message can tell.
    async fn inspect(&self) -> Result<Option<String>, NotifyError>;
}

/// What a target can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abilities {
    /// The text of a message can be replaced.
    pub edits: bool,
    /// A message can be answered.
    pub threads: bool,
    /// Treatment of a new message whose fate is unknown.
    pub after_doubt: AfterDoubt,
}

/// Treatment of a new message, or an answer, that may have arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterDoubt {
    /// It is sent again: the target recognises it.
    Repeat,
    /// It is sent again only if somebody has to act.
    RepeatIfPersonNeeded,
    /// It is not sent again.
    GiveUp,
}

/// A message to send.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// Its id, the same whenever this message is sent again.
    pub id: &'a str,
    /// Its content.
    pub content: Content<'a>,
    /// Time of this attempt.
    pub now: Timestamp,
}

/// Content of a message.
#[derive(Debug, Clone, Copy)]
pub enum Content<'a> {
    /// One notice.
    Notice(&'a Notice),
    /// Several notices in short, because there were more than the target gets one by one.
    Digest(&'a [&'a Notice]),
    /// A test by the operator.
    Test,
}

/// Reason why a message was not sent, or may not have been. None quotes an address or a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotifyError {
    /// The target's limit is used up until then. Nothing was sent.
    #[error("rate limited until {until}")]
    RateLimited {
        /// Earliest time of the next attempt.
        until: Timestamp,
    },
    /// The target wants no more messages.
    #[error("the target is gone: {0}")]
    Gone(String),
    /// The message to edit or to answer is not there any more, or can't be edited.
    #[error("the message is gone: {0}")]
    MessageGone(String),
    /// The target refuses it. Sending it again would give the same answer.
    #[error("refused: {0}")]
    Permanent(String),
    /// It was not sent, for a temporary reason.
    #[error("not sent: {0}")]
    Transient(String),
    /// It may have been sent.
    #[error("in doubt: {0}")]
    Doubt(String),
}

/// Id of a notice in the store.
pub type NoticeId = u64;

/// A notice to queue. It replaces a queued one of its thread and target. It is not queued if it says
/// what the thread's last notice said, nor, if it is no news, without a message that it would change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNotice {
    /// Target.
    pub target: String,
    /// Notice.
    pub notice: Notice,
}

/// The last notice of a thread to a target, with the message that shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredNotice {
    /// Its id.
    pub id: NoticeId,
    /// Number of notices of the thread so far, from 1.
    pub version: u64,
    /// The repository.
    pub repo: RepoKey,
    /// Target.
    pub target: String,
    /// The notice.
    pub notice: Notice,
    /// Hash of what the notice says.
    pub hash: String,
    /// State. `Sending` if a request may have been sent.
    pub state: EffectState,
    /// The request that is, or was last, about to be sent.
    pub step: Option<NoticeStep>,
    /// Version of the notice that it was about; 0 if there was none.
    pub tried: u64,
    /// Failed attempts so far.
    pub attempts: u32,
    /// Time of queueing.
    pub created_at: Timestamp,
    /// Earliest time of the next attempt.
    pub not_before: Timestamp,
    /// Id of the thread's message at the target; empty if there is none, or it is not known.
    pub message: String,
    /// Hash of what the target shows; empty if it shows nothing.
    pub shown: String,
    /// Hash of the notice that people were last told of by a message or an answer.
    pub told: String,
    /// The last error.
    pub note: String,
}

/// A request to a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeStep {
    /// A new message.
    Post,
    /// A new text for the message.
    Edit,
    /// An answer to the message.
    Reply,
    /// A digest that includes the notice.
    Digest,
}

impl NoticeStep {
    /// Every step with its name in the store.
    pub const ALL: [(Self, &'static str); 4] =
        [(Self::Post, "post"), (Self::Edit, "edit"), (Self::Reply, "reply"), (Self::Digest, "digest")];

    /// Returns the name in the store.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(step, _)| *step == self).map_or("", |(_, name)| name)
    }

    /// Returns the step with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(step, _)| *step)
    }
}

/// Result of an attempt at a notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeEnd {
    /// What becomes of the notice.
    pub outcome: NoticeOutcome,
    /// What was learnt of the thread's message. It is kept even if the notice was replaced meanwhile.
    pub learnt: Learnt,
    /// The error, or why it was dropped; may be empty.
    pub note: String,
    /// Time of the result.
    pub at: Timestamp,
}

/// Facts of a thread's message; `None`: unchanged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Learnt {
    /// Its id.
    pub message: Option<String>,
    /// Hash of what it shows.
    pub shown: Option<String>,
    /// Hash of the notice that people were told of.
    pub told: Option<String>,
}

/// What becomes of a notice after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeOutcome {
    /// The target shows it.
    Done,
    /// Another request follows.
    Continue,
    /// To be tried again.
    Retry {
        /// Earliest time of the next attempt.
        not_before: Timestamp,
        /// True if the request may have been sent.
        in_doubt: bool,
    },
    /// Given up.
    Dead,
    /// No longer wanted, or not allowed.
    Dropped,
}
