//! The policy in force, as evaluations read it. [`crate::policy`] defines how it is written in a
//! file.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, tz::TimeZone};
use serde::{Deserialize, Serialize};

use crate::domain::{
    alert_policy::AlertPolicy,
    insight::InsightRules,
    notice::NoticeRule,
    permission::{Grant, Role},
    rule::{FreezeRule, GateRule, OverrideRule, ServiceRule},
};
pub use crate::domain::{pattern::Pattern, rule::EnvironmentRule};

/// Path of the policy file in a repository, and in an organisation's `.github` repository.
pub const FILE: &str = ".github/phasebot.yml";

/// Name of the check run that reports a pull request's effect on the policy file.
pub const CHECK: &str = "phasebot/policy";

/// The actions that phasebot may take in a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Default, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Evaluates and records, writes nothing.
    Observe,
    /// Labels, answers to commands and feedback issues.
    #[default]
    Label,
    /// Gates and deployments too.
    Act,
}

impl Mode {
    /// Returns the mode as a policy file writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Label => "label",
            Self::Act => "act",
        }
    }
}

/// Everything that evaluations need of a policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// The source of its phases: `built-in`, or a file. With a phase's line it is the position of a
    /// rule.
    pub source: String,
    /// Short content hash. It identifies the version that an evaluation used.
    pub version: String,
    /// The actions that phasebot may take.
    pub mode: Mode,
    /// The phases, first to last.
    pub phases: Vec<PhaseRule>,
    /// Branches that count in addition to the default branch.
    pub branches: Vec<Pattern>,
    /// The checks that count and the time for them to settle.
    pub checks: CheckRules,
    /// Items that are left alone.
    pub ignore: Ignore,
    /// Rules for environments, by lower-case name.
    pub environments: BTreeMap<String, EnvironmentRule>,
    /// Services, by name; empty: the repository is one.
    pub services: BTreeMap<String, ServiceRule>,
    /// Paths that belong to every service.
    pub shared: Vec<Pattern>,
    /// Groups of release notes: their titles, and the labels of their pull requests.
    pub notes: Vec<(String, Vec<Pattern>)>,
    /// Gates for releases, by name.
    pub gates: BTreeMap<String, GateRule>,
    /// Periods in which nothing is released or deployed.
    pub freezes: Vec<FreezeRule>,
    /// Rules for overriding conditions.
    pub overrides: OverrideRule,
    /// Form and permissions of commands.
    pub commands: CommandRules,
    /// Rules for turning alerts into issues.
    pub alerts: AlertPolicy,
    /// Rules for delivery metrics.
    pub insight: InsightRules,
    /// What is sent to which target outside of the forge.
    pub notices: Vec<NoticeRule>,
    /// True if the check `phasebot/policy` appears on every pull request and merge group, and not
    /// only on pull requests that change the file.
    pub policy_check_required: bool,
}

/// A phase: its name, its label and its evidence.
#[derive(Debug, Clone, PartialEq)]
pub struct PhaseRule {
    /// Name, as in `/phase NAME`.
    pub name: String,
    /// The label that shows it.
    pub label: String,
    /// Colour of the label: six hex digits, without `#`.
    pub color: String,
    /// One line, at most 100 characters.
    pub description: String,
    /// Evidence. Any of these puts an item into the phase.
    pub when: Vec<Evidence>,
    /// Line of the rule in its file, from 1.
    pub line: u32,
}

/// Evidence for a phase, with the conditions that narrow it.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// The event that must have happened.
    pub kind: EvidenceKind,
    /// Only items that have one of these labels; empty: all.
    pub labels: Vec<Pattern>,
    /// Only this base branch, linked branch or branch of the landing; empty: any listed branch.
    pub branches: Vec<Pattern>,
}

/// The kinds of evidence.
#[derive(Debug, Clone, PartialEq)]
pub enum EvidenceKind {
    /// The issue is open.
    IssueOpen,
    /// A pull request is open.
    PullRequestOpen,
    /// A branch for the issue exists. With `numeric`, `12-title` counts even if the forge doesn't
    /// list it as linked.
    BranchLinked {
        /// True if a bare leading number links the branch.
        numeric: bool,
    },
    /// A person with write access approved the pull request.
    PullRequestApproved,
    /// The landing is on a listed branch.
    Merged,
    /// The checks of the landing, or of a later commit, passed.
    ChecksPassed {
        /// Only these checks count, and each must be there; empty: all that report.
        named: Vec<Pattern>,
    },
    /// A version tag contains the landing.
    Tagged {
        /// Tags that count although they are not final versions.
        also: Vec<Pattern>,
    },
    /// A published release contains the landing.
    ReleasePublished {
        /// True if pre-releases count.
        prereleases: bool,
    },
    /// A deployment that contains the landing is in progress.
    DeploymentStarted(EnvironmentFilter),
    /// A deployment that contains the landing succeeded.
    DeploymentSucceeded(EnvironmentFilter),
    /// The deployment has run without an incident for this long.
    Soaked {
        /// Environments of the deployment.
        environments: EnvironmentFilter,
        /// Time without an incident.
        quiet: SignedDuration,
    },
}

impl EvidenceKind {
    /// Returns true if a pull request or commit gives the evidence, rather than an issue by itself.
    pub fn is_of_work(&self) -> bool {
        !matches!(self, Self::IssueOpen | Self::BranchLinked { .. })
    }

    /// Returns the key that a policy file uses.
    pub fn key(&self) -> &'static str {
        match self {
            Self::IssueOpen => "issue_open",
            Self::PullRequestOpen => "pull_request_open",
            Self::BranchLinked { .. } => "branch_linked",
            Self::PullRequestApproved => "pull_request_approved",
            Self::Merged => "merged",
            Self::ChecksPassed { .. } => "checks_passed",
            Self::Tagged { .. } => "tagged",
            Self::ReleasePublished { .. } => "release_published",
            Self::DeploymentStarted(_) => "deployment_started",
            Self::DeploymentSucceeded(_) => "deployment_succeeded",
            Self::Soaked { .. } => "soaked",
        }
    }
}

/// The environments that a deployment must be to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EnvironmentFilter {
    /// Names, compared without case: the patterns are lower case and match a name in lower case;
    /// empty: any.
    pub names: Vec<Pattern>,
    /// `Some(true)`: only production; `Some(false)`: only others; `None`: as the evidence's own
    /// rule says.
    pub production: Option<bool>,
}

/// The checks that count.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckRules {
    /// Names of checks that never count.
    pub ignore: Vec<Pattern>,
    /// Time without a new report after which the verdict is final.
    pub settle: SignedDuration,
}

/// Items that are left alone.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ignore {
    /// Authors whose pull requests get no label unless they close an issue.
    pub authors: Vec<String>,
    /// Labels that opt an item out.
    pub labels: Vec<Pattern>,
}

/// Policy for slash commands.
#[derive(Debug, Clone, PartialEq)]
pub struct CommandRules {
    /// True if `/deploy` works in addition to `/phasebot deploy`.
    pub bare: bool,
    /// Permission that each command needs, by the command's name. Other commands use the default
    /// from the table of commands.
    pub permissions: BTreeMap<String, Grant>,
    /// Apps that may write comments in people's names: slugs, lower case.
    pub apps: BTreeSet<String>,
    /// Time zone of the times that people write and read.
    pub zone: TimeZone,
}

/// Name of the command that deploys, and the role that it needs where the policy does not say.
/// Labels that deploy need the same.
pub const DEPLOY: (&str, Role) = ("deploy", Role::Write);

impl Default for CommandRules {
    fn default() -> Self {
        Self { bare: true, permissions: BTreeMap::new(), apps: BTreeSet::new(), zone: TimeZone::UTC }
    }
}

impl Policy {
    /// Returns the index of the phase with this name.
    pub fn phase_index(&self, name: &str) -> Option<usize> {
        self.phases.iter().position(|p| p.name.eq_ignore_ascii_case(name))
    }

    /// Returns the index of the phase that this label shows.
    pub fn label_index(&self, label: &str) -> Option<usize> {
        self.phases.iter().position(|p| p.label.eq_ignore_ascii_case(label))
    }

    /// Returns true if commits on `branch` count. Those on the default branch always do.
    pub fn lists_branch(&self, branch: &str, default_branch: &str) -> bool {
        branch == default_branch || self.branches.iter().any(|p| p.matches(branch))
    }

    /// Returns true if the policy says that an environment is production, false if it says that it
    /// is not; `None` if it says neither.
    pub fn production(&self, environment: &str) -> Option<bool> {
        let name = crate::domain::rule::name_key(environment);
        match self.instance(&name) {
            Some(_) => Some(false),
            None => self.environments.get(&name).and_then(|rule| rule.production),
        }
    }
}

impl CommandRules {
    /// Returns who may use the command `name`: everyone with the role `least`, unless the policy
    /// says otherwise. `true`: it does.
    pub fn grant(&self, name: &str, least: Role) -> (Grant, bool) {
        match self.permissions.get(name) {
            Some(grant) => (grant.clone(), true),
            None => (Grant::AtLeast(least), false),
        }
    }

    /// Returns true if commands in a comment count that the App `via` wrote in its author's name.
    /// `None`: the author wrote it, so they count.
    pub fn hears(&self, via: Option<&crate::domain::event::App>) -> bool {
        via.is_none_or(|app| self.apps.contains(&app.slug))
    }
}
