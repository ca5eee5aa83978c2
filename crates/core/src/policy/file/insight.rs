//! Delivery metrics.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::policy::file::{
    text::{Globs, Name},
    time::{Length, Zone},
};

/// Rules for delivery metrics, as `phasebot report` shows them. `docs/metrics.md` defines them.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "Insight")]
pub struct InsightFile {
    /// Time zone of the days and weeks. Default: that of `commands.tz`.
    pub tz: Option<Zone>,
    /// Time after a deployment in which a revert of something that it brought makes it a failed
    /// one. Default: `3d`.
    pub rework_window: Option<Length>,
    /// Labels of pull requests that are rework; globs. Default: `hotfix`.
    pub rework: Option<Globs>,
    /// Phase whose entry starts an item's cycle time. Default: `code`, else the second phase.
    pub start: Option<Name>,
    /// Phase whose entry ends an item's cycle time. Default: `operate`, else the last but one.
    pub finish: Option<Name>,
    /// Phases in which somebody works on an item, for the flow efficiency. Default: the phase that
    /// starts the cycle time.
    #[schemars(length(max = 50))]
    pub active: Option<Vec<Name>>,
}
