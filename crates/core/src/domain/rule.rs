//! What a policy asks of releases and deploys: gates, environments, freezes,
//! overrides, and the conditions that they are made of.

use std::collections::BTreeMap;

use jiff::{SignedDuration, civil::DateTime, tz::TimeZone};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::policy::Pattern;

/// The form in which names of environments and gates are compared. GitHub
/// documents that environment names are not case-sensitive, and nothing beyond
/// that: only ASCII letters have their case folded, so that `\u{212a}8s`, with
/// the Kelvin sign, is not `k8s`.
pub fn name_key(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// The name of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConditionName {
    /// Checks passed.
    Checks,
    /// Reviewers approved what it carries.
    Reviews,
    /// The commit is on a listed branch.
    Ancestry,
    /// The tag is as it should be.
    Tag,
    /// No open blocking issue.
    Blockers,
    /// No open incident.
    Alerts,
    /// It runs in another environment.
    Deployed,
    /// The time fits.
    Window,
    /// People agreed.
    Approval,
    /// The lock is free.
    Lock,
    /// No freeze.
    Freeze,
    /// No hold.
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

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(condition, _)| *condition == self).map_or("", |(_, name)| name)
    }

    /// The condition of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| known.eq_ignore_ascii_case(name)).map(|(condition, _)| *condition)
    }
}

/// One thing that must hold.
#[derive(Debug, Clone, PartialEq)]
pub enum ConditionRule {
    /// The required checks of the commit passed, and those named here.
    Checks {
        /// Beside the required ones.
        named: Vec<NamedCheck>,
        /// A check that has not reported after this long counts as failed.
        report_within: SignedDuration,
    },
    /// Every pull request that is carried was approved.
    Reviews {
        /// By how many people.
        count: u8,
    },
    /// The commit is on a branch.
    Ancestry {
        /// Which; empty: the default branch and those that the policy lists.
        of: Vec<Pattern>,
        /// On whichever: every commit passes.
        any: bool,
    },
    /// The tag is as it should be: it never moved.
    Tag {
        /// Its version is higher than every one that the commit contains.
        increasing: bool,
        /// It is signed, and the forge could verify it.
        signed: bool,
    },
    /// No open issue blocks.
    Blockers {
        /// Issues with this label.
        label: Option<String>,
        /// Issues in the milestone of this title; `{tag}` is the tag's name.
        milestone: Option<String>,
    },
    /// No incident is open.
    Alerts {
        /// On this environment, lower case; `None`: the gate's own, or any.
        environment: Option<String>,
    },
    /// The same commit runs in another environment.
    Deployed {
        /// Which, lower case.
        environment: String,
        /// For how long, without an incident.
        soak: SignedDuration,
    },
    /// It is a time at which this may happen.
    Window(Window),
    /// People agreed.
    Approval {
        /// How many.
        count: u8,
        /// Members of these teams; empty: people who maintain the repository.
        teams: Vec<String>,
    },
    /// Nobody else holds the environment's lock.
    Lock,
    /// No freeze covers the environment.
    Freeze,
    /// No carried item is on hold.
    Hold,
    /// All of these.
    All(Vec<ConditionRule>),
    /// One of these.
    Any(Vec<ConditionRule>),
    /// Not this.
    Not(Box<ConditionRule>),
}

impl ConditionRule {
    /// Which condition it is; `None` for those that only combine others.
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

    /// Its name in a policy file.
    pub fn name(&self) -> &'static str {
        match self {
            Self::All(_) => "all",
            Self::Any(_) => "any",
            Self::Not(_) => "not",
            leaf => leaf.condition().map_or("", ConditionName::name),
        }
    }

    /// It and everything within it.
    pub fn walk<'a>(&'a self, visit: &mut impl FnMut(&'a Self)) {
        visit(self);
        match self {
            Self::All(inner) | Self::Any(inner) => inner.iter().for_each(|rule| rule.walk(visit)),
            Self::Not(inner) => inner.walk(visit),
            _ => {}
        }
    }
}

/// A check that a gate names.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedCheck {
    /// Its name.
    pub name: Pattern,
    /// The App whose check run counts, by its slug or id; `None`: anybody's
    /// report does, a commit status of whoever may write included.
    pub app: Option<String>,
}

/// Days and hours of every week, in a zone.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// Any of these.
    pub hours: Vec<Hours>,
    /// On the clocks of which place.
    pub zone: TimeZone,
}

/// A weekly window, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    /// On which days it begins, Monday first.
    pub days: [bool; 7],
    /// First minute of the day.
    pub from: u16,
    /// First minute no longer in it; at or before `from`: on the next day.
    pub until: u16,
}

/// One end of a freeze, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// A month and day of every year.
    Yearly(i8, i8),
    /// A moment on the wall clock of the freeze's zone, and whether only the date was given.
    Once(DateTime, bool),
}

/// A time in which nothing is released or deployed.
#[derive(Debug, Clone, PartialEq)]
pub struct FreezeRule {
    /// The environment, lower case; [`crate::domain::fact::command::ALL`] for everything.
    pub environment: String,
    /// Beginning.
    pub from: End,
    /// End; a day is included.
    pub until: End,
    /// On the clocks of which place.
    pub zone: TimeZone,
    /// Why.
    pub reason: Option<String>,
}

/// A gate before releases.
#[derive(Debug, Clone, PartialEq)]
pub struct GateRule {
    /// Tags that it stands before.
    pub tag: Option<Pattern>,
    /// It stands before draft releases.
    pub draft: bool,
    /// The default branch's head carries its check, too.
    pub report_branch: bool,
    /// What must hold, beside freezes and holds.
    pub require: Vec<ConditionRule>,
    /// A draft release is published as soon as its gate is open.
    pub publish: bool,
    /// A tag that was pushed past its closed gate gets an issue.
    pub issue_on_violation: bool,
}

/// What a policy says of one environment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EnvironmentRule {
    /// Its name as the policy writes it: what the forge is sent. Names are
    /// compared in lower case.
    pub name: String,
    /// Whether it is production; `None`: the forge's own flag decides.
    pub production: Option<bool>,
    /// Environments, lower case, in which a commit must run before it goes here.
    pub after: Vec<String>,
    /// How a deploy starts; `None`: not by us.
    pub deploy: Option<DeployRule>,
    /// What starts a deploy without anybody asking.
    pub auto: AutoRule,
    /// The head of an open pull request may be deployed.
    pub unmerged: bool,
    /// A workflow that can't be told its commit may be started, and is compared after.
    pub best_effort: bool,
    /// What must hold, beside `after`, locks, freezes and holds.
    pub require: Vec<ConditionRule>,
    /// What a rollback may do.
    pub rollback: RollbackRule,
    /// What a deploy does while another one runs.
    pub when_busy: Busy,
}

/// How a deploy starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeployRule {
    /// By which means.
    pub via: Via,
    /// The inputs that `/deploy` may set, each with the values that it may have.
    pub inputs: BTreeMap<String, Vec<String>>,
}

/// By which means a deploy starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Via {
    /// A deployment on the forge.
    Deployment,
    /// A workflow that is started.
    Workflow {
        /// Its file.
        file: String,
    },
}

/// Deploys without anybody asking.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AutoRule {
    /// What starts one; empty: nothing.
    pub on: Vec<Trigger>,
    /// Tags that start one; `None`: every final version.
    pub tags: Option<Vec<Pattern>>,
    /// One may replace what is newer.
    pub allow_older: bool,
}

impl AutoRule {
    /// Whether a tag of this name is among those that start one.
    pub fn takes_tag(&self, tag: &str) -> bool {
        self.tags.as_ref().is_none_or(|tags| tags.iter().any(|pattern| pattern.matches(tag)))
    }
}

/// What starts a deploy by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// A new version tag.
    Tag,
    /// A new commit on the default branch.
    Merge,
}

/// What a deploy does while another one runs in the environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Busy {
    /// It waits for its turn.
    #[default]
    Queue,
    /// It is refused.
    Refuse,
}

/// What a rollback may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollbackRule {
    /// How many earlier deploys may be gone back to.
    pub last: u8,
    /// Conditions that a rollback need not meet.
    pub waive: Vec<ConditionName>,
}

impl Default for RollbackRule {
    fn default() -> Self {
        Self { last: 3, waive: Vec::new() }
    }
}

/// Who may override conditions, for how long, and which never. Who: the grant
/// of the command `override`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverrideRule {
    /// A second person has to confirm.
    pub second: bool,
    /// How long an override stands.
    pub ttl: SignedDuration,
    /// Conditions that nobody overrides.
    pub never: Vec<ConditionName>,
}

impl Default for OverrideRule {
    fn default() -> Self {
        Self { second: false, ttl: SignedDuration::from_hours(2), never: Vec::new() }
    }
}
