//! Feedback issues.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::policy::file::{
    text::{Glob, LabelName, Login, Name},
    time::Length,
};

/// How alerts become issues.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "Alerts")]
pub struct AlertsFile {
    /// Who is assigned, which labels are added and what the alert is about, by
    /// its labels; every route that matches counts.
    pub routes: Option<Vec<RouteFile>>,
    /// Whether an issue is closed when its incident is over. Default: `false`.
    pub auto_close: Option<bool>,
    /// How long an alert must fire before an issue is opened. Default: `30s`.
    pub hold: Option<Length>,
    /// How long it must be quiet before the incident is over. Default: `10m`.
    pub grace: Option<Length>,
    /// How long after its end the same incident is reopened. Default: `24h`.
    pub reopen_window: Option<Length>,
    /// The environment of alerts that name none, by their label `environment`
    /// or `env` or by a route. Default: none.
    pub environment: Option<Name>,
    /// How long before an alert began a deployment is suspected. Default: `1h`.
    pub suspect_window: Option<Length>,
    /// After how long without a word an issue is labelled `stale`, if its
    /// source does not tell when an alert is over. Default: `1d`.
    pub stale_after: Option<Length>,
    /// How long an issue that was closed as not planned keeps the same
    /// incident from being filed again. Default: `30d`.
    pub suppress: Option<Length>,
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
    /// The environment that the alert is about; of several routes the first
    /// that names one counts. Default: the alert's label `environment` or `env`.
    pub environment: Option<Name>,
    /// The service that the alert is about. Default: its label `service`.
    pub service: Option<Name>,
    /// How bad it is. Default: its label `severity`.
    pub severity: Option<Name>,
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
