//! Pushes and merge groups.

use jiff::Timestamp;
use serde::Deserialize;

use crate::{
    domain::id::Sha,
    forge::github::payload::{Maybe, lenient::objects},
};

/// A commit in a push.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct PushedCommit {
    /// Commit id.
    pub id: Maybe<Sha>,
    /// Full commit message.
    pub message: Maybe<String>,
    /// Committer time.
    pub timestamp: Maybe<Timestamp>,
    /// True if no other branch had it.
    pub distinct: Maybe<bool>,
    /// Paths of added files.
    pub added: Maybe<Vec<Maybe<String>>>,
    /// Paths of changed files.
    pub modified: Maybe<Vec<Maybe<String>>>,
    /// Paths of removed files.
    pub removed: Maybe<Vec<Maybe<String>>>,
}

/// The pusher, as git describes it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Pusher {
    /// Account name.
    pub name: Maybe<String>,
}

/// A group of pull requests in a merge queue.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct MergeGroup {
    /// Commit to test.
    pub head_sha: Maybe<Sha>,
    /// `refs/heads/gh-readonly-queue/BRANCH/pr-NUMBER-SHA`.
    pub head_ref: Maybe<String>,
    /// Commit that the group is based on.
    pub base_sha: Maybe<Sha>,
    /// Full ref of the target branch.
    pub base_ref: Maybe<String>,
    /// Commit to test, with its time.
    pub head_commit: Maybe<PushedCommit>,
}

objects!(PushedCommit, Pusher, MergeGroup);
