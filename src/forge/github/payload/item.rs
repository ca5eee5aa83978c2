//! Issues, pull requests, their comments and reviews.

use jiff::Timestamp;
use serde::Deserialize;

use crate::{
    domain::id::Sha,
    forge::github::payload::{Field, Label, Maybe, Repository, User, Via, lenient::objects},
};

/// An issue, or the fields of a pull request that issues have too.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Issue {
    /// Number within the repository.
    pub number: Maybe<u64>,
    /// Title.
    pub title: Maybe<String>,
    /// Body; null if empty.
    pub body: Maybe<String>,
    /// Author; null if the account was deleted.
    pub user: Maybe<User>,
    /// Author's relation to the repository: `OWNER`, `MEMBER`, `COLLABORATOR`, …
    pub author_association: Maybe<String>,
    /// Time of creation.
    pub created_at: Maybe<Timestamp>,
    /// Time of the last change.
    pub updated_at: Maybe<Timestamp>,
    /// Time of closing; null while open.
    pub closed_at: Maybe<Timestamp>,
    /// `open` or `closed`; can be missing in `issues.pinned` and `issues.unpinned`.
    pub state: Maybe<String>,
    /// `completed`, `not_planned`, `duplicate`, `reopened` or null.
    pub state_reason: Maybe<String>,
    /// Labels.
    pub labels: Maybe<Vec<Maybe<Label>>>,
    /// Whether the conversation is locked.
    pub locked: Maybe<bool>,
    /// Present if this is a pull request.
    pub pull_request: Maybe<PullLinks>,
}

/// Object whose presence marks an issue as a pull request.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct PullLinks {}

/// A pull request. The fields that it shares with an issue are read as an [`Issue`].
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Pull {
    /// Whether the pull request is a draft.
    pub draft: Maybe<bool>,
    /// Source branch.
    pub head: Maybe<PullEnd>,
    /// Target branch.
    pub base: Maybe<PullEnd>,
    /// Whether it was merged; missing in a review's payload.
    pub merged: Maybe<bool>,
    /// Time of the merge.
    pub merged_at: Maybe<Timestamp>,
    /// Merge commit; the test merge commit until the pull request is merged.
    pub merge_commit_sha: Maybe<Sha>,
    /// Account that merged it; missing in a review's payload.
    pub merged_by: Maybe<User>,
    /// Stack to which it belongs; null if it belongs to none, missing in some payloads.
    pub stack: Field<Stack>,
}

/// A stack of pull requests, as seen from one of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Stack {
    /// Number within the repository.
    pub number: Maybe<u64>,
    /// Number of pull requests in it.
    pub size: Maybe<u64>,
    /// Position of this pull request, from 1 at the bottom.
    pub position: Maybe<u64>,
    /// Branch that all of it is to land on.
    pub base: Maybe<StackBase>,
}

/// Branch that a stack is to land on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct StackBase {
    /// Branch name.
    #[serde(rename = "ref")]
    pub branch: Maybe<String>,
}

/// Source or target branch of a pull request.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct PullEnd {
    /// Branch name.
    #[serde(rename = "ref")]
    pub branch: Maybe<String>,
    /// Head commit.
    pub sha: Maybe<Sha>,
    /// Repository; null if it was deleted.
    pub repo: Maybe<Repository>,
}

/// A comment on an issue or pull request.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Comment {
    /// Comment id.
    pub id: Maybe<u64>,
    /// Author.
    pub user: Maybe<User>,
    /// Text.
    pub body: Maybe<String>,
    /// Time of creation.
    pub created_at: Maybe<Timestamp>,
    /// Time of the last edit.
    pub updated_at: Maybe<Timestamp>,
    /// App that wrote the comment on behalf of its author; null if the author wrote it directly.
    pub performed_via_github_app: Maybe<Via>,
}

/// A review of a pull request.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Review {
    /// Review id.
    pub id: Maybe<u64>,
    /// Global id for GraphQL.
    pub node_id: Maybe<String>,
    /// Reviewer.
    pub user: Maybe<User>,
    /// Reviewer's relation to the repository: `OWNER`, `MEMBER`, `COLLABORATOR`, …
    pub author_association: Maybe<String>,
    /// `approved`, `changes_requested`, `commented`, `dismissed`; in upper case in the API.
    pub state: Maybe<String>,
    /// Reviewed commit.
    pub commit_id: Maybe<Sha>,
    /// Time of submission.
    pub submitted_at: Maybe<Timestamp>,
    /// Time of the last edit or dismissal; only in newer payloads.
    pub updated_at: Maybe<Timestamp>,
    /// Text; null if empty.
    pub body: Maybe<String>,
}

objects!(Issue, PullLinks, Pull, Stack, StackBase, PullEnd, Comment, Review);
