//! Conditions of gates.

use jiff::{SignedDuration, tz::TimeZone};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::{policy::Pattern, rule::database::SchemaGoal};

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
    /// Another system passed the commit.
    External,
    /// The database's schema changes that belong to the commit are far enough.
    Database,
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
    /// Every condition, in the order of the documentation.
    pub const ALL: [Self; 14] = [
        Self::Checks,
        Self::Reviews,
        Self::Ancestry,
        Self::Tag,
        Self::Blockers,
        Self::Alerts,
        Self::Deployed,
        Self::External,
        Self::Database,
        Self::Window,
        Self::Approval,
        Self::Lock,
        Self::Freeze,
        Self::Hold,
    ];

    /// Returns the condition's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Checks => "checks",
            Self::Reviews => "reviews",
            Self::Ancestry => "ancestry",
            Self::Tag => "tag",
            Self::Blockers => "blockers",
            Self::Alerts => "alerts",
            Self::Deployed => "deployed",
            Self::External => "external",
            Self::Database => "database",
            Self::Window => "window",
            Self::Approval => "approval",
            Self::Lock => "lock",
            Self::Freeze => "freeze",
            Self::Hold => "hold",
        }
    }

    /// Returns the condition with this name, ignoring case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|condition| condition.name().eq_ignore_ascii_case(name))
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
    /// Another system passed the commit.
    External(ExternalRule),
    /// The schema changes that belong to the commit are far enough.
    Database {
        /// The environment whose database it is, lower case; `None`: the gate's own.
        environment: Option<String>,
        /// How far they have to be.
        want: SchemaGoal,
    },
    /// The current time is within the window.
    Window(Window),
    /// People approved.
    Approval {
        /// Number of people.
        count: u8,
        /// Teams whose members may approve; if empty, people who maintain the repository.
        teams: Vec<String>,
        /// True if a comment that asks for the approval mentions the teams.
        mention: bool,
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
            Self::External(_) => ConditionName::External,
            Self::Database { .. } => ConditionName::Database,
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
            | Self::External(_)
            | Self::Database { .. }
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
            | Self::External(_)
            | Self::Database { .. }
            | Self::Window(_)
            | Self::Approval { .. }
            | Self::Lock
            | Self::Freeze
            | Self::Hold => {}
        }
    }
}

/// Verdicts that a gate requires.
#[derive(Debug, Clone, PartialEq)]
pub struct ExternalRule {
    /// The connection that sends them.
    pub from: String,
    /// Names of the verdicts that count; all of them must pass, and at least one.
    pub name: Pattern,
    /// The environment, lower case; `None`: the gate's own, or any.
    pub environment: Option<String>,
    /// Time after which a verdict no longer counts.
    pub max_age: SignedDuration,
    /// A verdict that has not come after this time counts as failed.
    pub report_within: SignedDuration,
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The schema lists the variants by itself, the list is kept by hand.
    #[test]
    fn the_list_of_conditions_has_every_condition() {
        let schema = schemars::schema_for!(ConditionName);
        let variants = schema.get("oneOf").unwrap().as_array().unwrap();
        let variants: BTreeSet<&str> = variants.iter().map(|variant| variant["const"].as_str().unwrap()).collect();
        assert_eq!(ConditionName::ALL.into_iter().map(ConditionName::name).collect::<BTreeSet<_>>(), variants);
    }
}
