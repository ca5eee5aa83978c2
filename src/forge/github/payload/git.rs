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
    /// Which.
    pub id: Maybe<Sha>,
    /// Its message, whole.
    pub message: Maybe<String>,
    /// When it was committed.
    pub timestamp: Maybe<Timestamp>,
    /// Files that it added.
    pub added: Maybe<Vec<Maybe<String>>>,
    /// Files that it changed.
    pub modified: Maybe<Vec<Maybe<String>>>,
    /// Files that it removed.
    pub removed: Maybe<Vec<Maybe<String>>>,
}

/// Who pushed, in git's words.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Pusher {
    /// Account name.
    pub name: Maybe<String>,
}

/// A merge queue's group.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct MergeGroup {
    /// The commit to be tested.
    pub head_sha: Maybe<Sha>,
    /// `refs/heads/gh-readonly-queue/BRANCH/pr-NUMBER-SHA`.
    pub head_ref: Maybe<String>,
    /// The commit that it was built on.
    pub base_sha: Maybe<Sha>,
    /// Full ref of the target branch.
    pub base_ref: Maybe<String>,
    /// The commit to be tested, with its time.
    pub head_commit: Maybe<PushedCommit>,
}

objects!(PushedCommit, Pusher, MergeGroup);
