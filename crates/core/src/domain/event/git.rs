//! Pushes, commits, refs and merge groups.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::id::{Actor, ItemId, Sha};

/// A push that moved, created or deleted a branch or tag.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PushSeen {
    /// The branch or tag.
    pub name: RefName,
    /// The commit before the push; all zeroes if the ref is new.
    pub before: Sha,
    /// The commit after the push; all zeroes if the ref was deleted.
    pub after: Sha,
    /// True if the push rewrote history: `before` may not be an ancestor of `after`.
    pub forced: bool,
    /// The pushed commits, oldest first.
    pub commits: Vec<CommitSeen>,
    /// Paths that each of the commits touches, by old and new name; without a commit whose list is
    /// incomplete.
    #[serde(default)]
    pub paths: BTreeMap<Sha, Vec<String>>,
    /// The commits that no other branch had: their number, and the time of the earliest one.
    #[serde(default)]
    pub new: NewCommits,
    /// True if the list of commits is, or may be, incomplete.
    pub truncated: bool,
    /// The branch from which a new branch was created without a commit of its own.
    pub made_from: Option<String>,
    /// True if one of the commits changed the policy file; `None` if the payload doesn't list all
    /// changed files.
    pub policy_file: Option<bool>,
    /// The account that pushed.
    pub pusher: Option<Actor>,
}

/// The commits of a push that no other branch had before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NewCommits {
    /// Number of commits.
    pub count: u32,
    /// Committer time of the earliest one, if the payload has it.
    pub first_at: Option<Timestamp>,
}

/// A commit with its full message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CommitSeen {
    /// Commit SHA.
    pub sha: Sha,
    /// Commit message.
    pub message: String,
    /// Parents, if the source has them (a push does not).
    pub parents: Option<Vec<Sha>>,
}

/// A branch or a tag.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum RefName {
    /// `refs/heads/…`
    Branch(String),
    /// `refs/tags/…`
    Tag(String),
}

impl RefName {
    /// Returns the name without its `refs/…/` prefix.
    pub fn name(&self) -> &str {
        match self {
            Self::Branch(name) | Self::Tag(name) => name,
        }
    }
}

/// The creation or deletion of a branch or tag. It carries no commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefSeen {
    /// The branch or tag.
    pub name: RefName,
    /// True if it was created, false if it was deleted.
    pub exists: bool,
}

/// A merge group of a merge queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergeGroupSeen {
    /// The commit that the queue tests.
    pub head_sha: Sha,
    /// The commit that the group was built on.
    pub base_sha: Sha,
    /// Target branch.
    pub base_ref: String,
    /// The pull request that the group's ref names.
    pub pull: Option<ItemId>,
    /// The group's end; `None` while it is being tested.
    pub end: Option<GroupEnd>,
}

/// The end of a merge group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum GroupEnd {
    /// Dissolved: its check results say nothing about what landed.
    Dissolved,
    /// Merged: its head commit is on the target branch.
    Merged,
}
