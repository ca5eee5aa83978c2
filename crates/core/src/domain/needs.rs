//! Queries to the forge for facts that an evaluation needs and the store does not hold.
//!
//! The shell asks the forge once, stores the answer as a fact, and evaluates again. An answer that
//! is not available is stored as such: unknown is not "no".

mod part;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::{
    event::{CheckSeen, CommitSeen, RunTrigger, StatusSeen},
    fact::{deploy_request::RunFacts, item::ReviewFact, paths::Paths},
    id::{Account, AccountId, ItemId, Sha},
    permission::Role,
    schema::SchemaChange,
};

pub use crate::domain::needs::part::{
    Authors, Closer, CommitPlace, FailedJob, PullHead, RequiredCheck, ResolvedRef, ResolvedRefKind,
};

/// A query to a forge.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Need {
    /// Asks if the account may write to the repository.
    Writer {
        /// The account's id; `None` in a query that an earlier version stored.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<AccountId>,
        /// Login at the time when the account was seen.
        login: String,
    },
    /// Asks for the account's role on the repository.
    Role {
        /// The account's id.
        id: AccountId,
        /// Login at the time when the account was seen.
        login: String,
    },
    /// Asks if the account is a member of a team of the repository's owner.
    Member {
        /// The account's id.
        id: AccountId,
        /// Login at the time when the account was seen.
        login: String,
        /// The team: `sre`, or `acme/sre`.
        team: String,
    },
    /// Asks for the issues that the forge itself lists as closed by the pull request.
    LinkedIssues {
        /// The pull request.
        pull: ItemId,
    },
    /// Asks for the branches that the forge lists as linked to the issue.
    LinkedBranches {
        /// The issue.
        issue: ItemId,
    },
    /// Asks which change closed the issue, if the forge closed it for a change that landed.
    Closer {
        /// The issue.
        issue: ItemId,
        /// Time at which it was closed.
        at: Timestamp,
    },
    /// Asks for the commits that are in `head` but not in `base`; without a base, for the whole
    /// recent history of `head`.
    Commits {
        /// Older end.
        base: Option<Sha>,
        /// Newer end.
        head: Sha,
    },
    /// Asks for the commit that the tag names.
    TagCommit {
        /// The tag.
        tag: String,
    },
    /// Asks for the head commit of the branch.
    BranchHead {
        /// The branch.
        branch: String,
    },
    /// Asks for all tags.
    Tags,
    /// Asks for the checks that ran on the commit.
    Checks {
        /// The commit.
        sha: Sha,
    },
    /// Asks for the open issues with a label or in a milestone.
    OpenIssues {
        /// The label.
        label: Option<String>,
        /// The milestone's title.
        milestone: Option<String>,
    },
    /// Asks who made the commits that are in `head` but not in `base`; without a base, who made
    /// `head` alone.
    #[serde(alias = "CommitAuthors")]
    Authors {
        /// Older end.
        #[serde(default)]
        base: Option<Sha>,
        /// Newer end.
        #[serde(alias = "sha")]
        head: Sha,
    },
    /// Asks if the tag is signed and the forge verified the signature.
    TagSignature {
        /// The tag.
        tag: String,
    },
    /// Asks if the commit is on the branch, or else in this repository at all. Forges find a fork's
    /// commits under every repository's name.
    CommitPlace {
        /// The commit.
        sha: Sha,
        /// The branch.
        branch: String,
    },
    /// Asks for the pull requests that brought the commit.
    PullsOf {
        /// The commit.
        sha: Sha,
    },
    /// Asks for the reviews of the pull request.
    Reviews {
        /// The pull request.
        pull: ItemId,
    },
    /// Asks who started the workflow run.
    Starters {
        /// The run.
        run: u64,
    },
    /// Asks for the checks that the branch's rules require.
    RequiredChecks {
        /// The branch.
        branch: String,
    },
    /// Asks what a name refers to. It is asked separately for each purpose.
    Named {
        /// A tag, a branch or a commit.
        name: String,
        /// The default branch: a commit on it is certain to be this repository's own.
        default_branch: String,
        /// The purpose of the query.
        purpose: String,
    },
    /// Asks for the workflow runs that an event started at a commit. It is asked separately for
    /// each purpose.
    RunsAt {
        /// The commit; `None`: any.
        sha: Option<Sha>,
        /// The kind of event.
        trigger: RunTrigger,
        /// The purpose of the query.
        purpose: String,
    },
    /// Asks for the job that failed in an attempt of a workflow run.
    FailedJob {
        /// The run.
        run: u64,
        /// Number of the attempt, from 1.
        attempt: u64,
    },
    /// Asks which files a merged pull request touches.
    FilesOfPull {
        /// The pull request.
        pull: ItemId,
    },
    /// Asks which files a commit touches.
    FilesOfCommit {
        /// The commit.
        sha: Sha,
    },
    /// Asks which files a comparison shows: those that `head` changes since it left `base`.
    FilesBetween {
        /// The older end.
        base: Sha,
        /// The newer end.
        head: Sha,
    },
    /// Asks if a job began in an attempt of a workflow run that was cancelled.
    AnyJobBegan {
        /// The run.
        run: u64,
        /// Number of the attempt, from 1.
        attempt: u64,
    },
    /// Asks a database for its schema changes into a branch: every open one, and the newest of the
    /// others.
    SchemaChanges {
        /// The connection.
        connection: String,
        /// The database branch.
        into: String,
    },
    /// Asks a database for one schema change.
    SchemaChange {
        /// The connection.
        connection: String,
        /// Its number.
        number: u64,
    },
}

impl Need {
    /// Returns the connection whose database is asked; `None`: the forge is.
    pub fn database(&self) -> Option<&str> {
        match self {
            Self::SchemaChanges { connection, .. } | Self::SchemaChange { connection, .. } => Some(connection),
            Self::Writer { .. }
            | Self::Role { .. }
            | Self::Member { .. }
            | Self::LinkedIssues { .. }
            | Self::LinkedBranches { .. }
            | Self::Closer { .. }
            | Self::Commits { .. }
            | Self::TagCommit { .. }
            | Self::BranchHead { .. }
            | Self::Tags
            | Self::Checks { .. }
            | Self::OpenIssues { .. }
            | Self::Authors { .. }
            | Self::TagSignature { .. }
            | Self::CommitPlace { .. }
            | Self::PullsOf { .. }
            | Self::Reviews { .. }
            | Self::Starters { .. }
            | Self::RequiredChecks { .. }
            | Self::Named { .. }
            | Self::RunsAt { .. }
            | Self::FailedJob { .. }
            | Self::FilesOfPull { .. }
            | Self::FilesOfCommit { .. }
            | Self::FilesBetween { .. }
            | Self::AnyJobBegan { .. } => None,
        }
    }

    /// Returns the name of the query's kind. If the forge fails to answer one query of a kind, it
    /// is likely to fail for all of that kind.
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
            Self::FailedJob { .. } => "failed_job",
            Self::FilesOfPull { .. } => "files_of_pull",
            Self::FilesOfCommit { .. } => "files_of_commit",
            Self::FilesBetween { .. } => "files_between",
            Self::AnyJobBegan { .. } => "any_job_began",
            Self::SchemaChanges { .. } => "schema_changes",
            Self::SchemaChange { .. } => "schema_change",
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
    LinkedIssues(BTreeSet<ItemId>),
    /// To [`Need::LinkedBranches`].
    LinkedBranches(BTreeSet<String>),
    /// To [`Need::Closer`]; `None`: a person closed the issue, or a change in another repository.
    Closer(Option<Closer>),
    /// To [`Need::Commits`].
    Commits {
        /// Best common ancestor of base and head; `None` without a base, or without common history.
        merge_base: Option<Sha>,
        /// The commits, oldest first.
        commits: Vec<CommitSeen>,
        /// True if all commits were listed.
        complete: bool,
    },
    /// To [`Need::TagCommit`].
    TagCommit(Sha),
    /// To [`Need::Named`]; `None`: nothing has that name.
    Named(Option<ResolvedRef>),
    /// To [`Need::RunsAt`]: runs by id.
    Runs(BTreeMap<u64, RunFacts>),
    /// To [`Need::FailedJob`]; `None`: no job failed.
    FailedJob(Option<FailedJob>),
    /// To [`Need::FilesOfPull`], [`Need::FilesOfCommit`] and [`Need::FilesBetween`], by old and new
    /// name; `None`: the forge does not list them all.
    Files(Option<Paths>),
    /// To [`Need::AnyJobBegan`].
    AnyJobBegan(bool),
    /// To [`Need::BranchHead`].
    BranchHead(Sha),
    /// To [`Need::Tags`]: their commits by name.
    Tags(BTreeMap<String, Sha>),
    /// The answer was stored as separate facts.
    Kept,
    /// To [`Need::Checks`].
    Checks {
        /// Check runs.
        runs: Vec<CheckSeen>,
        /// Commit statuses.
        statuses: Vec<StatusSeen>,
    },
    /// To [`Need::OpenIssues`].
    OpenIssues(BTreeSet<ItemId>),
    /// To [`Need::Authors`].
    #[serde(alias = "CommitAuthors")]
    Authors(Authors),
    /// To [`Need::TagSignature`].
    TagSignature {
        /// True if the forge verified a signature of the tag.
        verified: bool,
        /// The forge's reason, such as `unsigned`.
        reason: String,
    },
    /// To [`Need::CommitPlace`].
    CommitPlace(CommitPlace),
    /// To [`Need::PullsOf`]: merged pull requests, each with its target branch.
    BroughtBy(BTreeMap<ItemId, String>),
    /// To [`Need::Reviews`].
    Reviews {
        /// The pull request's newest commit.
        head: Sha,
        /// Author of the pull request.
        author: Option<Account>,
        /// The account that merged it, if it is merged.
        #[serde(default)]
        merged_by: Option<Account>,
        /// Reviews by id.
        reviews: BTreeMap<u64, ReviewFact>,
    },
    /// To [`Need::Starters`]: the run's actor, and the accounts that re-ran it.
    Starters(BTreeSet<Account>),
    /// To [`Need::RequiredChecks`].
    RequiredChecks(BTreeSet<RequiredCheck>),
    /// To [`Need::SchemaChanges`].
    SchemaChanges {
        /// The schema changes; empty in a stored answer, because they are facts of their own.
        changes: Vec<SchemaChange>,
        /// Their numbers.
        numbers: BTreeSet<u64>,
        /// True if somebody has to approve a schema change before the database deploys it.
        needs_approval: bool,
    },
    /// To [`Need::SchemaChange`].
    SchemaChange(Box<SchemaChange>),
    /// The forge did not or could not answer.
    Unavailable {
        /// The forge's error message, for `/why`.
        why: String,
    },
}

/// A query with its answer and the time at which it was asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answered {
    /// The query.
    pub need: Need,
    /// The answer.
    pub answer: Answer,
    /// Time of the query.
    pub at: Timestamp,
}
