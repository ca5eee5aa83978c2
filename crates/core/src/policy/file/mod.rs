//! The policy file, as it is written.
//!
//! The doc comments of these types are the descriptions in the JSON Schema and
//! in `docs/policy.md`. Every key may be left out: what a file does not say,
//! the layer above it says (see [`crate::policy::merge()`]).

pub mod alerts;
pub mod command;
pub mod condition;
pub mod environment;
pub mod evidence;
pub mod gate;
pub mod phase;
pub mod text;
pub mod time;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    domain::policy::Mode,
    policy::file::{
        alerts::AlertsFile,
        command::CommandsFile,
        condition::{ConditionName, Team},
        environment::EnvironmentFile,
        gate::GateFile,
        phase::PhaseFile,
        text::{Glob, Name},
        time::{Freeze, Length},
    },
};

/// The policy of phasebot for a repository: `.github/phasebot.yml` on its
/// default branch, or `phasebot.yml` further up.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "Policy")]
pub struct PolicyFile {
    /// Version of the format: 1, also when it is left out.
    pub version: Option<Version>,
    /// How far phasebot may go: `observe` writes nothing; `label` (default)
    /// sets labels, answers commands and keeps feedback issues; `act` also
    /// runs gates and deploys.
    pub mode: Option<Mode>,
    /// Where the check `phasebot/policy` appears: `optional` (default) on pull
    /// requests that change the policy file; `required` on every pull request
    /// and merge group, so that branch rules can require it.
    pub policy_check: Option<PolicyCheck>,
    /// What phasebot leaves alone.
    pub ignore: Option<IgnoreFile>,
    /// The phases in order, first to last; leave out what you don't want. A
    /// list here replaces the one above it. A phase that is also above
    /// inherits what is not said of it here.
    #[schemars(length(min = 1, max = 50))]
    pub phases: Option<Vec<PhaseFile>>,
    /// Branches that count beside the default branch, such as `release/*`.
    pub branches: Option<Vec<Glob>>,
    /// Which checks count.
    pub checks: Option<ChecksFile>,
    /// Slash-commands: how they are written and who may use them.
    pub commands: Option<CommandsFile>,
    /// Gates by name, such as `release`.
    pub gates: Option<BTreeMap<Name, GateFile>>,
    /// Environments by name; compared without case.
    pub environments: Option<BTreeMap<Name, EnvironmentFile>>,
    /// Times in which nothing is deployed. Added to the freezes above.
    pub freezes: Option<Vec<Freeze>>,
    /// Who may override conditions, for how long, and which never.
    #[serde(rename = "override")]
    pub overrides: Option<OverrideFile>,
    /// Feedback issues from alerts.
    pub alerts: Option<AlertsFile>,
    /// Keys that the organisation and the repositories can't override: a
    /// top-level key, `gates.NAME` or `environments.NAME`. Counts in the
    /// operator's policy only.
    pub locked: Option<Vec<text::LockKey>>,
}

/// The version of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u64")]
pub struct Version;

impl TryFrom<u64> for Version {
    type Error = String;

    fn try_from(version: u64) -> Result<Self, String> {
        if version == 1 { Ok(Self) } else { Err(format!("version {version} of the format is unknown; this is 1")) }
    }
}

impl JsonSchema for Version {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Version".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "integer", "const": 1 })
    }
}

/// Where the check of the policy file appears.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PolicyCheck {
    /// On pull requests that change the policy file.
    Optional,
    /// On every pull request and merge group.
    Required,
}

/// What is left alone.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "Ignore")]
pub struct IgnoreFile {
    /// Authors whose pull requests carry no label unless they close an issue.
    /// Default: Dependabot and Renovate.
    pub authors: Option<Vec<text::Login>>,
    /// Labels that opt an item out; globs.
    pub labels: Option<Vec<Glob>>,
}

/// Which checks count.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "Checks")]
pub struct ChecksFile {
    /// Check names that never count; globs.
    pub ignore: Option<Vec<Glob>>,
    /// How long nothing new may have come before the checks' verdict stands.
    /// Default: `60s`.
    pub settle: Option<Length>,
}

/// Who may override conditions.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "Override")]
pub struct OverrideFile {
    /// Teams whose members may override. Default: people who maintain the repository.
    pub teams: Option<Vec<Team>>,
    /// Whether a second person has to confirm. Default: `false`.
    pub second: Option<bool>,
    /// How long an override stands. Default: `2h`.
    pub ttl: Option<Length>,
    /// Conditions that nobody overrides.
    pub never: Option<Vec<ConditionName>>,
}
