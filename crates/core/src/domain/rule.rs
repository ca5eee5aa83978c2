//! Policy rules for releases and deployments: gates, environments, freezes, overrides, and the
//! conditions that they consist of.

use std::collections::BTreeMap;

use jiff::{SignedDuration, civil::DateTime, tz::TimeZone};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::policy::Pattern;

/// Returns the form in which names of environments and gates are compared.
///
/// GitHub documents that environment names are not case-sensitive, and nothing beyond that. Only
/// ASCII letters are folded, so that `\u{212a}8s`, with the Kelvin sign, is not `k8s`.
pub fn name_key(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// The name of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConditionName {
    /// The checks passed.
    Checks,
    /// Reviewers approved the pull requests it contains.
    Reviews,
    /// The commit is on a listed branch.
    Ancestry,
    /// The tag meets its requirements.
    Tag,
    /// No blocking issue is open.
    Blockers,
    /// No incident is open.
    Alerts,
    /// The commit is deployed in another environment.
    Deployed,
    /// The current time is within a window.
    Window,
    /// People approved.
    Approval,
    /// Nobody else holds the environment's lock.
    Lock,
    /// No freeze is active.
    Freeze,
    /// No item it contains is on hold.
    Hold,
}

impl ConditionName {
    /// Every condition with its name, in the order of the documentation.
    pub const ALL: [(Self, &'static str); 12] = [
        (Self::Checks, "checks"),
        (Self::Reviews, "reviews"),
        (Self::Ancestry, "ancestry"),
        (Self::Tag, "tag"),
        (Self::Blockers, "blockers"),
        (Self::Alerts, "alerts"),
        (Self::Deployed, "deployed"),
        (Self::Window, "window"),
        (Self::Approval, "approval"),
        (Self::Lock, "lock"),
        (Self::Freeze, "freeze"),
        (Self::Hold, "hold"),
    ];

    /// Returns the condition's name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(condition, _)| *condition == self).map_or("", |(_, name)| name)
    }

    /// Returns the condition with this name, ignoring case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| known.eq_ignore_ascii_case(name)).map(|(condition, _)| *condition)
    }
}

/// A condition, or a combination of conditions, that must hold.
#[derive(Debug, Clone, PartialEq)]
pub enum ConditionRule {
    /// The commit's required checks and the named checks passed.
    Checks {
        /// Checks in addition to the required ones.
        named: Vec<NamedCheck>,
        /// A check that has not reported after this time counts as failed.
        report_within: SignedDuration,
    },
    /// Every pull request that the change contains was approved.
    Reviews {
        /// Number of approving people.
        count: u8,
    },
    /// The commit is on a branch.
    Ancestry {
        /// Branches; if empty, the default branch and the branches that the policy lists.
        of: Vec<Pattern>,
        /// Any branch will do: every commit passes.
        any: bool,
    },
    /// The tag meets its requirements. It must never have moved.
    Tag {
        /// The tag's version must be higher than every version that the commit contains.
        increasing: bool,
        /// The tag must be signed, and the forge must have verified the signature.
        signed: bool,
    },
    /// No blocking issue is open.
    Blockers {
        /// Issues with this label block.
        label: Option<String>,
        /// Issues in the milestone with this title block; `{tag}` is the tag's name.
        milestone: Option<String>,
    },
    /// No incident is open.
    Alerts {
        /// The environment, lower case; `None`: the gate's own, or any.
        environment: Option<String>,
    },
    /// The same commit is deployed in another environment.
    Deployed {
        /// The other environment, lower case.
        environment: String,
        /// Time that the commit must have been deployed there without an incident.
        soak: SignedDuration,
    },
    /// The current time is within the window.
    Window(Window),
    /// People approved.
    Approval {
        /// Number of people.
        count: u8,
        /// Teams whose members may approve; if empty, people who maintain the repository.
        teams: Vec<String>,
    },
    /// Nobody else holds the environment's lock.
    Lock,
    /// No freeze covers the environment.
    Freeze,
    /// No contained item is on hold.
    Hold,
    /// All of these must hold.
    All(Vec<ConditionRule>),
    /// At least one of these must hold.
    Any(Vec<ConditionRule>),
    /// This must not hold.
    Not(Box<ConditionRule>),
}

impl ConditionRule {
    /// Returns the condition's name; `None` for the combinators `all`, `any` and `not`.
    pub fn condition(&self) -> Option<ConditionName> {
        Some(match self {
            Self::Checks { .. } => ConditionName::Checks,
            Self::Reviews { .. } => ConditionName::Reviews,
            Self::Ancestry { .. } => ConditionName::Ancestry,
            Self::Tag { .. } => ConditionName::Tag,
            Self::Blockers { .. } => ConditionName::Blockers,
            Self::Alerts { .. } => ConditionName::Alerts,
            Self::Deployed { .. } => ConditionName::Deployed,
            Self::Window(_) => ConditionName::Window,
            Self::Approval { .. } => ConditionName::Approval,
            Self::Lock => ConditionName::Lock,
            Self::Freeze => ConditionName::Freeze,
            Self::Hold => ConditionName::Hold,
            Self::All(_) | Self::Any(_) | Self::Not(_) => return None,
        })
    }

    /// Returns the name in a policy file.
    pub fn name(&self) -> &'static str {
        match self {
            Self::All(_) => "all",
            Self::Any(_) => "any",
            Self::Not(_) => "not",
            leaf @ (Self::Checks { .. }
            | Self::Reviews { .. }
            | Self::Ancestry { .. }
            | Self::Tag { .. }
            | Self::Blockers { .. }
            | Self::Alerts { .. }
            | Self::Deployed { .. }
            | Self::Window(_)
            | Self::Approval { .. }
            | Self::Lock
            | Self::Freeze
            | Self::Hold) => leaf.condition().map_or("", ConditionName::name),
        }
    }

    /// Visits the rule and every rule within it.
    pub fn walk<'a>(&'a self, visit: &mut impl FnMut(&'a Self)) {
        visit(self);
        match self {
            Self::All(inner) | Self::Any(inner) => inner.iter().for_each(|rule| rule.walk(visit)),
            Self::Not(inner) => inner.walk(visit),
            Self::Checks { .. }
            | Self::Reviews { .. }
            | Self::Ancestry { .. }
            | Self::Tag { .. }
            | Self::Blockers { .. }
            | Self::Alerts { .. }
            | Self::Deployed { .. }
            | Self::Window(_)
            | Self::Approval { .. }
            | Self::Lock
            | Self::Freeze
            | Self::Hold => {}
        }
    }
}

/// A check that a gate names.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedCheck {
    /// Name of the check.
    pub name: Pattern,
    /// The App whose check run counts, by its slug or id. `None`: a report by anyone counts,
    /// including a commit status by anyone with write access.
    pub app: Option<String>,
}

/// A weekly schedule: days and hours in a time zone.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// Time must be within one of these.
    pub hours: Vec<Hours>,
    /// Time zone.
    pub zone: TimeZone,
}

/// A parsed weekly window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    /// Days on which the window begins, Monday first.
    pub days: [bool; 7],
    /// First minute of the window, counted from midnight.
    pub from: u16,
    /// First minute after the window. If it is at or before `from`, the window ends on the next
    /// day.
    pub until: u16,
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
    /// True if an issue is opened when a tag is pushed although its gate is closed.
    pub issue_on_violation: bool,
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
    /// True if an automatic deployment may replace a newer commit.
    pub allow_older: bool,
}

impl AutoRule {
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
}

impl Default for RollbackRule {
    fn default() -> Self {
        Self { last: 3, waive: Vec::new() }
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
