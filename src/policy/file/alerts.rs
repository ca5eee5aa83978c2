//! Feedback issues.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    text::{Glob, LabelName, Login, Name},
    time::Length,
};

/// How alerts become issues.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "Alerts")]
pub struct AlertsFile {
    /// Who is assigned and which labels are added, by the alert's labels; every
    /// route that matches counts.
    pub routes: Option<Vec<RouteFile>>,
    /// Whether an issue is closed when its incident is over. Default: `false`.
    pub auto_close: Option<bool>,
    /// How long an alert must fire before an issue is opened. Default: `30s`.
    pub hold: Option<Length>,
    /// How long it must be quiet before the incident is over. Default: `10m`.
    pub grace: Option<Length>,
    /// How long after its end the same incident is reopened. Default: `24h`.
    pub reopen_window: Option<Length>,
    /// When many incidents become one issue.
    pub storm: Option<StormFile>,
}

/// What is done with alerts of one kind.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "Route")]
pub struct RouteFile {
    /// Labels of the alert with the values (globs) that they must all have.
    #[serde(rename = "match")]
    pub matches: BTreeMap<Name, Glob>,
    /// Accounts to assign.
    pub assign: Option<Vec<Login>>,
    /// Labels to add.
    pub labels: Option<Vec<LabelName>>,
}

/// When many incidents become one issue.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "Storm")]
pub struct StormFile {
    /// After this many new issues, 1 to 100. Default: 5.
    #[schemars(range(min = 1, max = 100))]
    pub issues: Option<u8>,
    /// Within this time. Default: `10m`.
    pub within: Option<Length>,
}
