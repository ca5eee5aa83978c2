//! The forge's own stacks of pull requests.

use serde::{Deserialize, Serialize};

/// What a payload tells of a pull request's stack.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum StackSeen {
    /// Nothing, or nothing that is understood.
    #[default]
    Unsaid,
    /// It is in none.
    Alone,
    /// It is in this one.
    In(StackPlace),
}

/// Place of a pull request in a stack. The forge judges all of a stack by the branch that it is to
/// land on, and lands it at once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StackPlace {
    /// The branch that the whole stack is to land on.
    pub base: String,
    /// Number of the stack within the repository.
    #[serde(default)]
    pub number: Option<u64>,
    /// Number of pull requests in the stack.
    #[serde(default)]
    pub size: Option<u64>,
    /// Position of the pull request, from 1 at the bottom.
    #[serde(default)]
    pub position: Option<u64>,
}
