//! Environments and the deployments to them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::domain::per_pull::NUMBER;
pub use crate::domain::rule::{Busy, SchemaMatch, SchemaOrder, SchemaRollback, Trigger};
use crate::policy::{
    file::{
        condition::{Condition, ConditionName},
        text::{Globs, LabelName, Name, check_name, word},
        time::Length,
    },
    problem::quote,
};

/// An environment.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "Environment")]
pub struct EnvironmentFile {
    /// `true` for a production environment. Default: as the forge says.
    pub production: Option<bool>,
    /// Environments in which a commit must run before it is deployed here.
    pub after: Option<Vec<Name>>,
    /// The way to start a deployment. Where phasebot deploys, a job that only names the environment
    /// does not count as a deployment: see "Deployments that count" in `docs/deployments.md`.
    pub deploy: Option<DeployFile>,
    /// Automatic deployments.
    pub auto: Option<AutoFile>,
    /// If `true`, the head of an open pull request may be deployed. Default: `false`.
    pub unmerged: Option<bool>,
    /// `strict` (default): deploy only the requested commit; `best_effort`: also start a workflow
    /// that takes no commit as an input, compare the commit of its run, and cancel the run if it
    /// differs.
    pub pin: Option<Pin>,
    /// Handling of a deployment while another one runs here: `queue` (default) waits for its turn;
    /// `refuse` refuses it.
    pub when_busy: Option<Busy>,
    /// Conditions that must hold, in addition to those that the layers above require.
    pub require: Option<Vec<Condition>>,
    /// Limits of a rollback.
    pub rollback: Option<RollbackFile>,
    /// The database behind the environment, whose schema changes the condition `database` follows:
    /// see `docs/planetscale.md`.
    pub database: Option<DatabaseFile>,
    /// If `true`, a layer below may replace the conditions required here. Default: `false`.
    pub overridable: Option<bool>,
    /// `pull_request` makes an environment of this kind for each pull request that asks for one: see
    /// "Environments for pull requests" in `docs/deployments.md`.
    pub per: Option<Per>,
    /// The name of each environment, for `per`, with `{n}` for the number of the pull request.
    /// Default: the name here, and `/pr-{n}`.
    pub name: Option<InstanceName>,
    /// A label on a pull request that makes its environment and deploys each of its heads, for `per`.
    /// Default: only `/deploy` does.
    pub label: Option<LabelName>,
    /// The workflow that tears the environment down, for `per`.
    pub teardown: Option<WorkflowFile>,
    /// The time after the last deployment until the environment is torn down, for `per`. Default: it
    /// stays as long as the pull request is open.
    pub ttl: Option<Length>,
    /// The most environments at a time, for `per`. Default: 10.
    pub max: Option<u32>,
}

impl EnvironmentFile {
    /// Returns the given keys that are only for `per: pull_request`.
    pub fn keys_of_per(&self) -> impl Iterator<Item = &'static str> {
        let keys = [
            ("name", self.name.is_some()),
            ("label", self.label.is_some()),
            ("teardown", self.teardown.is_some()),
            ("ttl", self.ttl.is_some()),
            ("max", self.max.is_some()),
        ];
        keys.into_iter().filter(|(_, given)| *given).map(|(key, _)| key)
    }

    /// Returns the given keys that do not fit `per: pull_request`.
    pub fn keys_beside_per(&self) -> impl Iterator<Item = &'static str> {
        let keys = [
            ("production", self.production.is_some()),
            ("after", self.after.is_some()),
            ("auto", self.auto.is_some()),
            ("rollback", self.rollback.is_some()),
            ("database", self.database.is_some()),
        ];
        keys.into_iter().filter(|(_, given)| *given).map(|(key, _)| key)
    }
}

/// What an environment is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// Each pull request that asks for one.
    PullRequest,
}

word! {
    /// The name of an environment with `{n}` for the number of a pull request, such as
    /// `preview/pr-{n}`.
    InstanceName, check_instance, { "minLength": 3, "maxLength": 200, "pattern": "\\{n\\}" }
}

fn check_instance(text: &str) -> Result<(), String> {
    check_name(text)?;
    match text.matches(NUMBER).count() {
        1 => Ok(()),
        0 => Err(format!("{} needs `{{n}}`, the number of the pull request", quote(text))),
        _ => Err(format!("{} has more than one `{{n}}`", quote(text))),
    }
}

/// The way to start a deployment.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "Deploy")]
pub struct DeployFile {
    /// The mechanism: a deployment on the forge, or a workflow.
    pub via: Via,
    /// The workflow file, for `via: workflow_dispatch`.
    pub workflow: Option<WorkflowFile>,
    /// Inputs that `/deploy` may set, by name.
    pub inputs: Option<BTreeMap<Name, InputFile>>,
}

/// The mechanism that starts a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// A deployment on the forge, which triggers workflows with `on: deployment`.
    Deployment,
    /// A workflow with `on: workflow_dispatch`.
    WorkflowDispatch,
}

word! {
    /// The file name of a workflow, such as `deploy.yml`; its path, `.github/workflows/deploy.yml`,
    /// means the same.
    WorkflowFile, check_workflow, {
        "pattern": "^((\\.?/)?\\.github/workflows/)?[^/]+\\.ya?ml$",
        "maxLength": 255
    }
}

impl WorkflowFile {
    /// Returns the file's name within `.github/workflows`.
    pub fn file_name(&self) -> &str {
        file_name(self.as_str())
    }
}

fn file_name(text: &str) -> &str {
    let relative = text.strip_prefix("./").or_else(|| text.strip_prefix('/')).unwrap_or(text);
    relative.strip_prefix(".github/workflows/").unwrap_or(text)
}

fn check_workflow(text: &str) -> Result<(), String> {
    check_name(text)?;
    let is_file = |name: &str| {
        let stem = name.strip_suffix(".yml").or_else(|| name.strip_suffix(".yaml"));
        stem.is_some_and(|stem| !stem.is_empty()) && !name.contains('/')
    };
    if is_file(file_name(text)) {
        return Ok(());
    }
    let last = text.rsplit('/').find(|part| !part.is_empty()).unwrap_or("deploy");
    let meant = if is_file(last) { last.to_owned() } else { format!("{last}.yml") };
    Err(format!("{} is no file name of `.github/workflows`; did you mean {}?", quote(text), quote(&meant)))
}

/// An input of a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "Input")]
pub struct InputFile {
    /// The allowed values.
    #[serde(rename = "enum")]
    #[schemars(length(min = 1))]
    pub values: Vec<Name>,
}

/// Automatic deployments.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "Auto")]
pub struct AutoFile {
    /// Triggers of a deployment.
    pub on: Vec<Trigger>,
    /// Tags that trigger a deployment, for `on: [tag]`, such as `api/v*`. Only final versions do.
    /// Default: every tag.
    pub tags: Option<Globs>,
    /// Branches whose new commits trigger a deployment, for `on: [merge]`, such as `release/*`. Only
    /// branches that count do. Default: the default branch.
    pub branches: Option<Globs>,
    /// Services whose tags and changes trigger a deployment. Default: those to which the environment
    /// belongs.
    pub services: Option<Vec<Name>>,
    /// If `true`, an automatic deployment may replace something newer: a higher version of the same
    /// name, or a commit that contains it. Default: `false`.
    pub allow_older: Option<bool>,
}

impl AutoFile {
    /// Returns the number of globs in it.
    pub fn globs(&self) -> usize {
        [&self.tags, &self.branches].into_iter().flatten().map(|globs| globs.list().len()).sum()
    }
}

/// The database behind an environment.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "Database")]
pub struct DatabaseFile {
    /// The connection: `[alerts.NAME]` of the operator's settings.
    pub connection: Name,
    /// The database branch that the environment uses. Default: `main`.
    pub into: Option<Name>,
    /// The schema changes that belong to a commit: those from a database branch named like the
    /// branch of a pull request that it brings (`branch`), those whose notes name such a pull
    /// request or commit (`notes`), or every open one (`any`). Default: `branch`.
    #[serde(rename = "match")]
    pub matching: Option<SchemaMatch>,
    /// If `true`, phasebot applies the schema changes of a deployment that it starts. Default:
    /// `false`: it only watches.
    pub apply: Option<bool>,
    /// The order, for `apply: true`: what only adds before the code and what only drops after it
    /// (`auto`), everything before it (`schema_first`), or everything after it (`code_first`). With
    /// `auto`, a schema change that does both is refused. Default: `auto`.
    pub order: Option<SchemaOrder>,
    /// Rollbacks, for `apply: true`: what only added stays, and what dropped something is reverted
    /// before the old code is deployed (`auto`), or everything stays (`keep`). Default: `auto`.
    pub rollback: Option<SchemaRollback>,
}

/// Strictness about the commit of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pin {
    /// Only the requested commit.
    Strict,
    /// The commit is compared after the start.
    BestEffort,
}

/// Limits of a rollback.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "Rollback")]
pub struct RollbackFile {
    /// Number of earlier deployments that a rollback may return to, 1 to 100. Default: 3.
    #[schemars(range(min = 1, max = 100))]
    pub last: Option<u8>,
    /// Conditions that a rollback need not meet.
    pub waive: Option<Vec<ConditionName>>,
    /// `incident`: roll back automatically if an incident follows a deployment and that deployment
    /// is its only suspect. The bounds are in "Automatic rollback" in `docs/deployments.md`.
    /// Default: never.
    pub on: Option<RollbackOn>,
    /// Time after a deployment's success within which the incident has to begin, for `on:
    /// incident`. Default: `15m`.
    pub within: Option<Length>,
    /// Severities of the incidents that count, for `on: incident`. Default: `critical`.
    pub severities: Option<Vec<Name>>,
}

/// Trigger of an automatic rollback.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RollbackOn {
    /// An incident.
    Incident,
}
