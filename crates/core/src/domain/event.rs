//! What happened, in words of no particular forge.
//!
//! A forge adapter turns a delivery into one [`Event`]. Times are the forge's
//! own wherever the payload carries one; only where it carries none does the
//! moment of receipt stand in.

mod app;
mod check;
mod run;
mod ship;

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::{
    alert::Message,
    id::{Account, Actor, InstallationId, ItemNumber, RepoKey, Sha},
};

pub use crate::domain::event::app::App;
pub use crate::domain::event::check::{CheckSeen, RunOutcome, StatusSeen};
pub use crate::domain::event::run::{ProtectionSeen, WorkflowSeen};
pub use crate::domain::event::ship::{DeployState, DeployStatus, DeploymentSeen, ReleaseSeen};

/// One delivery, understood.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The forge's name for it with its action, such as `pull_request.closed`.
    pub name: String,
    /// The tenant that the payload names; checked against our own map before anything is written.
    pub installation: Option<InstallationId>,
    /// The repository it concerns; `None` for installation-wide events.
    pub repo: Option<RepoSeen>,
    /// Who caused it.
    pub sender: Option<Actor>,
    /// When the payload says that it happened, else when it was received.
    pub at: Timestamp,
    /// What was seen.
    pub seen: Seen,
}

/// A repository as a payload describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepoSeen {
    /// Which one.
    pub key: RepoKey,
    /// `owner/name` at that time.
    pub full_name: String,
    /// Its default branch, where the payload says so.
    pub default_branch: Option<String>,
    /// The owner: that of a personal repository may always write.
    pub owner: Account,
    /// Host of its web pages, with the port if there is one: `github.com`.
    #[serde(default)]
    pub web_host: Option<String>,
}

/// What an event lets us see.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Seen {
    /// An issue, or a pull request's issue side.
    Issue(Box<ItemSeen>),
    /// A pull request.
    Pull(Box<PullSeen>),
    /// A review of a pull request.
    Review(Box<ReviewSeen>),
    /// A comment on an issue or pull request.
    Comment(Box<CommentSeen>),
    /// A branch or tag moved.
    Push(Box<PushSeen>),
    /// A branch or tag was made or removed.
    Ref(RefSeen),
    /// A check run.
    Check(CheckSeen),
    /// Somebody asks for all of our checks on a commit to be run again.
    ChecksRerequested {
        /// The commit.
        sha: Sha,
    },
    /// A commit status.
    Status(StatusSeen),
    /// A workflow run: tells which check runs come from a schedule.
    Workflow(WorkflowSeen),
    /// A release.
    Release(ReleaseSeen),
    /// A deployment, with its newest status if the event carries one.
    Deployment(DeploymentSeen),
    /// A merge queue built a group.
    MergeGroup(MergeGroupSeen),
    /// A job waits for a deployment protection rule.
    Protection(ProtectionSeen),
    /// A repository was renamed, moved, archived, deleted.
    Repository(RepositoryChange),
    /// A label of the repository was made, changed or deleted.
    Label {
        /// Its name now.
        name: String,
        /// It no longer exists under that name (deleted), or under this older one (renamed).
        gone: Option<String>,
    },
    /// The App was installed, changed, suspended or removed.
    Installation(InstallationSeen),
    /// A monitoring connection said something to this repository.
    Alert(Box<Message>),
    /// Kept for the record; says nothing that a phase depends on.
    Nothing {
        /// Why it is ignored, for `deliveries show`.
        reason: String,
    },
}

impl Seen {
    /// The item that the event is about, if it is about one.
    pub fn item(&self) -> Option<ItemNumber> {
        match self {
            Self::Issue(item) => Some(item.number),
            Self::Pull(pull) => Some(pull.item.number),
            Self::Review(review) => Some(review.pull.item.number),
            Self::Comment(comment) => Some(comment.item.number),
            _ => None,
        }
    }
}

/// Why an item was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum CloseReason {
    /// Done.
    Completed,
    /// Will not be done.
    NotPlanned,
    /// Another item stands for it.
    Duplicate,
}

/// How the author stands to the repository, in the forge's words. Never
/// grants a command; orders only what to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
pub enum Association {
    /// Owns the repository.
    Owner,
    /// Member of the owning organisation.
    Member,
    /// Invited to the repository.
    Collaborator,
    /// Anyone else, or unknown.
    #[default]
    Other,
}

/// What the event did to the item, beside showing it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ItemChange {
    /// Opened for the first time.
    Opened,
    /// Closed.
    Closed,
    /// Opened again.
    Reopened,
    /// A label was put on.
    Labeled(String),
    /// A label was taken off.
    Unlabeled(String),
    /// Deleted, or moved to another repository.
    Gone,
    /// Anything else.
    Other,
}

/// An issue, or the part that a pull request shares with one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ItemSeen {
    /// Its number.
    pub number: ItemNumber,
    /// Whether it is a pull request.
    pub is_pull: bool,
    /// Title.
    pub title: String,
    /// Body, as written.
    pub body: String,
    /// Author.
    pub author: Option<Actor>,
    /// How the author stands to the repository.
    pub association: Association,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When what is seen here was true.
    pub updated_at: Timestamp,
    /// Open or closed.
    pub open: bool,
    /// When it was closed, if it is.
    pub closed_at: Option<Timestamp>,
    /// Why, where the forge says so.
    pub close_reason: Option<CloseReason>,
    /// Its labels; `None` where the payload has none to show.
    pub labels: Option<BTreeSet<String>>,
    /// Conversation locked.
    pub locked: bool,
    /// What the event did.
    pub change: ItemChange,
}

/// A pull request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PullSeen {
    /// What it shares with an issue.
    pub item: ItemSeen,
    /// Not ready for review.
    pub draft: bool,
    /// Source branch.
    pub head_ref: String,
    /// Source commit.
    pub head_sha: Sha,
    /// The source branch is in another repository, or in one since deleted.
    pub from_fork: bool,
    /// Target branch.
    pub base_ref: String,
    /// When it was merged.
    pub merged_at: Option<Timestamp>,
    /// The commit that the merge put on the target branch (for a rebase the
    /// last one). Meaningful only once merged: before that GitHub shows a
    /// test merge here.
    pub merge_sha: Option<Sha>,
    /// Who merged it.
    pub merged_by: Option<Actor>,
    /// Who pushed its newest commit, where the event is that push.
    #[serde(default)]
    pub pusher: Option<Actor>,
}

/// A review.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReviewSeen {
    /// The pull request as the payload shows it (no merge facts there).
    pub pull: PullSeen,
    /// The review's own id.
    pub id: u64,
    /// Reviewer.
    pub reviewer: Option<Actor>,
    /// How the reviewer stands to the repository.
    pub association: Association,
    /// What the review says now.
    pub verdict: Verdict,
    /// Which commit was reviewed.
    pub commit: Option<Sha>,
    /// When.
    pub submitted_at: Timestamp,
    /// The review's text: slash-commands count in it.
    pub body: String,
    /// The forge's global id, for reactions.
    #[serde(default)]
    pub node: Option<String>,
    /// The review was submitted by this event (not edited, not dismissed).
    pub submitted: bool,
}

/// What a review says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Verdict {
    /// Approved.
    Approved,
    /// Changes requested.
    ChangesRequested,
    /// Words only.
    Commented,
    /// Taken back.
    Dismissed,
}

/// A comment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CommentSeen {
    /// The item as the payload shows it.
    pub item: ItemSeen,
    /// The comment's id.
    pub id: u64,
    /// Author.
    pub author: Option<Actor>,
    /// Text.
    pub body: String,
    /// When it was written.
    pub created_at: Timestamp,
    /// It is new (not edited, not deleted).
    pub created: bool,
    /// The App that wrote it in its author's name, if one did.
    #[serde(default)]
    pub via: Option<App>,
}

/// A branch or tag that moved, was made or was removed by a push.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PushSeen {
    /// Which ref.
    pub name: RefName,
    /// Commit before; all zeroes when the ref is new.
    pub before: Sha,
    /// Commit after; all zeroes when the ref was removed.
    pub after: Sha,
    /// History was rewritten: `before` may not be an ancestor of `after`.
    pub forced: bool,
    /// The commits that came, oldest first.
    pub commits: Vec<CommitSeen>,
    /// The list does not tell all that came, or may not.
    pub truncated: bool,
    /// The branch from which a new one was made without a commit of its own.
    pub made_from: Option<String>,
    /// Whether one of the commits changed the policy file; `None`: they don't
    /// tell all that they changed.
    pub policy_file: Option<bool>,
    /// Who pushed.
    pub pusher: Option<Actor>,
}

/// A commit, with its message still whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CommitSeen {
    /// Which.
    pub sha: Sha,
    /// Its message.
    pub message: String,
    /// Parents, where the source tells them (a push does not).
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
    /// The name without its kind.
    pub fn name(&self) -> &str {
        match self {
            Self::Branch(name) | Self::Tag(name) => name,
        }
    }
}

/// A branch or tag was made or removed; says nothing of its commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefSeen {
    /// Which.
    pub name: RefName,
    /// Made, or removed.
    pub exists: bool,
}

/// A merge queue's group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergeGroupSeen {
    /// The commit that the queue tests.
    pub head_sha: Sha,
    /// The commit that it was built on.
    pub base_sha: Sha,
    /// Target branch.
    pub base_ref: String,
    /// The pull request that the group's ref names.
    pub pull: Option<ItemNumber>,
    /// How the group ended; `None`: it is being tested.
    pub end: Option<GroupEnd>,
}

/// How a merge queue's group ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum GroupEnd {
    /// Dissolved: what was found out about it says nothing of what landed.
    Dissolved,
    /// Merged: its head commit is on the target branch.
    Merged,
}

/// What became of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RepositoryChange {
    /// New name, owner, default branch or nothing of note: the payload's description holds.
    Described,
    /// Deleted.
    Deleted,
    /// Read-only from now on.
    Archived,
    /// Writable again.
    Unarchived,
}

/// What became of an installation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstallationSeen {
    /// Whether we may act for it from now on.
    pub active: bool,
    /// Repositories that came, by key and full name.
    pub added: Vec<(RepoKey, String)>,
    /// Repositories that went.
    pub removed: Vec<RepoKey>,
}
