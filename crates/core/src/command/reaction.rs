//! What a reaction to a comment says.

use crate::domain::fact::command::Ending;

/// What a reaction says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reaction {
    /// Taken in.
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
            Ending::Refused(_) => Some(Self::Refused),
            Ending::Misread(_) => Some(Self::Puzzled),
            Ending::Pending => None,
        }
    }
}
