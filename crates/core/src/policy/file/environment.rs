//! Environments and how something gets there.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

pub use crate::domain::rule::{Busy, Trigger};
use crate::policy::{
    file::{
        condition::{Condition, ConditionName},
        text::{Globs, Name, check_name, word},
    },
    problem::quote,
};

/// One environment.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "Environment")]
pub struct EnvironmentFile {
    /// Whether it is production. Default: what the forge says of it.
    pub production: Option<bool>,
    /// Environments in which a commit must run before it goes here.
    pub after: Option<Vec<Name>>,
    /// How a deploy starts. Where phasebot deploys, a job that only names the
    /// environment counts for nothing: see "What counts as deployed" in
    /// `docs/deploys.md`.
    pub deploy: Option<DeployFile>,
    /// What starts a deploy without anybody asking.
    pub auto: Option<AutoFile>,
    /// Whether the head of an open pull request may be deployed. Default: `false`.
    pub unmerged: Option<bool>,
    /// `strict` (default): only the very commit that was asked for;
    /// `best_effort`: also by a workflow that can't be told the commit, whose
    /// run is compared and cancelled if it differs.
    pub pin: Option<Pin>,
    /// What a deploy does while another one runs here: `queue` (default) waits
    /// for its turn; `refuse`.
    pub when_busy: Option<Busy>,
    /// What must hold. Added to what the layers above require.
    pub require: Option<Vec<Condition>>,
    /// What a rollback may do.
    pub rollback: Option<RollbackFile>,
    /// Whether a layer below may replace what is required here. Default: `false`.
    pub overridable: Option<bool>,
}

/// How a deploy starts.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "Deploy")]
pub struct DeployFile {
    /// By which means.
    pub via: Via,
    /// The workflow file, for `via: workflow_dispatch`.
    pub workflow: Option<WorkflowFile>,
    /// Inputs that `/deploy` may set, by name.
    pub inputs: Option<BTreeMap<Name, InputFile>>,
}

/// By which means a deploy starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// A deployment on the forge, which workflows with `on: deployment` run.
    Deployment,
    /// A workflow with `on: workflow_dispatch`.
    WorkflowDispatch,
}

word! {
    /// The file name of a workflow, such as `deploy.yml`; its path,
    /// `.github/workflows/deploy.yml`, says the same.
    WorkflowFile, check_workflow, {
        "pattern": "^((\\.?/)?\\.github/workflows/)?[^/]+\\.ya?ml$",
        "maxLength": 255
    }
}

impl WorkflowFile {
    /// The file's name within `.github/workflows`.
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

/// An input of a deploy.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "Input")]
pub struct InputFile {
    /// The values that may be given.
    #[serde(rename = "enum")]
    #[schemars(length(min = 1))]
    pub values: Vec<Name>,
}

/// Deploys without anybody asking.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "Auto")]
pub struct AutoFile {
    /// What starts one.
    pub on: Vec<Trigger>,
    /// Tags that start one, for `on: [tag]`, such as `api/v*`. Only final
    /// versions do. Default: every tag.
    pub tags: Option<Globs>,
    /// Whether one may replace what is newer: a higher version of the same
    /// name, or a commit that contains it. Default: `false`.
    pub allow_older: Option<bool>,
}

impl AutoFile {
    /// How many globs it holds.
    pub fn globs(&self) -> usize {
        self.tags.as_ref().map_or(0, |tags| tags.list().len())
    }
}

/// How exact a deploy's commit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pin {
    /// Only the commit that was asked for.
    Strict,
    /// Compared after the start.
    BestEffort,
}

/// What a rollback may do.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "Rollback")]
pub struct RollbackFile {
    /// How many earlier deploys may be gone back to, 1 to 100. Default: 3.
    #[schemars(range(min = 1, max = 100))]
    pub last: Option<u8>,
    /// Conditions that a rollback need not meet.
    pub waive: Option<Vec<ConditionName>>,
}
