//! Facts that a decision wants and the store does not hold.
//!
//! The shell asks the forge once, keeps the answer as a fact, and decides
//! again. An answer that can't be had is kept as such: unknown is not «no».

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    event::CommitSeen,
    id::{ItemNumber, Sha},
};

/// One question to a forge.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Need {
    /// May this account write to the repository?
    Writer {
        /// Account.
        login: String,
    },
    /// Which issues does the forge itself list as closed by this pull request?
    LinkedIssues {
        /// The pull request.
        pull: ItemNumber,
    },
    /// Which branches does the forge list as linked to this issue?
    LinkedBranches {
        /// The issue.
        issue: ItemNumber,
    },
    /// Which commits does `head` have that `base` has not; without a base, its whole recent past.
    Commits {
        /// Older end.
        base: Option<Sha>,
        /// Newer end.
        head: Sha,
    },
    /// Which commit does this tag name?
    TagCommit {
        /// The tag.
        tag: String,
    },
    /// Which checks do the branch's rules require?
    RequiredChecks {
        /// The branch.
        branch: String,
    },
}

/// The forge's answer to a [`Need`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    /// To [`Need::Writer`].
    Writer(bool),
    /// To [`Need::LinkedIssues`].
    LinkedIssues(BTreeSet<ItemNumber>),
    /// To [`Need::LinkedBranches`].
    LinkedBranches(BTreeSet<String>),
    /// To [`Need::Commits`].
    Commits {
        /// Best common ancestor of base and head; `None` without a base, or without common history.
        merge_base: Option<Sha>,
        /// The commits, oldest first.
        commits: Vec<CommitSeen>,
        /// All were listed.
        complete: bool,
    },
    /// To [`Need::TagCommit`].
    TagCommit(Sha),
    /// To [`Need::RequiredChecks`]: check names.
    RequiredChecks(BTreeSet<String>),
    /// The forge would not or could not say.
    Unavailable {
        /// Its words, for `/why`.
        why: String,
    },
}

/// A question with its answer and the moment of asking.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answered {
    /// What was asked.
    pub need: Need,
    /// What was said.
    pub answer: Answer,
    /// When.
    pub at: Timestamp,
}
