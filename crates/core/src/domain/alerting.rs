//! What a policy says of alerts.

use jiff::SignedDuration;

use crate::domain::policy::Pattern;

/// How alerts become issues.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertPolicy {
    /// What is said of alerts by their labels; every route that matches counts.
    pub routes: Vec<AlertRoute>,
    /// The environment of alerts that name none, lower case.
    pub environment: Option<String>,
    /// Whether an issue is closed when its incident is over.
    pub auto_close: bool,
    /// How long an alert must fire before an issue is opened.
    pub hold: SignedDuration,
    /// How long it must be quiet before it is over.
    pub grace: SignedDuration,
    /// How long after its end the same issue is opened again.
    pub reopen_window: SignedDuration,
    /// How long before its beginning a deployment is suspected.
    pub suspect_window: SignedDuration,
    /// After how long without a word an issue whose end nobody tells is stale.
    pub stale_after: SignedDuration,
    /// How long an issue closed as not planned keeps others from being opened.
    pub suppress: SignedDuration,
    /// When many incidents become one issue.
    pub storm: StormPolicy,
}

/// What is said of alerts that carry certain labels.
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

/// When many incidents become one issue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StormPolicy {
    /// After this many new issues…
    pub issues: usize,
    /// …within this time.
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
