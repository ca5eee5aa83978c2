//! Gates.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::policy::file::{condition::Condition, text::Glob};

/// A gate: what must hold before something goes on.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "Gate")]
pub struct GateFile {
    /// What the gate stands before. Default: draft releases and tags `v*`.
    pub on: Option<GateOn>,
    /// Which commits carry the gate's check: `commit` (default) those of draft
    /// releases and matching tags; `branch` the default branch's head too.
    pub report: Option<ReportOn>,
    /// Whether a draft release is published as soon as its gate is open.
    /// Default: `false`, when somebody says `/release publish TAG`.
    pub publish: Option<bool>,
    /// What becomes of a tag that was pushed although its gate was closed:
    /// `check` (default) its check says so; `issue` an issue does, too.
    pub on_violation: Option<OnViolation>,
    /// What must hold. Added to what the layers above require.
    pub require: Option<Vec<Condition>>,
    /// Whether a layer below may replace what is required here. Default: `false`.
    pub overridable: Option<bool>,
}

/// What a gate stands before.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GateOn {
    /// Tags; a glob.
    pub tag: Option<Glob>,
    /// Whether draft releases count.
    pub draft: Option<bool>,
}

/// What becomes of a tag that was pushed past its closed gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnViolation {
    /// Its check says so.
    Check,
    /// An issue names what was missing.
    Issue,
}

/// Which commits carry the check of a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReportOn {
    /// Those of draft releases and matching tags.
    Commit,
    /// The default branch's head too.
    Branch,
}
