//! What effects are made of.

use serde::{Deserialize, Serialize};

use crate::domain::id::ItemNumber;

/// How a label looks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelSpec {
    /// Name.
    pub name: String,
    /// Six hex digits, without `#`.
    pub color: String,
    /// One line.
    pub description: String,
}

/// What a check run of ours may say. There is no «neutral» and no «skipped»:
/// forges take both for a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CheckVerdict {
    /// Not known yet.
    InProgress,
    /// Passed.
    Success,
    /// Failed.
    Failure,
    /// A person is needed.
    ActionRequired,
}

/// Words on a line of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Annotation {
    /// The file's path in the repository.
    pub path: String,
    /// Line, from 1.
    pub line: u32,
    /// The words.
    pub message: String,
}

/// What a commit was named by, which may move before it is acted on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RefGuard {
    /// Nothing: the commit itself was meant.
    Commit,
    /// A branch, which must still contain the commit.
    Branch(String),
    /// A tag, which must still name it.
    Tag(String),
    /// A pull request, whose head it must still be.
    Pull(ItemNumber),
}
