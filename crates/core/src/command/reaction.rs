//! Reactions to a comment.

use crate::domain::fact::command::Ending;

/// Meaning of a reaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reaction {
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
    pub(super) fn of(ending: &Ending) -> Option<Self> {
        match ending {
            Ending::Done(_) => Some(Self::Done),
            Ending::Failed(_) | Ending::Refused(_) => Some(Self::Refused),
            Ending::Misread(_) => Some(Self::Puzzled),
            Ending::Pending => None,
        }
    }
}
