//! Forge-independent events.
//!
//! A forge adapter turns a delivery into one [`Event`]. Times are the forge's own wherever the
//! payload carries one; otherwise the time of receipt is used.

mod app;
mod check;
mod external;
mod git;
mod run;
mod ship;
mod stack;
mod verdict;

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::{
    alert::Message,
    id::{Account, AccountId, Actor, ConnectionId, ItemId, RepoKey, Sha},
};

pub use crate::domain::event::app::App;
pub use crate::domain::event::check::{CheckSeen, CheckSource, RunOutcome, StatusSeen, is_own_name};
pub use crate::domain::event::external::{ExternalDeployment, ExternalState, is_external, removed_at};
pub use crate::domain::event::git::{CommitSeen, GroupEnd, MergeGroupSeen, NewCommits, PushSeen, RefName, RefSeen};
pub use crate::domain::event::run::{ProtectionSeen, RunTrigger, WorkflowSeen};
pub use crate::domain::event::ship::{DeployState, DeployStatus, DeploymentSeen, ReleaseSeen};
pub use crate::domain::event::stack::{StackPlace, StackSeen};
pub use crate::domain::event::verdict::{VerdictSeen, VerdictState};

/// A decoded delivery.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The forge's name of the event with its action, such as `pull_request.closed`.
    pub name: String,
    /// The connection that the payload names. It is checked against our own records before anything
    /// is written.
    #[serde(alias = "installation")]
    pub connection: Option<ConnectionId>,
    /// The repository; `None` for connection-wide events.
    pub repo: Option<RepoSeen>,
    /// The account that caused the event.
    pub sender: Option<Actor>,
    /// The time of the event according to the payload, else the time of receipt.
    pub at: Timestamp,
    /// The content of the event.
    pub seen: Seen,
}

/// A repository as a payload describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepoSeen {
    /// The repository's key.
    pub key: RepoKey,
    /// `owner/name` at the time of the event.
    pub full_name: String,
    /// The default branch, if the payload has it.
    pub default_branch: Option<String>,
    /// The owner. The owner of a personal repository may always write.
    pub owner: Account,
    /// Whether only some people can see it, if the payload has it.
    #[serde(default)]
    pub private: Option<bool>,
    /// The host of the repository's web pages, with the port if there is one: `github.com`.
    #[serde(default)]
    pub web_host: Option<String>,
}

/// The content of an [`Event`].
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
    /// A push to a branch or tag.
    Push(Box<PushSeen>),
    /// A branch or tag was created or deleted.
    Ref(RefSeen),
    /// A check run.
    Check(CheckSeen),
    /// Somebody requested that all our checks on a commit run again.
    ChecksRerequested {
        /// The commit.
        sha: Sha,
    },
    /// A commit status.
    Status(StatusSeen),
    /// A workflow run. It shows which check runs a schedule started.
    Workflow(WorkflowSeen),
    /// A release.
    Release(ReleaseSeen),
    /// A deployment, with its newest status if the event carries one.
    Deployment(DeploymentSeen),
    /// A deployment that another system than the forge reports.
    External(Box<ExternalDeployment>),
    /// A verdict of another system on a commit.
    Verdict(Box<VerdictSeen>),
    /// A merge queue created or ended a merge group.
    MergeGroup(MergeGroupSeen),
    /// A job is waiting for a deployment protection rule.
    Protection(ProtectionSeen),
    /// A repository was renamed, transferred, archived or deleted.
    Repository(RepositoryChange),
    /// A label of the repository was created, changed or deleted.
    Label {
        /// The label's current name.
        name: String,
        /// The name that no longer exists: the deleted label's, or the renamed label's old one.
        gone: Option<String>,
    },
    /// A connection was made, changed, suspended or removed, such as an App's installation.
    Connection(ConnectionSeen),
    /// A person took back what the App may do in their name.
    Revoked {
        /// The person.
        person: AccountId,
    },
    /// An alert message for this repository from a monitoring connection.
    Alert(Box<Message>),
    /// An event that is recorded but affects no phase.
    Nothing {
        /// The reason why it is ignored, for `deliveries show`.
        reason: String,
    },
}

impl Seen {
    /// Returns the number of the item that the event is about, if any.
    pub fn item(&self) -> Option<ItemId> {
        match self {
            Self::Issue(item) => Some(item.number),
            Self::Pull(pull) => Some(pull.item.number),
            Self::Review(review) => Some(review.pull.item.number),
            Self::Comment(comment) => Some(comment.item.number),
            Self::Push(_)
            | Self::Ref(_)
            | Self::Check(_)
            | Self::ChecksRerequested { .. }
            | Self::Status(_)
            | Self::Workflow(_)
            | Self::Release(_)
            | Self::Deployment(_)
            | Self::External(_)
            | Self::Verdict(_)
            | Self::MergeGroup(_)
            | Self::Protection(_)
            | Self::Repository(_)
            | Self::Label { .. }
            | Self::Connection(_)
            | Self::Revoked { .. }
            | Self::Alert(_)
            | Self::Nothing { .. } => None,
        }
    }
}

/// The reason why an item was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum CloseReason {
    /// Done.
    Completed,
    /// Will not be done.
    NotPlanned,
    /// Superseded by another item.
    Duplicate,
}

/// The author's association with the repository, as the forge reports it. It never grants the use
/// of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
pub enum Association {
    /// Owner of the repository.
    Owner,
    /// Member of the owning organisation.
    Member,
    /// Collaborator who was invited to the repository.
    Collaborator,
    /// Anyone else, or unknown.
    #[default]
    Other,
}

/// The change that the event made to the item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ItemChange {
    /// Opened for the first time.
    Opened,
    /// Closed.
    Closed,
    /// Reopened.
    Reopened,
    /// The label was added.
    Labeled(String),
    /// The label was removed.
    Unlabeled(String),
    /// Deleted, or transferred to another repository.
    Gone,
    /// Anything else.
    Other,
}

/// An issue, or the part that a pull request shares with an issue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ItemSeen {
    /// Issue or pull request number.
    pub number: ItemId,
    /// True if the item is a pull request.
    pub is_pull: bool,
    /// Title.
    pub title: String,
    /// Body, as written.
    pub body: String,
    /// Author.
    pub author: Option<Actor>,
    /// The author's association with the repository.
    pub association: Association,
    /// Creation time.
    pub created_at: Timestamp,
    /// Time at which this state of the item was current.
    pub updated_at: Timestamp,
    /// True if the item is open.
    pub open: bool,
    /// Time at which the item was closed, if it is closed.
    pub closed_at: Option<Timestamp>,
    /// The reason for closing, if the forge reports one.
    pub close_reason: Option<CloseReason>,
    /// The item's labels; `None` if the payload has none to show.
    pub labels: Option<BTreeSet<String>>,
    /// True if the conversation is locked.
    pub locked: bool,
    /// The change that the event made.
    pub change: ItemChange,
}

impl ItemSeen {
    /// Returns an item as it is opened: without text and labels.
    pub fn opened(number: ItemId, is_pull: bool, title: String, author: Option<Actor>, at: Timestamp) -> Self {
        Self {
            number,
            is_pull,
            title,
            body: String::new(),
            author,
            association: Association::Other,
            created_at: at,
            updated_at: at,
            open: true,
            closed_at: None,
            close_reason: None,
            labels: Some(BTreeSet::new()),
            locked: false,
            change: ItemChange::Opened,
        }
    }
}

/// A pull request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PullSeen {
    /// The part that it shares with an issue.
    pub item: ItemSeen,
    /// True if it is a draft.
    pub draft: bool,
    /// Source branch.
    pub head_ref: String,
    /// Head commit of the source branch.
    pub head_sha: Sha,
    /// True if the source branch is in another repository, or in one that was deleted.
    pub from_fork: bool,
    /// Target branch.
    pub base_ref: String,
    /// Merge time, if it is merged.
    pub merged_at: Option<Timestamp>,
    /// The commit that the merge put on the target branch (after a rebase merge, the last one). It
    /// is meaningful only once the pull request is merged: before that, GitHub reports a test merge
    /// here.
    pub merge_sha: Option<Sha>,
    /// The account that merged it.
    pub merged_by: Option<Actor>,
    /// The account that pushed the newest commit, if the event is that push.
    #[serde(default)]
    pub pusher: Option<Actor>,
    /// Its place in a stack.
    #[serde(default)]
    pub stack: StackSeen,
    /// True if the event put it into a merge queue, false if the event took it out; `None` for any
    /// other event.
    #[serde(default)]
    pub queued: Option<bool>,
}

/// A review.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReviewSeen {
    /// The pull request as the payload shows it. The payload has no merge facts.
    pub pull: PullSeen,
    /// Review id.
    pub id: u64,
    /// Reviewer.
    pub reviewer: Option<Actor>,
    /// The reviewer's association with the repository.
    pub association: Association,
    /// The current verdict.
    pub verdict: Verdict,
    /// The reviewed commit.
    pub commit: Option<Sha>,
    /// Time of submission.
    pub submitted_at: Timestamp,
    /// The review's text. Slash commands in it count.
    pub body: String,
    /// The forge's global id, for reactions.
    #[serde(default)]
    pub node: Option<String>,
    /// True if this event submitted the review, rather than edited or dismissed it.
    pub submitted: bool,
}

/// The verdict of a review.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Verdict {
    /// Approved.
    Approved,
    /// Changes requested.
    ChangesRequested,
    /// Commented only.
    Commented,
    /// Dismissed.
    Dismissed,
}

/// A comment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CommentSeen {
    /// The item as the payload shows it.
    pub item: ItemSeen,
    /// Comment id.
    pub id: u64,
    /// Author.
    pub author: Option<Actor>,
    /// Text.
    pub body: String,
    /// Creation time.
    pub created_at: Timestamp,
    /// True if this event created the comment, rather than edited or deleted it.
    pub created: bool,
    /// The App that wrote the comment in its author's name, if any.
    #[serde(default)]
    pub via: Option<App>,
}

/// A change to a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RepositoryChange {
    /// A new name, owner or default branch, or nothing relevant: its description applies.
    Described,
    /// Deleted.
    Deleted,
    /// Archived: read-only from now on.
    Archived,
    /// Unarchived: writable again.
    Unarchived,
}

/// A change to a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionSeen {
    /// True if we may act for the connection from now on.
    pub active: bool,
    /// Repositories that were added, by key and full name.
    pub added: Vec<(RepoKey, String)>,
    /// Repositories that were removed.
    pub removed: Vec<RepoKey>,
}
