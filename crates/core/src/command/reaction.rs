//! Reactions to a comment.

use crate::domain::fact::command::Ending;

pub(super) use crate::domain::effect::Reaction;

impl Reaction {
    /// Returns the reaction for an ending; `None` while there is none.
    pub(super) fn of(ending: &Ending) -> Option<Self> {
        match ending {
            Ending::Done(_) => Some(Self::Done),
            Ending::Failed(_) | Ending::Refused(_) => Some(Self::Refused),
            Ending::Misread(_) => Some(Self::Puzzled),
            Ending::Pending => None,
        }
    }
}
