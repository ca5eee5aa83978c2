//! Logs to stderr, figures for Prometheus.

use std::{
    io::{IsTerminal, stderr},
    time::Duration,
};

use jiff::Timestamp;
use metrics::{Unit, describe_counter, describe_gauge, describe_histogram, gauge};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::{filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

use crate::{port::store::StoreStats, settings::LogFormat};

/// Names of the figures. Labels stand beside each.
pub mod name {
    /// Requests by `route` and `status`.
    pub const HTTP_REQUESTS: &str = "phasebot_http_requests_total";
    /// Seconds to an answer, by `route`.
    pub const HTTP_SECONDS: &str = "phasebot_http_request_duration_seconds";
    /// Open connections, by `listener` (`public`, `admin`).
    pub const HTTP_CONNECTIONS: &str = "phasebot_http_connections";
    /// Deliveries by `forge`, `event` and `outcome`: at the door `accepted`,
    /// `duplicate`, `refused`, `failed`; later `done`, `ignored`, `quarantined`, `dead`.
    pub const DELIVERIES: &str = "phasebot_deliveries_total";
    /// Deliveries that wait to be decided.
    pub const PENDING: &str = "phasebot_pending_deliveries";
    /// Age of the oldest of them, in seconds.
    pub const OLDEST_PENDING_SECONDS: &str = "phasebot_oldest_pending_seconds";
    /// Deliveries that could not be understood.
    pub const QUARANTINED: &str = "phasebot_quarantined_deliveries";
    /// What was given up, by `kind` (`delivery`, `effect`).
    pub const DEAD_LETTERS: &str = "phasebot_dead_letters";
    /// Effects that wait, by `lane` (`safety`, `conversation`, `labels`).
    pub const QUEUED_EFFECTS: &str = "phasebot_queued_effects";
    /// Seconds to decide one delivery.
    pub const DECISION_SECONDS: &str = "phasebot_decision_duration_seconds";
    /// Calls to a forge's API by `route` and `status`.
    pub const API_CALLS: &str = "phasebot_api_calls_total";
    /// Seconds of an API call, by `route`.
    pub const API_SECONDS: &str = "phasebot_api_call_duration_seconds";
    /// Calls left until the limit resets, by `installation`.
    pub const RATE_LIMIT_REMAINING: &str = "phasebot_rate_limit_remaining";
}

/// Upper bounds of the histograms, in seconds: from a commit to a slow API call.
const BUCKETS: [f64; 14] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Why logs or figures can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The log filter.
    #[error("log: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Another subscriber is there already.
    #[error("logs are set up already")]
    LogsTwice,
    /// The recorder.
    #[error("metrics: {0}")]
    Metrics(#[from] BuildError),
}

/// Writes the process's log lines to stderr from here on.
///
/// `filter` is a level or `target=level` pairs. Colours only on a terminal, and
/// not if `plain` (see <https://no-color.org>).
pub fn start_logs(filter: &str, format: LogFormat, plain: bool) -> Result<(), TelemetryError> {
    let filter: Targets = filter.parse()?;
    let registry = tracing_subscriber::registry().with(filter);
    let lines = tracing_subscriber::fmt::layer().with_writer(stderr);
    match format {
        LogFormat::Text => registry.with(lines.with_ansi(!plain && stderr().is_terminal())).try_init(),
        LogFormat::Json => registry.with(lines.json().flatten_event(true).with_current_span(false)).try_init(),
    }
    .map_err(|_| TelemetryError::LogsTwice)
}

/// The process's figures.
#[derive(Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
}

impl Metrics {
    /// Collects the process's figures from here on.
    pub fn install() -> Result<Self, TelemetryError> {
        let handle = builder()?.install_recorder()?;
        describe();
        Ok(Self { handle })
    }

    /// Figures that nobody adds to, for tests of what is around them.
    pub fn detached() -> Result<Self, TelemetryError> {
        Ok(Self { handle: builder()?.build_recorder().handle() })
    }

    /// The figures in Prometheus' text format.
    pub fn render(&self) -> String {
        self.handle.render()
    }

    /// Folds what the histograms gathered, every few seconds, for ever. Without
    /// it they would grow until the next scrape.
    pub async fn upkeep(self) {
        let mut ticks = tokio::time::interval(Duration::from_secs(5));
        loop {
            ticks.tick().await;
            self.handle.run_upkeep();
        }
    }
}

/// Shows the store's own figures.
pub fn record_store(stats: &StoreStats, now: Timestamp) {
    let age = stats.oldest_pending.map_or(0.0, |oldest| now.duration_since(oldest).as_secs_f64().max(0.0));
    gauge!(name::PENDING).set(count(stats.pending));
    gauge!(name::OLDEST_PENDING_SECONDS).set(age);
    gauge!(name::QUARANTINED).set(count(stats.quarantined));
    gauge!(name::DEAD_LETTERS, "kind" => "delivery").set(count(stats.dead_deliveries));
    gauge!(name::DEAD_LETTERS, "kind" => "effect").set(count(stats.dead_effects));
    for (lane, queued) in ["safety", "conversation", "labels"].into_iter().zip(stats.queued_effects) {
        gauge!(name::QUEUED_EFFECTS, "lane" => lane).set(count(queued));
    }
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 rows")]
fn count(rows: u64) -> f64 {
    rows as f64
}

fn builder() -> Result<PrometheusBuilder, BuildError> {
    PrometheusBuilder::new().set_buckets(&BUCKETS)
}

fn describe() {
    describe_counter!(name::HTTP_REQUESTS, "Requests by route and status");
    describe_histogram!(name::HTTP_SECONDS, Unit::Seconds, "Time to an answer by route");
    describe_gauge!(name::HTTP_CONNECTIONS, "Open connections by listener");
    describe_counter!(name::DELIVERIES, "Deliveries by forge, event and outcome");
    describe_gauge!(name::PENDING, "Deliveries that wait to be decided");
    describe_gauge!(name::OLDEST_PENDING_SECONDS, Unit::Seconds, "Age of the oldest delivery that waits");
    describe_gauge!(name::QUARANTINED, "Deliveries that could not be understood");
    describe_gauge!(name::DEAD_LETTERS, "Deliveries and effects that were given up");
    describe_gauge!(name::QUEUED_EFFECTS, "Effects that wait by lane");
    describe_histogram!(name::DECISION_SECONDS, Unit::Seconds, "Time to decide one delivery");
    describe_counter!(name::API_CALLS, "Calls to a forge's API by route and status");
    describe_histogram!(name::API_SECONDS, Unit::Seconds, "Time of an API call by route");
    describe_gauge!(name::RATE_LIMIT_REMAINING, "API calls left by installation");
}
