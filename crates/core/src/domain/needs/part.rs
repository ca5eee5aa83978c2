//! Parts of the forge's answers.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::domain::{
    event::CheckSource,
    id::{Account, ItemId, Sha},
};

/// A job of a workflow run that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedJob {
    /// Name.
    pub name: String,
    /// Name of the first step that failed, if the forge names one.
    pub step: Option<String>,
    /// URL of its page, at the step; empty if there is none.
    pub url: String,
}

/// The people who made some commits, according to the forge.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(from = "StoredAuthors")]
pub struct Authors {
    /// Authors, committers and co-authors that have an account.
    pub people: BTreeSet<Account>,
    /// A commit that names an email address without an account, if there is one.
    pub anonymous: Option<Sha>,
}

/// Stored form of [`Authors`]. Earlier versions stored the logins only.
#[derive(Deserialize)]
#[serde(untagged)]
enum StoredAuthors {
    Logins(BTreeSet<String>),
    Whole { people: BTreeSet<Account>, anonymous: Option<Sha> },
}

impl From<StoredAuthors> for Authors {
    fn from(stored: StoredAuthors) -> Self {
        match stored {
            StoredAuthors::Logins(logins) => {
                Self { people: logins.into_iter().map(Account::login_only).collect(), anonymous: None }
            }
            StoredAuthors::Whole { people, anonymous } => Self { people, anonymous },
        }
    }
}

/// A change for which the forge closed an issue, once it was on the default branch.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Closer {
    /// A merged pull request.
    Pull(ItemId),
    /// A commit.
    Commit(Sha),
}

/// A check that the rules of a branch require.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RequiredCheck {
    /// Name of the check run, or context of the commit status.
    pub name: String,
    /// The source that has to report it; `None`: anyone may.
    #[serde(rename = "app")]
    pub source: Option<CheckSource>,
}

/// The head of a pull request at the time of the query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullHead {
    /// The head commit.
    pub sha: Sha,
    /// True if the head branch is in another repository, or in one that was deleted.
    pub from_fork: bool,
}

/// The object that a name refers to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolvedRef {
    /// Its kind.
    pub kind: ResolvedRefKind,
    /// The commit.
    pub sha: Sha,
}

/// The kind of object that a name refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ResolvedRefKind {
    /// A tag.
    Tag,
    /// A branch.
    Branch,
    /// A commit on the default branch.
    Landed,
    /// A commit that is not on the default branch. It may belong to another repository: forges find
    /// a fork's commits under every repository's name.
    Loose,
}

/// The place of a commit, according to the forge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CommitPlace {
    /// On the branch.
    OnBranch,
    /// Not on the branch, but at the head of another branch of this repository.
    Elsewhere,
    /// On no branch that the forge names. The commit may belong to a fork.
    Nowhere,
}
