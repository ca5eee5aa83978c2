//! Facts that a decision wants and the store does not hold.
//!
//! The shell asks the forge once, keeps the answer as a fact, and decides
//! again. An answer that can't be had is kept as such: unknown is not «no».

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::{
    event::{CheckSeen, CommitSeen, StatusSeen},
    fact::{deploy_request::RunFacts, item::ReviewFact},
    id::{Account, AccountId, ItemNumber, Sha},
    permission::Role,
};

/// One question to a forge.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Need {
    /// May this account write to the repository?
    Writer {
        /// The account's number; `None`: an earlier version asked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<AccountId>,
        /// What it was called when it was seen.
        login: String,
    },
    /// Which role has this account on the repository?
    Role {
        /// The account's number.
        id: AccountId,
        /// What it was called when it was seen.
        login: String,
    },
    /// Is this account in this team of the repository's owner?
    Member {
        /// The account's number.
        id: AccountId,
        /// What it was called when it was seen.
        login: String,
        /// The team: `sre`, or `acme/sre`.
        team: String,
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
    /// What closed this issue, if the forge closed it for a change that landed?
    Closer {
        /// The issue.
        issue: ItemNumber,
        /// When it was closed.
        at: Timestamp,
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
    /// Where is this branch?
    BranchHead {
        /// The branch.
        branch: String,
    },
    /// Which tags are there?
    Tags,
    /// What ran on this commit?
    Checks {
        /// The commit.
        sha: Sha,
    },
    /// Which issues are open, of a label or a milestone?
    OpenIssues {
        /// The label.
        label: Option<String>,
        /// The milestone's title.
        milestone: Option<String>,
    },
    /// Who made the commits that `head` has and `base` has not; without a base, `head` alone?
    #[serde(alias = "CommitAuthors")]
    Authors {
        /// Older end.
        #[serde(default)]
        base: Option<Sha>,
        /// Newer end.
        #[serde(alias = "sha")]
        head: Sha,
    },
    /// Is this tag signed, so that the forge could verify it?
    TagSignature {
        /// The tag.
        tag: String,
    },
    /// Is this commit on this branch, or else in this repository at all? Forges
    /// find a fork's commits under every repository's name.
    CommitPlace {
        /// The commit.
        sha: Sha,
        /// The branch.
        branch: String,
    },
    /// Which pull requests brought this commit?
    PullsOf {
        /// The commit.
        sha: Sha,
    },
    /// What did reviewers say of this pull request?
    Reviews {
        /// The pull request.
        pull: ItemNumber,
    },
    /// Who started this workflow run?
    Starters {
        /// The run.
        run: u64,
    },
    /// Which checks do the branch's rules require?
    RequiredChecks {
        /// The branch.
        branch: String,
    },
    /// What does this name stand for? Asked anew for each purpose.
    Named {
        /// A tag, a branch or a commit.
        name: String,
        /// The default branch: what is on it is this repository's own.
        default_branch: String,
        /// What it is asked for.
        purpose: String,
    },
    /// Which runs did this event start at this commit? Asked anew for each purpose.
    RunsAt {
        /// The commit; `None`: any.
        sha: Option<Sha>,
        /// `deployment` or `workflow_dispatch`.
        trigger: String,
        /// What it is asked for.
        purpose: String,
    },
}

impl Need {
    /// The name of its kind: what fails for one may well fail for all of them.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Writer { .. } => "writer",
            Self::Role { .. } => "role",
            Self::Member { .. } => "member",
            Self::LinkedIssues { .. } => "linked_issues",
            Self::LinkedBranches { .. } => "linked_branches",
            Self::Closer { .. } => "closer",
            Self::Commits { .. } => "commits",
            Self::TagCommit { .. } => "tag_commit",
            Self::BranchHead { .. } => "branch_head",
            Self::Tags => "tags",
            Self::Checks { .. } => "checks",
            Self::OpenIssues { .. } => "open_issues",
            Self::Authors { .. } => "authors",
            Self::TagSignature { .. } => "tag_signature",
            Self::CommitPlace { .. } => "commit_place",
            Self::PullsOf { .. } => "pulls_of",
            Self::Reviews { .. } => "reviews",
            Self::Starters { .. } => "starters",
            Self::RequiredChecks { .. } => "required_checks",
            Self::Named { .. } => "named",
            Self::RunsAt { .. } => "runs_at",
        }
    }
}

/// The forge's answer to a [`Need`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    /// To [`Need::Writer`].
    Writer(bool),
    /// To [`Need::Role`].
    Role(Role),
    /// To [`Need::Member`].
    Member(bool),
    /// To [`Need::LinkedIssues`].
    LinkedIssues(BTreeSet<ItemNumber>),
    /// To [`Need::LinkedBranches`].
    LinkedBranches(BTreeSet<String>),
    /// To [`Need::Closer`]; `None`: a person, or something of another repository.
    Closer(Option<Closer>),
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
    /// To [`Need::Named`]; `None`: nothing has that name.
    Named(Option<ResolvedRef>),
    /// To [`Need::RunsAt`].
    Runs(BTreeMap<u64, RunFacts>),
    /// To [`Need::BranchHead`].
    BranchHead(Sha),
    /// To [`Need::Tags`]: their commits by name.
    Tags(BTreeMap<String, Sha>),
    /// It was kept as facts of its own.
    Kept,
    /// To [`Need::Checks`].
    Checks {
        /// Check runs.
        runs: Vec<CheckSeen>,
        /// Commit statuses.
        statuses: Vec<StatusSeen>,
    },
    /// To [`Need::OpenIssues`].
    OpenIssues(BTreeSet<ItemNumber>),
    /// To [`Need::Authors`].
    #[serde(alias = "CommitAuthors")]
    Authors(Authors),
    /// To [`Need::TagSignature`].
    TagSignature {
        /// The forge verified a signature of the tag.
        verified: bool,
        /// The forge's word for it, such as `unsigned`.
        reason: String,
    },
    /// To [`Need::CommitPlace`].
    CommitPlace(CommitPlace),
    /// To [`Need::PullsOf`]: merged ones, with the branch that each went into.
    BroughtBy(BTreeMap<ItemNumber, String>),
    /// To [`Need::Reviews`].
    Reviews {
        /// Its newest commit.
        head: Sha,
        /// Who opened it.
        author: Option<Account>,
        /// Who merged it, if it is merged.
        #[serde(default)]
        merged_by: Option<Account>,
        /// Reviews by id.
        reviews: BTreeMap<u64, ReviewFact>,
    },
    /// To [`Need::Starters`]: its actor, and who had it run again.
    Starters(BTreeSet<Account>),
    /// To [`Need::RequiredChecks`].
    RequiredChecks(BTreeSet<RequiredCheck>),
    /// The forge would not or could not say.
    Unavailable {
        /// Its words, for `/why`.
        why: String,
    },
}

/// Who made some commits, by the forge's record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(from = "StoredAuthors")]
pub struct Authors {
    /// Authors, committers and co-authors that have an account.
    pub people: BTreeSet<Account>,
    /// A commit that names an address which belongs to no account, if one does.
    pub anonymous: Option<Sha>,
}

/// Earlier versions kept the logins alone.
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
    Pull(ItemNumber),
    /// A commit.
    Commit(Sha),
}

/// A check that the rules of a branch require.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RequiredCheck {
    /// Name of the check run, or context of the commit status.
    pub name: String,
    /// The App that has to report it; `None`: anybody may.
    pub app: Option<u64>,
}

/// The head of a pull request at the moment of asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullHead {
    /// Its commit.
    pub sha: Sha,
    /// It is in another repository, or in one that is gone.
    pub from_fork: bool,
}

/// What a name stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolvedRef {
    /// What it is.
    pub kind: ResolvedRefKind,
    /// The commit.
    pub sha: Sha,
}

/// What kind of thing a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ResolvedRefKind {
    /// A tag.
    Tag,
    /// A branch.
    Branch,
    /// A commit on the default branch.
    Landed,
    /// A commit that is not on the default branch. It may be another
    /// repository's: forges find a fork's commits under every name.
    Loose,
}

/// Where a commit is, as a forge tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CommitPlace {
    /// On the branch.
    OnBranch,
    /// Not on it, but at the head of another branch of this repository.
    Elsewhere,
    /// On no branch that the forge names: it may be a fork's.
    Nowhere,
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
