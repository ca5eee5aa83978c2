//! Policy rules for releases and deployments: gates, environments, freezes, overrides, and the
//! conditions that they consist of.

mod condition;
mod database;

use std::collections::BTreeMap;

use jiff::{SignedDuration, civil::DateTime, tz::TimeZone};
use schemars::JsonSchema;
use serde::Deserialize;

pub use crate::domain::rule::condition::{ConditionName, ConditionRule, ExternalRule, Hours, NamedCheck, Window};
pub use crate::domain::rule::database::{
    ApplyRule, DatabaseRule, SchemaGoal, SchemaMatch, SchemaOrder, SchemaRollback,
};

use crate::domain::{pattern::Pattern, per_pull::PerPullRule};

/// Returns the form in which names of environments and gates are compared.
///
/// GitHub documents that environment names are not case-sensitive, and nothing beyond that. Only
/// ASCII letters are folded, so that `\u{212a}8s`, with the Kelvin sign, is not `k8s`.
pub fn name_key(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// The parsed beginning or end of a freeze.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// A month and day of every year.
    Yearly(i8, i8),
    /// A local time in the freeze's time zone, and whether only the date was given.
    Once(DateTime, bool),
}

/// A period in which nothing is released or deployed.
#[derive(Debug, Clone, PartialEq)]
pub struct FreezeRule {
    /// The environment, lower case; [`crate::domain::fact::command::ALL`] for everything.
    pub environment: String,
    /// Beginning.
    pub from: End,
    /// End; if it is a day, that day is included.
    pub until: End,
    /// Time zone.
    pub zone: TimeZone,
    /// Reason.
    pub reason: Option<String>,
}

/// A gate for releases.
#[derive(Debug, Clone, PartialEq)]
pub struct GateRule {
    /// Tags that the gate applies to.
    pub tag: Option<Pattern>,
    /// True if the gate applies to draft releases.
    pub draft: bool,
    /// True if the head of the default branch also gets the gate's check run.
    pub report_branch: bool,
    /// Conditions that must hold, in addition to freezes and holds.
    pub require: Vec<ConditionRule>,
    /// True if a draft release is published as soon as its gate is open.
    pub publish: bool,
    /// True if a block of a draft release's text lists what it carries.
    pub notes: bool,
    /// True if an issue is opened when a tag is pushed although its gate is closed.
    pub issue_on_violation: bool,
}

impl GateRule {
    /// Returns whether the gate applies to draft releases of this tag.
    pub fn covers_draft(&self, tag: &str) -> bool {
        self.draft && self.tag.as_ref().is_none_or(|pattern| pattern.matches(tag))
    }
}

/// Policy for one environment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EnvironmentRule {
    /// The name as the policy writes it; it is sent to the forge in this form. Names are compared
    /// in lower case.
    pub name: String,
    /// True for a production environment; `None`: the forge's own flag decides.
    pub production: Option<bool>,
    /// Environments, lower case, in which a commit must run before it is deployed here.
    pub after: Vec<String>,
    /// The way to start a deployment; `None`: phasebot does not start any.
    pub deploy: Option<DeployRule>,
    /// Triggers of automatic deployments.
    pub auto: AutoRule,
    /// True if the head of an open pull request may be deployed.
    pub unmerged: bool,
    /// True if a workflow that takes no commit as an input may be started. The commit that it
    /// deploys is compared afterwards.
    pub best_effort: bool,
    /// Conditions that must hold, in addition to `after`, locks, freezes and holds.
    pub require: Vec<ConditionRule>,
    /// Limits of a rollback.
    pub rollback: RollbackRule,
    /// Handling of a deployment while another one runs.
    pub when_busy: Busy,
    /// How one is made for each pull request; `None`: there is one of that name.
    pub per_pull: Option<PerPullRule>,
    /// The database behind it; `None`: phasebot knows of none.
    pub database: Option<DatabaseRule>,
}

/// The way to start a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeployRule {
    /// The mechanism: a deployment on the forge, or a workflow.
    pub via: Via,
    /// The inputs that `/deploy` may set, each with its allowed values.
    pub inputs: BTreeMap<String, Vec<String>>,
}

/// The mechanism that starts a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Via {
    /// A deployment on the forge.
    Deployment,
    /// A workflow run.
    Workflow {
        /// The workflow file.
        file: String,
    },
}

/// Automatic deployments.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AutoRule {
    /// Triggers; empty: none.
    pub on: Vec<Trigger>,
    /// Tags that trigger a deployment; `None`: every final version.
    pub tags: Option<Vec<Pattern>>,
    /// Branches whose new commits trigger a deployment; `None`: the default branch.
    pub branches: Option<Vec<Pattern>>,
    /// Services whose tags and changes trigger a deployment; `None`: those for which the environment
    /// counts.
    pub services: Option<Vec<String>>,
    /// True if an automatic deployment may replace a newer commit.
    pub allow_older: bool,
}

impl AutoRule {
    /// Returns true if a new commit on a branch triggers a deployment; `None`: if it is the default
    /// branch.
    pub fn takes_branch(&self, branch: &str) -> Option<bool> {
        self.branches.as_ref().map(|branches| branches.iter().any(|pattern| pattern.matches(branch)))
    }

    /// Returns true if a tag of this name triggers a deployment.
    pub fn takes_tag(&self, tag: &str) -> bool {
        self.tags.as_ref().is_none_or(|tags| tags.iter().any(|pattern| pattern.matches(tag)))
    }
}

/// Trigger of an automatic deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// A new version tag.
    Tag,
    /// A new commit on the default branch.
    Merge,
}

/// Handling of a deployment while another one runs in the environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Busy {
    /// It waits for its turn.
    #[default]
    Queue,
    /// It is refused.
    Refuse,
}

/// Limits of a rollback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollbackRule {
    /// Number of earlier deployments that a rollback may return to.
    pub last: u8,
    /// Conditions that a rollback need not meet.
    pub waive: Vec<ConditionName>,
    /// Bounds of an automatic rollback; `None`: there is none.
    pub on_incident: Option<RollbackOnIncident>,
}

/// Bounds of an automatic rollback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollbackOnIncident {
    /// Time after a deployment's success within which the incident has to begin.
    pub within: SignedDuration,
    /// Severities of the incident.
    pub severities: Vec<String>,
}

impl Default for RollbackRule {
    fn default() -> Self {
        Self { last: 3, waive: Vec::new(), on_incident: None }
    }
}

/// Rules for overriding conditions. The permissions of the command `override` say who may override.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverrideRule {
    /// A second person has to confirm.
    pub second: bool,
    /// Time for which an override is valid.
    pub ttl: SignedDuration,
    /// Conditions that nobody can override.
    pub never: Vec<ConditionName>,
}

impl Default for OverrideRule {
    fn default() -> Self {
        Self { second: false, ttl: SignedDuration::from_hours(2), never: Vec::new() }
    }
}

/// Paths, tags and environments of a service.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ServiceRule {
    /// Paths of its files.
    pub paths: Vec<Pattern>,
    /// Its version tags; empty: those that no service claims.
    pub tags: Vec<Pattern>,
    /// Its environments, lower case; empty: those that no service claims.
    pub environments: Vec<Pattern>,
    /// The label of the items that belong to it, if they get one.
    pub label: Option<String>,
}
