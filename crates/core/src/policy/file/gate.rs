//! Gates.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::policy::file::{condition::Condition, text::Glob};

/// A gate: the conditions that must hold before a release continues.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "Gate")]
pub struct GateFile {
    /// The releases that the gate applies to. Default: draft releases and tags `v*`.
    pub on: Option<GateOn>,
    /// Commits that get the gate's check: `commit` (default) those of draft releases and matching
    /// tags; `branch` the head of the default branch too.
    pub report: Option<ReportOn>,
    /// If `true`, a draft release is published as soon as its gate is open. Default: `false`;
    /// somebody publishes it with `/release publish TAG`.
    pub publish: Option<bool>,
    /// If `true`, phasebot lists in a draft release what it carries since the previous version of
    /// the gate's tags, in a block of its own; the rest of the text stays as it is. Default:
    /// `false`.
    pub notes: Option<bool>,
    /// Report of a tag that was pushed although its gate was closed: `check` (default) shows it in
    /// the tag's check; `issue` also opens an issue.
    pub on_violation: Option<OnViolation>,
    /// Conditions that must hold, in addition to those that the layers above require.
    pub require: Option<Vec<Condition>>,
    /// If `true`, a layer below may replace the conditions required here. Default: `false`.
    pub overridable: Option<bool>,
}

/// The releases that a gate applies to.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GateOn {
    /// Tags; a glob.
    pub tag: Option<Glob>,
    /// If `true`, draft releases count.
    pub draft: Option<bool>,
}

/// Report of a tag that was pushed although its gate was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnViolation {
    /// The tag's check shows it.
    Check,
    /// An issue names the missing conditions.
    Issue,
}

/// Commits that get the check of a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReportOn {
    /// Those of draft releases and matching tags.
    Commit,
    /// The head of the default branch too.
    Branch,
}
