//! Facts about slash commands: who ran what, with which permission, and the result.
//!
//! A command is processed once, when its comment is first read. Its record never changes, except
//! for the outcome of the actions that it started. Holds, locks and freezes are not stored
//! separately: they follow from the records.

mod bounds;
mod guards;
mod index;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use crate::domain::fact::command::bounds::{CommandMarks, MOST_LASTING, Recent};
pub use crate::domain::fact::command::index::{CommandIndex, Commands};

use crate::domain::{
    decision::GateName,
    fact::phase_override::OverrideKind,
    id::{Account, ItemId, Sha},
    permission::Role,
    rule::ConditionName,
    statement::Statement,
};

/// The place where a command was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Source {
    /// A comment, by its id.
    Comment(u64),
    /// A review, by its id.
    Review(u64),
}

/// One command of one comment: the key under which it runs at most once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CommandId {
    /// The item that it was written on.
    pub item: ItemId,
    /// The comment or review.
    pub source: Source,
    /// Position among the commands there, from 0.
    pub index: u32,
}

/// A processed command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandFacts {
    /// Time at which it was written, by the forge's clock. Later commands of the same comment are
    /// some milliseconds after it.
    pub at: Timestamp,
    /// The account that wrote it.
    pub by: Account,
    /// The command's name.
    pub verb: String,
    /// The line as it was read, shortened.
    pub line: String,
    /// The permissions that the forge reported for the sender.
    pub evidence: Evidence,
    /// The result.
    pub ending: Ending,
    /// The change or request that it made.
    #[serde(alias = "deed")]
    pub action: Option<CommandAction>,
    /// The reply in words.
    pub reply: Option<Reply>,
    /// The forge's global id of a review, for reactions. Comments need none.
    pub node: Option<String>,
}

/// The permissions that the forge reported for the sender.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Role on the repository; `None` if the forge did not report it.
    pub role: Option<Role>,
    /// Membership in the teams that were asked about; `None` if the forge did not report it.
    pub teams: BTreeMap<String, Option<bool>>,
    /// Time of the query.
    pub asked_at: Timestamp,
}

/// The result of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// Done; with a text for the journal.
    Done(Statement),
    /// Pending: the forge has to do something first.
    Pending,
    /// Started, and failed, with the reason.
    Failed(Statement),
    /// Refused, with the reason.
    Refused(Statement),
    /// Not understood, with the reason.
    Misread(Statement),
}

/// A change or request that a command made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CommandAction {
    /// Overrides the item's phase.
    Phase {
        /// The override.
        word: OverrideKind,
        /// Reason.
        reason: Option<String>,
    },
    /// Puts the item on hold.
    Hold {
        /// Name of the hold, such as `h1`.
        name: String,
        /// Reason.
        reason: String,
    },
    /// Lifts holds.
    Unhold {
        /// Names of the holds.
        names: Vec<String>,
    },
    /// Locks an environment.
    Lock {
        /// Environment, lower case.
        environment: String,
        /// End of the lock.
        until: Option<Timestamp>,
        /// Reason.
        reason: Option<String>,
    },
    /// Unlocks an environment.
    Unlock {
        /// Environment, lower case.
        environment: String,
    },
    /// Freezes one environment or all.
    Freeze {
        /// Environment, lower case; `all` for every one.
        environment: String,
        /// End of the freeze.
        until: Timestamp,
        /// Reason.
        reason: String,
    },
    /// Ends a freeze.
    Unfreeze {
        /// Environment, lower case; `all` for every one.
        environment: String,
    },
    /// Requests a deployment.
    Deploy {
        /// Our id for the request.
        request: String,
    },
    /// Asks what a deployment would carry, until that is answered.
    Diff {
        /// Environment, lower case.
        environment: String,
        /// A name for the commit; empty for the default branch.
        reference: String,
        /// The commit, if it is known.
        sha: Option<Sha>,
        /// Time since when it is looked up.
        since: Timestamp,
    },
    /// Stops tracking a deployment.
    LetGo {
        /// Our id for the request.
        request: String,
    },
    /// Approves a release or a deployment.
    Approve {
        /// The gate.
        gate: GateName,
        /// The commit.
        sha: Sha,
    },
    /// Overrides conditions for a limited time.
    Override {
        /// The gate.
        gate: GateName,
        /// The commit.
        sha: Sha,
        /// The version of the policy.
        policy: String,
        /// The overridden conditions.
        conditions: BTreeSet<ConditionName>,
        /// Reason.
        reason: String,
        /// End of the override.
        until: Timestamp,
    },
    /// Requests the state of a gate in the item's status comment.
    ShowGate {
        /// The gate.
        gate: GateName,
    },
    /// Acknowledges the incident.
    Ack,
    /// Mutes the incident.
    Mute {
        /// End of the mute.
        until: Timestamp,
        /// Reason.
        reason: Option<String>,
    },
    /// Unmutes the incident.
    Unmute,
    /// Resolves the incident.
    Resolve,
    /// Names the cause of the incident.
    Cause {
        /// The change, as people write it; `None`: no change caused it.
        change: Option<String>,
    },
    /// Requests content in the item's status comment.
    Show(Wanted),
    /// Requests delivery metrics in the item's status comment.
    ShowMetrics {
        /// The table, as it was computed at the time of the command. It holds nothing from outside.
        table: String,
    },
}

/// Content of the status comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Wanted {
    /// The current state.
    Status,
    /// The reasons for it.
    Why,
    /// The commands that the requester may use.
    Help,
    /// The log of commands.
    Audit,
}

/// A reply to a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// Time.
    pub at: Timestamp,
    /// The marker of the reply's comment. `None`: the hour's one comment was already posted, so the
    /// status comment shows the reply.
    pub marker: Option<String>,
    /// True if nobody with permission asked for the reply. It then counts against the limit of one
    /// comment an hour.
    pub unasked: bool,
}

/// A hold, lock or freeze, in force until someone lifts it or its time is up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guard<'a> {
    /// A hold's name, or an environment.
    pub name: &'a str,
    /// The person who set it.
    pub by: &'a Account,
    /// Time at which it was set.
    pub since: Timestamp,
    /// End; `None`: until it is lifted.
    pub until: Option<Timestamp>,
    /// Reason.
    pub reason: Option<&'a str>,
    /// The item on which it was set.
    pub item: ItemId,
    /// True if it also binds the person who set it.
    pub binds_all: bool,
}

/// Every environment, in [`CommandAction::Freeze`].
pub const ALL: &str = "all";

impl CommandAction {
    /// Returns true if the item shows a status comment from then on.
    pub fn needs_status_comment(&self) -> bool {
        matches!(
            self,
            Self::Show(_)
                | Self::ShowGate { .. }
                | Self::ShowMetrics { .. }
                | Self::Hold { .. }
                | Self::Lock { .. }
                | Self::Freeze { .. }
                | Self::Deploy { .. }
        )
    }
}
