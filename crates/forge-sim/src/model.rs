//! Objects of a simulated repository.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;

use super::{git::Git, workflow::Worker};

/// An account.
#[derive(Debug, Clone)]
pub(super) struct User {
    pub(super) id: u64,
    pub(super) login: String,
    /// `User`, `Bot` or `Organization`.
    pub(super) kind: &'static str,
}

/// A label of a repository.
#[derive(Debug, Clone)]
pub(super) struct Label {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) color: String,
    pub(super) description: Option<String>,
}

/// An issue or a pull request.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) id: u64,
    pub(super) number: u64,
    pub(super) title: String,
    pub(super) body: String,
    pub(super) author: String,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    pub(super) open: bool,
    pub(super) state_reason: Option<String>,
    pub(super) closed_at: Option<Timestamp>,
    pub(super) closed_by: Option<String>,
    pub(super) locked: bool,
    /// Names in lower case: the keys of the repository's labels.
    pub(super) labels: Vec<String>,
    pub(super) assignees: Vec<String>,
    pub(super) milestone: Option<u64>,
    /// Whether it was deleted or moved away: answered with 410.
    pub(super) gone: bool,
    pub(super) pull: Option<Pull>,
    /// Branches in the issue's "Development" box.
    pub(super) linked_branches: BTreeSet<String>,
    pub(super) history: Vec<LabelChange>,
    /// All its closings.
    pub(super) closings: Vec<Closing>,
}

/// The closing of an item.
#[derive(Debug, Clone)]
pub(super) struct Closing {
    pub(super) at: Timestamp,
    /// The change that closed it; `None` if a person closed it.
    pub(super) closer: Option<Closer>,
}

/// A change that closed an issue.
#[derive(Debug, Clone)]
pub(super) enum Closer {
    Pull(u64),
    Commit(String),
}

/// A change of an item's labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelChange {
    /// Time of the change.
    pub at: Timestamp,
    /// Name of the label.
    pub label: String,
    /// Whether it was added; otherwise removed.
    pub added: bool,
    /// Login of the account.
    pub by: String,
}

/// The part of a pull request that an issue does not have.
#[derive(Debug, Clone)]
pub(super) struct Pull {
    pub(super) id: u64,
    pub(super) draft: bool,
    /// `branch`, or `owner:branch` of a fork.
    pub(super) head: String,
    pub(super) head_sha: String,
    pub(super) base: String,
    pub(super) base_sha: String,
    pub(super) merged: Option<Merged>,
    /// Its place in a stack.
    pub(super) stack: Option<StackPlace>,
    /// Issues linked by hand.
    pub(super) linked_issues: BTreeSet<u64>,
}

impl Pull {
    /// Returns the fork's owner, if the head is in a fork.
    pub(super) fn fork(&self) -> Option<&str> {
        self.head.split_once(':').map(|(owner, _)| owner)
    }

    /// Returns the head's branch without the fork's owner.
    pub(super) fn head_ref(&self) -> &str {
        self.head.split_once(':').map_or(self.head.as_str(), |(_, branch)| branch)
    }
}

/// The place of a pull request in a stack.
#[derive(Debug, Clone)]
pub(super) struct StackPlace {
    /// Number of the stack.
    pub(super) number: u64,
    /// The branch on which it lands.
    pub(super) base: String,
    /// Pull requests of the stack, bottom first.
    pub(super) pulls: Vec<u64>,
}

/// A merge.
#[derive(Debug, Clone)]
pub(super) struct Merged {
    pub(super) at: Timestamp,
    pub(super) by: String,
    pub(super) sha: String,
}

/// A comment.
#[derive(Debug, Clone)]
pub(super) struct Comment {
    pub(super) id: u64,
    pub(super) item: u64,
    pub(super) author: String,
    pub(super) body: String,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    pub(super) reactions: Vec<Reaction>,
    /// Whether it is minimized, as outdated or otherwise.
    pub(super) minimized: bool,
    /// The App that wrote it in its author's name.
    pub(super) via: Option<String>,
}

/// A reaction.
#[derive(Debug, Clone)]
pub(super) struct Reaction {
    pub(super) id: u64,
    pub(super) user: String,
    pub(super) content: String,
    pub(super) at: Timestamp,
}

/// A check run.
#[derive(Debug, Clone)]
pub(super) struct CheckRun {
    pub(super) id: u64,
    pub(super) suite: u64,
    /// Slug of the App that created it.
    pub(super) app: String,
    pub(super) sha: String,
    pub(super) name: String,
    pub(super) status: String,
    pub(super) conclusion: Option<String>,
    pub(super) started_at: Timestamp,
    pub(super) completed_at: Option<Timestamp>,
    pub(super) external_id: String,
    pub(super) details_url: Option<String>,
    pub(super) output: Value,
}

/// A commit status.
#[derive(Debug, Clone)]
pub(super) struct Status {
    pub(super) id: u64,
    pub(super) sha: String,
    pub(super) context: String,
    pub(super) state: String,
    pub(super) description: Option<String>,
    pub(super) target_url: Option<String>,
    pub(super) at: Timestamp,
    pub(super) creator: String,
}

/// A deployment.
#[derive(Debug, Clone)]
pub(super) struct Deployment {
    pub(super) id: u64,
    pub(super) sha: String,
    pub(super) reference: String,
    pub(super) environment: String,
    pub(super) task: String,
    pub(super) payload: Value,
    pub(super) description: Option<String>,
    pub(super) production: bool,
    pub(super) transient: bool,
    pub(super) creator: String,
    pub(super) created_at: Timestamp,
    pub(super) statuses: Vec<DeploymentStatus>,
}

/// A status of a deployment.
#[derive(Debug, Clone)]
pub(super) struct DeploymentStatus {
    pub(super) id: u64,
    pub(super) state: String,
    pub(super) description: String,
    pub(super) log_url: String,
    pub(super) environment_url: String,
    pub(super) creator: String,
    pub(super) at: Timestamp,
}

/// A release.
#[derive(Debug, Clone)]
pub(super) struct Release {
    pub(super) id: u64,
    pub(super) tag: String,
    pub(super) target: String,
    pub(super) name: Option<String>,
    pub(super) body: Option<String>,
    pub(super) draft: bool,
    pub(super) prerelease: bool,
    pub(super) author: String,
    pub(super) created_at: Timestamp,
    pub(super) published_at: Option<Timestamp>,
}

/// A workflow run.
#[derive(Debug, Clone)]
pub(super) struct WorkflowRun {
    pub(super) id: u64,
    pub(super) suite: u64,
    /// The workflow's path in the repository.
    pub(super) path: String,
    pub(super) sha: String,
    pub(super) branch: String,
    pub(super) trigger: String,
    pub(super) title: String,
    pub(super) inputs: Value,
    pub(super) status: String,
    pub(super) conclusion: Option<String>,
    /// True once a job of this attempt began.
    pub(super) begun: bool,
    pub(super) attempt: u64,
    pub(super) actor: String,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
}

/// A workflow run started by the API.
#[derive(Debug, Clone, PartialEq)]
pub struct Dispatched {
    /// Id of the run.
    pub run: u64,
    /// The workflow's path in the repository.
    pub workflow: String,
    /// Branch or tag from which it runs.
    pub reference: String,
    /// The commit at which it runs.
    pub sha: String,
    /// Its inputs.
    pub inputs: Value,
}

/// A review of a pull request.
#[derive(Debug, Clone)]
pub(super) struct Review {
    pub(super) id: u64,
    pub(super) pull: u64,
    pub(super) by: String,
    /// `approved`, `changes_requested` or `commented`.
    pub(super) verdict: String,
    pub(super) body: String,
    /// The head at that time.
    pub(super) commit: String,
    pub(super) at: Timestamp,
}

/// An answer to a deployment protection rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProtectionAnswer {
    /// The waiting workflow run.
    pub run: u64,
    /// Environment.
    pub environment: String,
    /// `approved` or `rejected`; `None` for a report without a verdict.
    pub state: Option<String>,
    /// Comment of the answer.
    pub comment: String,
}

/// A repository.
#[derive(Debug)]
pub(super) struct Repo {
    pub(super) id: u64,
    pub(super) owner: String,
    pub(super) name: String,
    pub(super) private: bool,
    pub(super) archived: bool,
    pub(super) default_branch: String,
    pub(super) created_at: Timestamp,
    pub(super) pushed_at: Timestamp,
    pub(super) next_number: u64,
    pub(super) git: Git,
    /// Labels by name in lower case.
    pub(super) labels: BTreeMap<String, Label>,
    pub(super) items: BTreeMap<u64, Item>,
    pub(super) comments: BTreeMap<u64, Comment>,
    /// Titles of open milestones, by number.
    pub(super) milestones: BTreeMap<u64, String>,
    /// Reviews of pull requests, by id.
    pub(super) reviews: BTreeMap<u64, Review>,
    /// Reactions to reviews, by the review's id.
    pub(super) review_reactions: BTreeMap<u64, Vec<Reaction>>,
    pub(super) checks: BTreeMap<u64, CheckRun>,
    /// Check suites by App and commit.
    pub(super) suites: BTreeMap<(String, String), u64>,
    pub(super) statuses: Vec<Status>,
    pub(super) deployments: BTreeMap<u64, Deployment>,
    pub(super) releases: BTreeMap<u64, Release>,
    pub(super) runs: BTreeMap<u64, WorkflowRun>,
    /// Ids of workflows, by path.
    pub(super) workflows: BTreeMap<String, u64>,
    /// Roles by login in lower case: `read`, `triage`, `write`, `maintain`, `admin`.
    pub(super) roles: BTreeMap<String, String>,
    /// Checks that a branch's rules require.
    pub(super) required: BTreeMap<String, Vec<String>>,
    /// Checks that a branch's classic protection requires, each with its App.
    pub(super) protected: BTreeMap<String, Vec<(String, Option<u64>)>>,
    /// Rulesets, as the API shows them.
    pub(super) rulesets: Vec<Value>,
    /// Environments, with the slugs of Apps whose protection rules are enabled there.
    pub(super) environments: BTreeMap<String, BTreeSet<String>>,
    /// Ids of forks, by owner.
    pub(super) forks: BTreeMap<String, u64>,
    pub(super) answers: Vec<ProtectionAnswer>,
    /// Workflows whose runs [`Worker`] steps advance.
    pub(super) workers: Vec<Worker>,
    /// Deployments that jobs created, by run and attempt.
    pub(super) jobs: BTreeMap<(u64, u64), u64>,
}

impl Repo {
    /// Returns `owner/name`.
    pub(super) fn full_name(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    /// Returns an account's role; the owner is an admin.
    pub(super) fn role(&self, login: &str) -> Option<&str> {
        if login.eq_ignore_ascii_case(&self.owner) {
            return Some("admin");
        }
        self.roles.get(&login.to_ascii_lowercase()).map(String::as_str)
    }
}

/// An installation of the App.
#[derive(Debug, Clone)]
pub(super) struct Installation {
    pub(super) id: u64,
    pub(super) owner: String,
    pub(super) repos: BTreeSet<u64>,
    /// Permissions that the owner granted; the App may ask for more since.
    pub(super) permissions: BTreeMap<String, String>,
    /// Events that it receives; events that the App subscribed to since are missing.
    pub(super) events: Vec<String>,
    pub(super) created_at: Timestamp,
}

/// An installation token.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) installation: u64,
    pub(super) expires_at: Timestamp,
    /// Repositories to which it is limited.
    pub(super) only: Option<BTreeSet<u64>>,
}
