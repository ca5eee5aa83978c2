//! Figures: a pure function of rows. Everything that shows a figure gets it here.

pub mod delivery;
pub mod flow;
pub mod forecast;
pub mod gates;
mod select;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

pub use crate::insight::figures::select::{Rollout, Selection, select};
use crate::insight::{
    figures::{
        delivery::{ChangeFailRate, DeploymentFrequency, IncidentFigures, LeadTime, RecoveryTime, ReworkRate},
        flow::Flow,
        gates::GateWaits,
    },
    rows::InsightRows,
    window::{Step, Window},
};

/// What figures are asked for.
#[derive(Debug, Clone)]
pub struct Query {
    /// The time that they are about.
    pub window: Window,
    /// The time at which they are asked for.
    pub now: Timestamp,
    /// The service; `None`: the whole repository.
    pub service: Option<String>,
    /// The environment, lower case; `None`: production.
    pub environment: Option<String>,
    /// What one value of lead time stands for.
    pub weight: Weight,
    /// A number that is the same for a repository wherever it is computed; it seeds the forecast.
    pub seed: u64,
}

/// What one value of lead time stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Weight {
    /// A change: a pull request, or a commit without one.
    #[default]
    Change,
    /// Each commit of a change.
    Commit,
}

impl Query {
    /// Returns a query for the production environments of a whole repository.
    #[must_use]
    pub fn new(window: Window, now: Timestamp) -> Self {
        Self { window, now, service: None, environment: None, weight: Weight::Change, seed: 0 }
    }

    /// Narrows it to a service.
    #[must_use]
    pub fn service(self, name: &str) -> Self {
        Self { service: Some(name.to_owned()), ..self }
    }

    /// Narrows it to an environment, instead of production.
    #[must_use]
    pub fn environment(self, name: &str) -> Self {
        Self { environment: Some(name.to_lowercase()), ..self }
    }

    /// Returns the time from which rows are needed: several environments take a commit over within a
    /// day, and the forecast looks back further than most windows.
    #[must_use]
    pub fn rows_since(&self) -> Timestamp {
        let before = |at: Timestamp, days: i64| at.checked_sub(SignedDuration::from_hours(24 * days));
        let rollout = before(self.window.from, 1).unwrap_or(Timestamp::MIN);
        before(self.now, forecast::DAYS + 1).unwrap_or(Timestamp::MIN).min(rollout)
    }
}

/// All figures of one window. Durations are in seconds of elapsed time: nights and weekends count.
/// A figure without data is absent, never 0.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Figures {
    /// What they are about, and by which definitions.
    pub basis: Basis,
    /// Change lead time: how long a change takes from its first commit until it runs in production.
    pub lead_time: LeadTime,
    /// Deployment frequency: how often something new is deployed to production.
    pub deployment_frequency: DeploymentFrequency,
    /// Change fail rate: the share of deployments that needed intervention at once.
    pub change_fail_rate: ChangeFailRate,
    /// Failed deployment recovery time: how long it takes to restore service after such a deployment.
    pub recovery_time: RecoveryTime,
    /// Deployment rework rate: the share of deployments that were unplanned and only repaired.
    pub rework_rate: ReworkRate,
    /// Incidents, whatever caused them.
    pub incidents: IncidentFigures,
    /// Flow: issues, and pull requests that close none, from the start of work until they run in
    /// production.
    pub flow: Flow,
    /// Time for which the conditions of gates blocked commits, the longest first.
    pub gate_waits: Vec<GateWaits>,
}

/// What figures are about, and by which definitions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Basis {
    /// Beginning of the window, inclusive.
    #[schemars(with = "String")]
    pub from: Timestamp,
    /// End of the window, exclusive.
    #[schemars(with = "String")]
    pub to: Timestamp,
    /// Whole days in the window since our record began. Rates are over these days; today, which is
    /// not over, counts for everything else.
    pub whole_days: u32,
    /// Time zone of the days.
    pub tz: String,
    /// Version of the policy under which the rows were derived.
    pub policy: String,
    /// Version of the definitions.
    pub definition: u32,
    /// Beginning of our record of the repository: nothing before it is counted.
    #[schemars(with = "Option<String>")]
    pub recorded_since: Option<Timestamp>,
    /// The service, if they are of one.
    pub service: Option<String>,
    /// The environments that had a deployment or a change in the window.
    pub environments: Vec<String>,
}

/// Computes the figures of one window.
#[must_use]
pub fn figures(rows: &InsightRows, query: &Query) -> Figures {
    let mut figures = of_window(rows, query);
    figures.flow.forecast = forecast::Forecast::of(rows, query);
    figures
}

/// Computes what depends on the window. The forecast depends on the present alone.
fn of_window(rows: &InsightRows, query: &Query) -> Figures {
    let selection = select(rows, query);
    let terms = rows.terms.as_ref();
    let recorded_since = terms.and_then(|terms| terms.recorded_since);
    let window = &query.window;
    let whole_days = window.whole_days(recorded_since);
    Figures {
        basis: Basis {
            from: window.from,
            to: window.to,
            whole_days,
            tz: window.zone.iana_name().unwrap_or("UTC").to_owned(),
            policy: terms.map(|terms| terms.policy.clone()).unwrap_or_default(),
            definition: terms.map_or(super::rows::DEFINITION, |terms| terms.definition),
            recorded_since,
            service: query.service.clone(),
            environments: selection.environments(),
        },
        lead_time: LeadTime::of(&selection, query.weight),
        deployment_frequency: DeploymentFrequency::of(&selection, window, whole_days),
        change_fail_rate: ChangeFailRate::of(&selection, rows, query.now),
        recovery_time: RecoveryTime::of(&selection),
        rework_rate: ReworkRate::of(&selection),
        incidents: IncidentFigures::of(&selection),
        flow: Flow::of(rows, query, whole_days),
        gate_waits: gates::waits(&selection, query),
    }
}

/// Computes the figures of each part of a window, without a forecast.
#[must_use]
pub fn series(rows: &InsightRows, query: &Query, step: Step) -> Vec<Figures> {
    let parts = query.window.split(step).into_iter();
    parts.map(|window| of_window(rows, &Query { window, ..query.clone() })).collect()
}
