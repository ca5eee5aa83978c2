//! Schema changes of databases, as a database's own review keeps them: a request to bring the
//! schema of one branch of the database into another.
//!
//! Adapters map their vendor's states to [`SchemaState`] exhaustively; a state that they do not know
//! is [`SchemaState::Unknown`], which passes no gate.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Longest notes that are kept, in bytes.
pub const LONGEST_NOTES: usize = 4096;

/// A schema change. The order of its fields makes the newest of two the greater one.
///
/// All text is untrusted and stays as it was sent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SchemaChange {
    /// Time of its last change, according to the database.
    pub at: Timestamp,
    /// Time at which the database told it, or was asked for it.
    pub seen_at: Timestamp,
    /// State.
    pub state: SchemaState,
    /// The database's own word for the state.
    pub word: String,
    /// The connection's name, as in `[alerts.NAME]`.
    pub connection: String,
    /// Its number at the database.
    pub number: u64,
    /// The database branch that has the new schema.
    pub from: String,
    /// The database branch that is to get it.
    pub into: String,
    /// False once it was closed, deployed or not.
    pub is_open: bool,
    /// People's notes, at most [`LONGEST_NOTES`].
    pub notes: String,
    /// URL of its page.
    pub url: Option<String>,
    /// True if the database would deploy it now.
    pub deployable: bool,
    /// Reasons for which the database refuses it.
    pub problems: Vec<SchemaProblem>,
    /// Somebody approved its present schema.
    pub approved: bool,
    /// The reason for which the database's queue stands still, if it does; empty: it told none.
    pub paused: Option<String>,
    /// The staged change will expire soon unless it is applied.
    pub expires_soon: bool,
    /// Estimated seconds until it is staged or applied, while it runs.
    pub eta_seconds: Option<u64>,
    /// Time until which it can be reverted, once it is applied.
    pub revertible_until: Option<Timestamp>,
    /// What it changes.
    pub content: SchemaContent,
}

/// The content of a schema change. A change of it is another schema change, as another commit is
/// another program.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SchemaContent {
    /// The database's id for this way of deploying it.
    pub deployment: String,
    /// Time at which its schema last changed, according to the database.
    pub schema_at: Option<Timestamp>,
    /// Digest of its statements; empty until the database has compared the branches.
    pub digest: String,
    /// Number of its statements that can lose no data.
    pub keeps: u32,
    /// Number of its statements that can drop data.
    pub drops: u32,
}

/// A schema change with the content that it had at some time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaPin {
    /// The connection's name.
    pub connection: String,
    /// Its number at the database.
    pub number: u64,
    /// Its content.
    pub content: SchemaContent,
}

/// A reason for which a database refuses a schema change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SchemaProblem {
    /// The database's code for it.
    pub code: String,
    /// The table, if it is about one.
    pub table: Option<String>,
}

/// The state of a schema change. Of two that are reported for the same time, the later one in this
/// list counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SchemaState {
    /// The database compares the branches.
    Checking,
    /// It may be deployed.
    Ready,
    /// It changes nothing.
    Empty,
    /// It waits for its turn.
    Queued,
    /// The database prepares it beside the present schema.
    Running,
    /// It is prepared, and waits to be applied.
    Staged,
    /// It is being applied.
    Applying,
    /// It is applied, and can be reverted.
    Revertible,
    /// It is applied.
    Applied,
    /// Its deployment is being cancelled.
    Cancelling,
    /// Its deployment was cancelled.
    Cancelled,
    /// The database can't deploy it.
    Invalid,
    /// Its deployment failed.
    Failed,
    /// It is being reverted.
    Reverting,
    /// It was reverted.
    Reverted,
    /// It could not be reverted.
    RevertFailed,
    /// A state that this version does not know.
    Unknown,
}

impl SchemaState {
    /// Returns true if the new schema is in force.
    pub fn is_applied(self) -> bool {
        matches!(self, Self::Revertible | Self::Applied)
    }

    /// Returns true if nothing follows any more: the database need not be asked again.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Applied | Self::Cancelled | Self::Reverted)
    }
}

impl SchemaChange {
    /// Returns true if it tells the same as `other`, whenever that was seen.
    pub fn says(&self, other: &Self) -> bool {
        Self { seen_at: other.seen_at, ..self.clone() } == *other
    }

    /// Returns true if somebody closed it before it was deployed.
    pub fn is_withdrawn(&self) -> bool {
        !self.is_open && matches!(self.state, SchemaState::Checking | SchemaState::Ready | SchemaState::Invalid)
    }
}

/// Returns the form in which branches of the repository and of the database are compared: databases
/// allow fewer characters in names. Empty: it names none.
pub fn branch_key(name: &str) -> String {
    let kept = name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-');
    kept.collect::<String>().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_are_compared_by_what_databases_keep_of_them() {
        assert_eq!(branch_key("Feature/12-add_index"), "feature12-addindex");
        assert_eq!(branch_key("feature12-addindex"), "feature12-addindex");
        assert_eq!(branch_key("ветка/_"), "");
    }
}
