//! Parts of effects.

use serde::{Deserialize, Serialize};

use crate::domain::id::ItemId;

/// Priority of a write among the writes of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Lane {
    /// Deployments, cancellations, answers to protection rules, releases.
    Safety,
    /// Comments, reactions, checks, new issues.
    Conversation,
    /// Labels and edits of issues: desired state, so that the newest replaces a queued one.
    Labels,
}

impl Lane {
    /// All lanes, the most urgent first.
    pub const ALL: [Self; 3] = [Self::Safety, Self::Conversation, Self::Labels];
}

/// Says if an effect may be sent again after a send whose result is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetrySafety {
    /// Sending it twice changes nothing.
    Natural,
    /// It creates something: look that up by our marker before sending again.
    MarkedCreate,
    /// There is no way to find out if it was applied: it is never sent again without proof.
    Unverifiable,
}

/// A label's name, colour and description.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelSpec {
    /// Name.
    pub name: String,
    /// Colour: six hex digits, without `#`.
    pub color: String,
    /// Description, one line.
    pub description: String,
}

/// The verdict of one of our check runs. There is no "neutral" and no "skipped": forges take both
/// for a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CheckVerdict {
    /// Not known yet.
    InProgress,
    /// Passed.
    Success,
    /// Failed.
    Failure,
    /// Action by a person is required.
    ActionRequired,
    /// What it was for was given up before it began. It counts as no pass.
    Cancelled,
}

/// Meaning of a reaction to a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reaction {
    /// Received.
    Taken,
    /// Done.
    Done,
    /// Refused.
    Refused,
    /// Not understood.
    Puzzled,
}

impl Reaction {
    /// Returns the word for keys.
    pub fn word(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Puzzled => "puzzled",
        }
    }
}

/// What is done with a schema change at its database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SchemaAct {
    /// Deploys it. Where the database waits before it applies one, that is a second act.
    Deploy,
    /// Applies it once it is staged.
    Apply,
    /// Reverts it.
    Revert,
}

impl SchemaAct {
    /// Returns the word for keys.
    pub fn word(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::Apply => "apply",
            Self::Revert => "revert",
        }
    }
}

/// A message on a line of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Annotation {
    /// The file's path in the repository.
    pub path: String,
    /// Line, from 1.
    pub line: u32,
    /// The message.
    pub message: String,
}

/// The ref that named a commit, which may move before the effect is applied.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RefGuard {
    /// None: the commit itself was named.
    Commit,
    /// A branch, which must still contain the commit.
    Branch(String),
    /// A tag, which must still name the commit.
    Tag(String),
    /// A pull request, whose head the commit must still be.
    Pull(ItemId),
}
