//! Verdicts of other systems on commits, such as a review of a database migration.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::id::Sha;

/// A verdict as its system reports it.
///
/// All text is untrusted and stays as it was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerdictSeen {
    /// The connection's name, as in `[verdicts.NAME]` and in its route.
    pub connection: String,
    /// The commit that it is about.
    pub commit: Sha,
    /// The verdict's name among those of its connection.
    pub name: String,
    /// The environment that it is about, as written; `None`: any.
    pub environment: Option<String>,
    /// State.
    pub state: VerdictState,
    /// Time of the state according to the sender, else time of receipt.
    pub at: Timestamp,
    /// Explanation for people.
    pub reason: Option<String>,
    /// URL of the details.
    pub url: Option<String>,
    /// Time at which the verdict expires, if the sender names one.
    pub valid_until: Option<Timestamp>,
}

/// The state of a verdict. Of two that are reported for the same time, the later one in this list
/// counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VerdictState {
    /// The commit passed.
    Pass,
    /// The system has not decided yet.
    Pending,
    /// The commit failed.
    Fail,
}

impl VerdictState {
    /// Every state with its name.
    pub const ALL: [(Self, &'static str); 3] = [(Self::Pass, "pass"), (Self::Pending, "pending"), (Self::Fail, "fail")];

    /// Returns the name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Pending => "pending",
            Self::Fail => "fail",
        }
    }
}
