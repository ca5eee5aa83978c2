//! Facts about slash-commands: who ran what, by what right, and what came of it.
//!
//! A command is decided once, when its comment is first read, and its record
//! never changes but for the outcome of what it set off. Holds, locks and
//! freezes are not kept on their own: they follow from the records.

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
    fact::item::OverrideKind,
    id::{Account, ItemNumber, Sha},
    permission::Role,
    rule::ConditionName,
};

/// Where a command was written.
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
    pub item: ItemNumber,
    /// The comment or review.
    pub source: Source,
    /// Its place among the commands there, from 0.
    pub index: u32,
}

/// A command that was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandFacts {
    /// When it was written, by the forge's clock; later ones of the same
    /// comment some milliseconds after it.
    pub at: Timestamp,
    /// By whom.
    pub by: Account,
    /// The command's name.
    pub verb: String,
    /// The line as it was read, shortened.
    pub line: String,
    /// By what right.
    pub evidence: Evidence,
    /// How it ended.
    pub ending: Ending,
    /// What it changed or asked for.
    #[serde(alias = "deed")]
    pub action: Option<CommandAction>,
    /// What was answered in words.
    pub reply: Option<Reply>,
    /// The forge's global id of a review, for reactions; comments need none.
    pub node: Option<String>,
}

/// What the forge said of the sender.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Role on the repository; `None` if the forge did not say.
    pub role: Option<Role>,
    /// Membership in the teams that were asked about; `None` if the forge did not say.
    pub teams: BTreeMap<String, Option<bool>>,
    /// When it was asked.
    pub asked_at: Timestamp,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// Done; in words for the journal.
    Done(String),
    /// Under way: the forge is to do something first.
    Pending,
    /// Refused, and why.
    Refused(String),
    /// Not understood, and why.
    Misread(String),
}

/// What a command changed or asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CommandAction {
    /// A word about the item's phase.
    Phase {
        /// The word.
        word: OverrideKind,
        /// Why.
        reason: Option<String>,
    },
    /// Holds the item.
    Hold {
        /// Its name, such as `h1`.
        name: String,
        /// Why.
        reason: String,
    },
    /// Lifts holds.
    Unhold {
        /// Their names.
        names: Vec<String>,
    },
    /// Locks an environment.
    Lock {
        /// Environment, lower case.
        environment: String,
        /// Until when.
        until: Option<Timestamp>,
        /// Why.
        reason: Option<String>,
    },
    /// Unlocks an environment.
    Unlock {
        /// Environment, lower case.
        environment: String,
    },
    /// Freezes an environment or all.
    Freeze {
        /// Environment, lower case; `all` for every one.
        environment: String,
        /// Until when.
        until: Timestamp,
        /// Why.
        reason: String,
    },
    /// Ends a freeze.
    Unfreeze {
        /// Environment, lower case; `all` for every one.
        environment: String,
    },
    /// Asks for a deploy.
    Deploy {
        /// Our id for it.
        request: String,
    },
    /// Waits no more for the end of a deploy.
    LetGo {
        /// Our id for it.
        request: String,
    },
    /// Agrees to a release or a deploy.
    Approve {
        /// At which gate.
        gate: GateName,
        /// Of which commit.
        sha: Sha,
    },
    /// Lets conditions go, for a time.
    Override {
        /// At which gate.
        gate: GateName,
        /// For which commit.
        sha: Sha,
        /// Under which version of the policy.
        policy: String,
        /// Which.
        conditions: BTreeSet<ConditionName>,
        /// Why.
        reason: String,
        /// Until when.
        until: Timestamp,
    },
    /// Asks how a gate stands, on the item's status comment.
    ShowGate {
        /// Which.
        gate: GateName,
    },
    /// Looks after the incident.
    Ack,
    /// Keeps the incident quiet.
    Mute {
        /// Until when.
        until: Timestamp,
        /// Why.
        reason: Option<String>,
    },
    /// Lets the incident speak again.
    Unmute,
    /// The incident is over.
    Resolve,
    /// Names what caused the incident.
    Cause {
        /// The change, as people write it; `None`: no change did.
        change: Option<String>,
    },
    /// Asks for something on the item's status comment.
    Show(Wanted),
}

/// What the status comment is to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Wanted {
    /// How it stands.
    Status,
    /// Why.
    Why,
    /// Which commands the asker may use.
    Help,
    /// Who ran what.
    Audit,
}

/// Words in answer to a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// When.
    pub at: Timestamp,
    /// The marker of the comment that says it; `None`: the hour's comment
    /// was spent, so that the status comment says it.
    pub marker: Option<String>,
    /// Nobody entitled had asked for it: counts against the hour's comment.
    pub unasked: bool,
}

/// Something that stands in the way until someone lifts it or its time is up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guard<'a> {
    /// A hold's name, or an environment.
    pub name: &'a str,
    /// Who put it there.
    pub by: &'a Account,
    /// When.
    pub since: Timestamp,
    /// Until when; `None`: until it is lifted.
    pub until: Option<Timestamp>,
    /// Why.
    pub reason: Option<&'a str>,
    /// The item on which it was said.
    pub item: ItemNumber,
    /// It binds the one who put it there, too.
    pub binds_all: bool,
}

/// Every environment, in [`CommandAction::Freeze`].
pub const ALL: &str = "all";

impl CommandAction {
    /// Whether the item shows a status comment from then on.
    pub fn needs_status_comment(&self) -> bool {
        matches!(
            self,
            Self::Show(_)
                | Self::ShowGate { .. }
                | Self::Hold { .. }
                | Self::Lock { .. }
                | Self::Freeze { .. }
                | Self::Deploy { .. }
        )
    }
}
