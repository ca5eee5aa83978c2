//! Issues, pull requests, their comments and reviews.

use jiff::Timestamp;
use serde::Deserialize;

use crate::{
    domain::id::Sha,
    forge::github::payload::{Label, Maybe, Repository, User, Via, lenient::objects},
};

/// An issue, or the issue side of a pull request.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Issue {
    /// Number within the repository.
    pub number: Maybe<u64>,
    /// Title.
    pub title: Maybe<String>,
    /// Body; null if empty.
    pub body: Maybe<String>,
    /// Author; null if the account is gone.
    pub user: Maybe<User>,
    /// `OWNER`, `MEMBER`, `COLLABORATOR`, …
    pub author_association: Maybe<String>,
    /// When it was opened.
    pub created_at: Maybe<Timestamp>,
    /// When it last changed.
    pub updated_at: Maybe<Timestamp>,
    /// When it was closed; null while open.
    pub closed_at: Maybe<Timestamp>,
    /// `open` or `closed`; `issues.pinned` and `.unpinned` may lack it.
    pub state: Maybe<String>,
    /// `completed`, `not_planned`, `duplicate`, `reopened` or null.
    pub state_reason: Maybe<String>,
    /// Labels.
    pub labels: Maybe<Vec<Maybe<Label>>>,
    /// Conversation locked.
    pub locked: Maybe<bool>,
    /// There if it is a pull request.
    pub pull_request: Maybe<PullLinks>,
}

/// The links that mark an issue as a pull request's.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct PullLinks {}

/// A pull request. What it shares with an issue is read as an [`Issue`].
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Pull {
    /// Not ready for review.
    pub draft: Maybe<bool>,
    /// Source.
    pub head: Maybe<PullEnd>,
    /// Target.
    pub base: Maybe<PullEnd>,
    /// Whether it was merged; not in a review's payload.
    pub merged: Maybe<bool>,
    /// When it was merged.
    pub merged_at: Maybe<Timestamp>,
    /// The merge; a test merge until it is merged.
    pub merge_commit_sha: Maybe<Sha>,
    /// Who merged it; not in a review's payload.
    pub merged_by: Maybe<User>,
}

/// Source or target of a pull request.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct PullEnd {
    /// Branch.
    #[serde(rename = "ref")]
    pub branch: Maybe<String>,
    /// Commit.
    pub sha: Maybe<Sha>,
    /// Repository; null if it was deleted.
    pub repo: Maybe<Repository>,
}

/// A comment on an issue or pull request.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Comment {
    /// Its number.
    pub id: Maybe<u64>,
    /// Author.
    pub user: Maybe<User>,
    /// Text.
    pub body: Maybe<String>,
    /// When it was written.
    pub created_at: Maybe<Timestamp>,
    /// When it was last edited.
    pub updated_at: Maybe<Timestamp>,
    /// The App that wrote it in its author's name; null if its author did.
    pub performed_via_github_app: Maybe<Via>,
}

/// A review of a pull request.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Review {
    /// Its number.
    pub id: Maybe<u64>,
    /// Its global id, as GraphQL knows it.
    pub node_id: Maybe<String>,
    /// Reviewer.
    pub user: Maybe<User>,
    /// `OWNER`, `MEMBER`, `COLLABORATOR`, …
    pub author_association: Maybe<String>,
    /// `approved`, `changes_requested`, `commented`, `dismissed`; upper case in the API.
    pub state: Maybe<String>,
    /// The commit that was reviewed.
    pub commit_id: Maybe<Sha>,
    /// When.
    pub submitted_at: Maybe<Timestamp>,
    /// When it was last edited or dismissed; newer payloads have it.
    pub updated_at: Maybe<Timestamp>,
    /// Text; null if empty.
    pub body: Maybe<String>,
}

objects!(Issue, PullLinks, Pull, PullEnd, Comment, Review);
