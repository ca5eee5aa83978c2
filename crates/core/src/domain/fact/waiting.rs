//! Slash commands that wait for the forge to report their sender's permissions.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::{
    fact::{RepoFacts, command::CommandId},
    id::{Account, Sha},
};

/// A command that could not be processed when its comment was read. It keeps what it was bound to
/// at that time; only the sender's permissions are queried later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingCommand {
    /// Time at which the comment was written, by the forge's clock.
    pub at: Timestamp,
    /// The account that wrote it.
    pub by: Account,
    /// The line as it was written.
    pub line: Vec<Piece>,
    /// The commit that a review examined.
    pub reviewed: Option<Sha>,
    /// The pull request's head commit as it was known when the comment was read.
    pub head: Option<Sha>,
    /// The forge's global id of a review.
    pub node: Option<String>,
    /// Time since when it waits, by our clock.
    pub since: Timestamp,
    /// Number of failed queries to the forge.
    pub tries: u32,
    /// Time of the next try.
    pub try_at: Timestamp,
    /// The reason why the last try failed.
    pub why: String,
}

/// A part of a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Piece {
    /// Plain text.
    Plain(String),
    /// Inline code: one word, whatever it contains.
    Code(String),
}

impl RepoFacts {
    /// Returns true if a command that was written before this one still waits.
    pub fn waits_before(&self, at: Timestamp, id: CommandId) -> bool {
        self.waiting.iter().any(|(other, waiting)| (waiting.at, *other) < (at, id))
    }
}
