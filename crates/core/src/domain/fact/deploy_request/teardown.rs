//! Teardown of an environment that was made for a pull request.

use serde::{Deserialize, Serialize};

/// State of the teardown of an environment that was made for a pull request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Teardown {
    /// It was never due.
    #[default]
    None,
    /// It is queued, with the number of the attempt.
    Queued(u32),
    /// That attempt was not sent: it is queued again once it is due.
    Withheld(u32),
    /// Its workflow was started.
    Done,
    /// Its workflow could not be started: people were told.
    Failed,
}

impl Teardown {
    /// Returns true if it was never due.
    pub fn is_none(&self) -> bool {
        *self == Self::None
    }

    /// Returns true if the environment is not there any more, or is left to people.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Failed)
    }

    /// Returns the number of attempts so far.
    pub fn attempts(self) -> u32 {
        match self {
            Self::Queued(attempt) | Self::Withheld(attempt) => attempt,
            Self::None | Self::Done | Self::Failed => 0,
        }
    }
}
