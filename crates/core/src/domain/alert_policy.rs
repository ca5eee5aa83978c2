//! Policy for alerts.

use jiff::SignedDuration;

use crate::domain::pattern::Pattern;

/// Rules for turning alerts into issues.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertPolicy {
    /// Routes of alerts by their labels. Every route that matches counts.
    pub routes: Vec<AlertRoute>,
    /// The environment of alerts that name none, lower case.
    pub environment: Option<String>,
    /// True if an issue is closed when its incident is over.
    pub auto_close: bool,
    /// Time that an alert must fire before an issue is opened.
    pub hold: SignedDuration,
    /// Time without a firing alert after which the incident is over.
    pub grace: SignedDuration,
    /// Time after its end in which the same issue is reopened.
    pub reopen_window: SignedDuration,
    /// Time before the start of an alert in which deployments are suspects.
    pub suspect_window: SignedDuration,
    /// Time without a message after which an issue is stale, if its source does not report the end
    /// of alerts.
    pub stale_after: SignedDuration,
    /// Time for which an issue that was closed as not planned keeps others from being opened.
    pub suppress: SignedDuration,
    /// Threshold above which incidents share one issue.
    pub storm: StormPolicy,
}

/// Handling of alerts that have certain labels.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AlertRoute {
    /// Labels with the values that they must all have.
    pub matches: Vec<(String, Pattern)>,
    /// Accounts to assign.
    pub assign: Vec<String>,
    /// Labels to add.
    pub labels: Vec<String>,
    /// The environment, lower case.
    pub environment: Option<String>,
    /// The service.
    pub service: Option<String>,
    /// The severity.
    pub severity: Option<String>,
}

/// Threshold above which incidents share one issue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StormPolicy {
    /// Number of new issues after which further incidents share one.
    pub issues: usize,
    /// Period in which the new issues count.
    pub within: SignedDuration,
}

impl Default for AlertPolicy {
    fn default() -> Self {
        Self {
            routes: Vec::new(),
            environment: None,
            auto_close: false,
            hold: SignedDuration::from_secs(30),
            grace: SignedDuration::from_mins(10),
            reopen_window: SignedDuration::from_hours(24),
            suspect_window: SignedDuration::from_hours(1),
            stale_after: SignedDuration::from_hours(24),
            suppress: SignedDuration::from_hours(30 * 24),
            storm: StormPolicy { issues: 5, within: SignedDuration::from_mins(10) },
        }
    }
}
