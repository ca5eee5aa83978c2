//! The policy file's types.
//!
//! The doc comments of these types are the descriptions in the JSON Schema and in `docs/policy.md`.
//! Every key is optional: a missing key has the value of the layer above (see
//! [`crate::policy::merge()`]).

pub mod alerts;
pub mod command;
pub mod condition;
pub mod environment;
pub mod evidence;
pub mod gate;
pub mod insight;
pub mod notice;
pub mod phase;
pub mod service;
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
        insight::InsightFile,
        notice::NoticeFile,
        phase::PhaseFile,
        service::ServiceFile,
        text::{Glob, Globs, Name},
        time::{Freeze, Length},
    },
};

/// The policy of phasebot for a repository: `.github/phasebot.yml` on its default branch, or
/// `phasebot.yml` in a layer above.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "Policy")]
pub struct PolicyFile {
    /// Version of the format: 1, which is also the default.
    pub version: Option<Version>,
    /// The actions that phasebot may take: `observe` writes nothing; `label` (default) sets labels,
    /// answers commands and keeps feedback issues; `act` also runs gates and deployments.
    pub mode: Option<Mode>,
    /// The pull requests on which the check `phasebot/policy` appears: `optional` (default) on
    /// those that change the policy file; `required` on every pull request and merge group, so that
    /// branch rules can require it.
    pub policy_check: Option<PolicyCheck>,
    /// Items that phasebot leaves alone.
    pub ignore: Option<IgnoreFile>,
    /// The phases in order, first to last. Leave out those that you don't want. A list here
    /// replaces the one above it. A phase that also exists above inherits the keys that are missing
    /// here.
    #[schemars(length(min = 1, max = 50))]
    pub phases: Option<Vec<PhaseFile>>,
    /// Branches that count in addition to the default branch, such as `release/*`.
    pub branches: Option<Vec<Glob>>,
    /// The checks that count.
    pub checks: Option<ChecksFile>,
    /// Slash commands: their form and who may use them.
    pub commands: Option<CommandsFile>,
    /// Gates by name, such as `release`.
    pub gates: Option<BTreeMap<Name, GateFile>>,
    /// Environments by name; compared without case.
    pub environments: Option<BTreeMap<Name, EnvironmentFile>>,
    /// Services by name, if the repository holds several: an issue or pull request has the phase of
    /// the least advanced service that it belongs to, and tags, environments, automatic deployments
    /// and gates of a service concern only what belongs to it.
    pub services: Option<BTreeMap<Name, ServiceFile>>,
    /// Paths that belong to every service, such as `Cargo.lock`.
    pub shared: Option<Globs>,
    /// Release notes: how `notes: true` of a gate groups pull requests.
    pub notes: Option<NotesFile>,
    /// Periods in which nothing is deployed, in addition to the freezes above.
    pub freezes: Option<Vec<Freeze>>,
    /// Rules for overriding conditions: who may override, for how long, and which conditions never.
    #[serde(rename = "override")]
    pub overrides: Option<OverrideFile>,
    /// Feedback issues from alerts.
    pub alerts: Option<AlertsFile>,
    /// Delivery metrics: `phasebot report`.
    pub insight: Option<InsightFile>,
    /// Notices: what is sent to which target outside of the forge. A list here replaces the one above
    /// it. Default: nothing is sent.
    #[schemars(length(max = 20))]
    pub notices: Option<Vec<NoticeFile>>,
    /// Keys that the organisation and the repositories can't override: a top-level key,
    /// `gates.NAME` or `environments.NAME`. Counts in the operator's policy only.
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

/// The pull requests on which the check of the policy file appears.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PolicyCheck {
    /// On pull requests that change the policy file.
    Optional,
    /// On every pull request and merge group.
    Required,
}

/// Release notes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "Notes")]
pub struct NotesFile {
    /// Groups in their order. A pull request is in the first group of which it has a label; those
    /// without one come last.
    #[schemars(length(max = 20))]
    pub groups: Option<Vec<NotesGroupFile>>,
}

/// A group of pull requests in release notes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "NotesGroup")]
pub struct NotesGroupFile {
    /// Title of the group.
    pub title: Name,
    /// Labels of its pull requests; globs.
    pub labels: Globs,
}

/// Items that are left alone.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "Ignore")]
pub struct IgnoreFile {
    /// Authors whose pull requests get no label unless they close an issue. Default: Dependabot and
    /// Renovate.
    pub authors: Option<Vec<text::Login>>,
    /// Labels that opt an item out; globs.
    pub labels: Option<Vec<Glob>>,
}

/// The checks that count.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "Checks")]
pub struct ChecksFile {
    /// Names of checks that never count; globs.
    pub ignore: Option<Vec<Glob>>,
    /// Time without a new report after which the verdict of the checks is final. Default: `60s`.
    pub settle: Option<Length>,
}

/// Rules for overriding conditions.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "Override")]
pub struct OverrideFile {
    /// Teams whose members may override. Default: people who maintain the repository.
    pub teams: Option<Vec<Team>>,
    /// If `true`, a second person has to confirm. Default: `false`.
    pub second: Option<bool>,
    /// Time for which an override is valid. Default: `2h`.
    pub ttl: Option<Length>,
    /// Conditions that nobody can override.
    pub never: Option<Vec<ConditionName>>,
}
