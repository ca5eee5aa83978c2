//! A policy in force: what the decisions read. How it is written in a file
//! is the business of [`crate::policy`].

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, tz::TimeZone};
use serde::{Deserialize, Serialize};

pub use crate::domain::rule::EnvironmentRule;
use crate::domain::{
    alerting::AlertPolicy,
    glob::{Glob, GlobError},
    permission::Grant,
    rule::{FreezeRule, GateRule, OverrideRule},
};

/// Where a repository, and an organisation's `.github` repository, keeps its policy.
pub const FILE: &str = ".github/phasebot.yml";

/// Name of the check that says what a pull request makes of the policy file.
pub const CHECK: &str = "phasebot/policy";

/// How far phasebot may go in a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Default, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Decides and records, writes nothing.
    Observe,
    /// Labels, answers to commands and feedback issues.
    #[default]
    Label,
    /// Gates and deploys too.
    Act,
}

/// A glob that also keeps its own text.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    matcher: Glob,
}

impl Pattern {
    /// Compiles a glob; `*` matches `/` too, as in the forges' branch rules.
    pub fn new(text: &str) -> Result<Self, GlobError> {
        Ok(Self { text: text.to_owned(), matcher: Glob::new(text)? })
    }

    /// Whether `name` matches.
    pub fn matches(&self, name: &str) -> bool {
        self.text == name || self.matcher.is_match(name)
    }

    /// The glob as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// Everything that the decisions ask of a policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Where its phases were read: `built-in`, or a file. With a phase's line
    /// this is the place of a rule.
    pub source: String,
    /// Short content hash: which version decided.
    pub version: String,
    /// How far the bot may go.
    pub mode: Mode,
    /// The phases, first to last.
    pub phases: Vec<PhaseRule>,
    /// Branches that count beside the default one.
    pub branches: Vec<Pattern>,
    /// Which checks count and when they have settled.
    pub checks: CheckRules,
    /// Whose items are left alone.
    pub ignore: Ignore,
    /// What is said of environments, by lower-case name.
    pub environments: BTreeMap<String, EnvironmentRule>,
    /// Gates before releases, by name.
    pub gates: BTreeMap<String, GateRule>,
    /// Times in which nothing is released or deployed.
    pub freezes: Vec<FreezeRule>,
    /// Who may override conditions, and which.
    pub overrides: OverrideRule,
    /// How commands are written and who may use them.
    pub commands: CommandRules,
    /// How alerts become issues.
    pub alerts: AlertPolicy,
    /// The check `phasebot/policy` appears on every pull request and merge
    /// group, not only on pull requests that change the file.
    pub policy_check_required: bool,
}

/// One phase: what it is called, how it looks, when an item is in it.
#[derive(Debug, Clone, PartialEq)]
pub struct PhaseRule {
    /// Name, as in `/phase NAME`.
    pub name: String,
    /// The label that shows it.
    pub label: String,
    /// Six hex digits, without `#`.
    pub color: String,
    /// One line, at most 100 characters.
    pub description: String,
    /// Any of these puts an item into the phase.
    pub when: Vec<Evidence>,
    /// Line of the rule in its file, from 1.
    pub line: u32,
}

/// Evidence for a phase, with the conditions that narrow it.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// What must have happened.
    pub kind: EvidenceKind,
    /// Only items that carry one of these labels; empty: all.
    pub labels: Vec<Pattern>,
    /// Only this base, branch or carrier branch; empty: any listed branch.
    pub branches: Vec<Pattern>,
}

/// What may be evidence.
#[derive(Debug, Clone, PartialEq)]
pub enum EvidenceKind {
    /// The issue is open.
    IssueOpen,
    /// A pull request is open.
    PullRequestOpen,
    /// A branch for the issue exists; `numeric`: `12-title` counts without the forge's word.
    BranchLinked {
        /// Whether a bare leading number links.
        numeric: bool,
    },
    /// A person with write approved the pull request.
    PullRequestApproved,
    /// The carrier is on a listed branch.
    Merged,
    /// The checks of the carrier, or of a later commit, passed.
    ChecksPassed {
        /// Only these checks are looked at, and each must be there; empty: all that report.
        named: Vec<Pattern>,
    },
    /// A version tag contains the carrier.
    Tagged {
        /// Tags that count although they are not final versions.
        also: Vec<Pattern>,
    },
    /// A published release contains the carrier.
    ReleasePublished {
        /// Whether pre-releases count.
        prereleases: bool,
    },
    /// A deployment that contains the carrier is under way.
    DeploymentStarted(EnvironmentFilter),
    /// A deployment that contains the carrier succeeded.
    DeploymentSucceeded(EnvironmentFilter),
    /// It has run undisturbed for this long.
    Soaked {
        /// Where.
        environments: EnvironmentFilter,
        /// How long without an incident.
        quiet: SignedDuration,
    },
}

impl EvidenceKind {
    /// Whether a pull request or commit gives it, rather than an issue by itself.
    pub fn is_of_work(&self) -> bool {
        !matches!(self, Self::IssueOpen | Self::BranchLinked { .. })
    }

    /// The key that a policy file uses.
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

/// Which environments a deployment must be to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EnvironmentFilter {
    /// Names, without case: the patterns are lower case and match a name in
    /// lower case; empty: any.
    pub names: Vec<Pattern>,
    /// `Some(true)` only production, `Some(false)` only others, `None` as the
    /// evidence's own rule has it.
    pub production: Option<bool>,
}

/// Which checks count.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckRules {
    /// Names that never count.
    pub ignore: Vec<Pattern>,
    /// How long nothing new may have come before the verdict stands.
    pub settle: SignedDuration,
}

/// What is left alone.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ignore {
    /// Authors whose pull requests carry no label unless they close an issue.
    pub authors: Vec<String>,
    /// Labels that opt an item out.
    pub labels: Vec<Pattern>,
}

/// What a policy says of slash-commands.
#[derive(Debug, Clone, PartialEq)]
pub struct CommandRules {
    /// `/deploy` works beside `/phasebot deploy`.
    pub bare: bool,
    /// Who may use a command, by its name; others as the table of commands has it.
    pub permissions: BTreeMap<String, Grant>,
    /// Apps whose comments in people's names are those people's: slugs, lower case.
    pub apps: BTreeSet<String>,
    /// The zone of the times that people write and read.
    pub zone: TimeZone,
}

impl Default for CommandRules {
    fn default() -> Self {
        Self { bare: true, permissions: BTreeMap::new(), apps: BTreeSet::new(), zone: TimeZone::UTC }
    }
}

impl Policy {
    /// The index of the phase with this name.
    pub fn phase_index(&self, name: &str) -> Option<usize> {
        self.phases.iter().position(|p| p.name.eq_ignore_ascii_case(name))
    }

    /// The index of the phase that this label shows.
    pub fn label_index(&self, label: &str) -> Option<usize> {
        self.phases.iter().position(|p| p.label.eq_ignore_ascii_case(label))
    }

    /// Whether commits on `branch` count: the default branch always does.
    pub fn lists_branch(&self, branch: &str, default_branch: &str) -> bool {
        branch == default_branch || self.branches.iter().any(|p| p.matches(branch))
    }

    /// Whether the policy itself calls an environment production, or not.
    pub fn production(&self, environment: &str) -> Option<bool> {
        self.environments.get(&crate::domain::rule::name_key(environment)).and_then(|e| e.production)
    }
}

impl CommandRules {
    /// Whether a comment is heard that `via` wrote in its author's name; `None`: its author did.
    pub fn hears(&self, via: Option<&crate::domain::event::App>) -> bool {
        via.is_none_or(|app| self.apps.contains(&app.slug))
    }
}
