//! Feedback issues.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::policy::file::{
    text::{Glob, LabelName, Login, Name},
    time::Length,
};

/// Rules for turning alerts into issues.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "Alerts")]
pub struct AlertsFile {
    /// Assignees, labels, environment, service and severity of alerts, by the alerts' labels. Every
    /// route that matches counts.
    pub routes: Option<Vec<RouteFile>>,
    /// If `true`, an issue is closed when its incident is over. Default: `false`.
    pub auto_close: Option<bool>,
    /// Time that an alert must fire before an issue is opened. Default: `30s`.
    pub hold: Option<Length>,
    /// Time without a firing alert after which the incident is over. Default: `10m`.
    pub grace: Option<Length>,
    /// Time after its end in which the same incident is reopened. Default: `24h`.
    pub reopen_window: Option<Length>,
    /// The environment of alerts that name none, neither by their label `environment` or `env` nor
    /// by a route. Default: none.
    pub environment: Option<Name>,
    /// Time before the start of an alert in which deployments are suspects. Default: `1h`.
    pub suspect_window: Option<Length>,
    /// Time without a message after which an issue is labelled `stale`, if its source does not
    /// report the end of alerts. Default: `1d`.
    pub stale_after: Option<Length>,
    /// Time for which an issue that was closed as not planned keeps the same incident from being
    /// filed again. Default: `30d`.
    pub suppress: Option<Length>,
    /// Threshold above which incidents share one issue.
    pub storm: Option<StormFile>,
}

/// Handling of alerts of one kind.
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
    /// The environment that the alert is about. If several routes name one, the first counts.
    /// Default: the alert's label `environment` or `env`.
    pub environment: Option<Name>,
    /// The service that the alert is about. Default: its label `service`.
    pub service: Option<Name>,
    /// The severity of the alert. Default: its label `severity`.
    pub severity: Option<Name>,
}

/// Threshold above which incidents share one issue.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "Storm")]
pub struct StormFile {
    /// Number of new issues after which further incidents share one, 1 to 100. Default: 5.
    #[schemars(range(min = 1, max = 100))]
    pub issues: Option<u8>,
    /// Period in which the new issues count. Default: `10m`.
    pub within: Option<Length>,
}
