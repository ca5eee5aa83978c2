//! Slash-commands that wait until the forge says what their sender may do.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::{
    fact::{RepoFacts, command::CommandId},
    id::{Account, Sha},
};

/// A command that could not be decided when its comment was read. It keeps what
/// it was bound to at that moment; only the sender's rights are asked for later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingCommand {
    /// When the comment was written, by the forge's clock.
    pub at: Timestamp,
    /// By whom.
    pub by: Account,
    /// The line as it was written.
    pub line: Vec<Piece>,
    /// The commit that a review looked at.
    pub reviewed: Option<Sha>,
    /// The pull request's head commit as it was known when the comment was read.
    pub head: Option<Sha>,
    /// The forge's global id of a review.
    pub node: Option<String>,
    /// Since when it waits, by our clock.
    pub since: Timestamp,
    /// How often the forge was asked in vain.
    pub tries: u32,
    /// When to try again.
    pub try_at: Timestamp,
    /// Why it could not be decided, in the words of the last try.
    pub why: String,
}

/// A part of a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Piece {
    /// Plain text.
    Plain(String),
    /// Inline code: one word, whatever is in it.
    Code(String),
}

impl RepoFacts {
    /// Whether a command that was written before this one still waits.
    pub fn waits_before(&self, at: Timestamp, id: CommandId) -> bool {
        self.waiting.iter().any(|(other, waiting)| (waiting.at, *other) < (at, id))
    }
}
