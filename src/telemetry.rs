//! Logs to stderr, and metrics for Prometheus.

use std::{
    io::{IsTerminal, stderr},
    time::Duration,
};

use metrics::{describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::{Registry, filter::Targets, layer::SubscriberExt, reload, util::SubscriberInitExt};

use crate::{
    metric::{self, Kind, Metric},
    settings::{LogFormat, log_filter},
    version,
};

/// Errors while setting up logs or metrics.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The log filter is invalid.
    #[error("log: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// A level is invalid.
    #[error("log: {0}")]
    Level(String),
    /// Another subscriber is already set up.
    #[error("logs are set up already")]
    LogsTwice,
    /// The metrics recorder cannot be set up.
    #[error("metrics: {0}")]
    Metrics(#[from] BuildError),
}

/// Writes the process's log lines to stderr from now on.
///
/// `filter` is a level or `target=level` pairs. Uses colours only on a terminal, and not if `plain`
/// (see <https://no-color.org>).
pub fn start_logs(filter: &str, format: LogFormat, plain: bool) -> Result<LogLevel, TelemetryError> {
    let filter: Targets = filter.parse()?;
    let (filter, handle) = reload::Layer::new(filter);
    let registry = tracing_subscriber::registry().with(filter);
    let lines = tracing_subscriber::fmt::layer().with_writer(stderr);
    match format {
        LogFormat::Text => registry.with(lines.with_ansi(!plain && stderr().is_terminal())).try_init(),
        LogFormat::Json => registry.with(lines.json().flatten_event(true).with_current_span(false)).try_init(),
    }
    .map_err(|_| TelemetryError::LogsTwice)?;
    Ok(LogLevel { handle })
}

/// Handle that changes the log filter at run time.
#[derive(Clone)]
pub struct LogLevel {
    handle: reload::Handle<Targets, Registry>,
}

impl LogLevel {
    /// Returns the current filter.
    pub fn now(&self) -> String {
        self.handle.with_current(ToString::to_string).unwrap_or_default()
    }

    /// Sets the filter, until the program ends.
    pub fn set(&self, filter: &str) -> Result<(), TelemetryError> {
        // A misspelt level would be taken for a part of the program.
        log_filter(filter).map_err(TelemetryError::Level)?;
        let filter: Targets = filter.parse()?;
        self.handle.reload(filter).map_err(|_| TelemetryError::LogsTwice)
    }
}

/// Metrics of the process.
#[derive(Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
}

impl Metrics {
    /// Collects the process's metrics from now on.
    pub fn install() -> Result<Self, TelemetryError> {
        let handle = builder()?.install_recorder()?;
        describe();
        metrics::gauge!(metric::BUILD, "version" => version::VERSION, "commit" => version::COMMIT).set(1.0);
        Ok(Self { handle })
    }

    /// Returns metrics that nothing adds to, for tests of code around them.
    pub fn detached() -> Result<Self, TelemetryError> {
        Ok(Self { handle: builder()?.build_recorder().handle() })
    }

    /// Returns the metrics in Prometheus' text format.
    pub fn render(&self) -> String {
        self.handle.render()
    }

    /// Compacts the histograms every few seconds, forever. Without it they would grow until the
    /// next scrape.
    pub async fn upkeep(self) {
        let mut ticks = tokio::time::interval(Duration::from_secs(5));
        loop {
            ticks.tick().await;
            self.handle.run_upkeep();
        }
    }
}

fn builder() -> Result<PrometheusBuilder, BuildError> {
    metric::ALL.iter().try_fold(PrometheusBuilder::new(), |builder, metric| match metric.kind {
        Kind::Histogram(bounds) => builder.set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), bounds),
        Kind::Counter | Kind::Gauge => Ok(builder),
    })
}

fn describe() {
    for Metric { name, kind, help, .. } in metric::ALL {
        match kind {
            Kind::Counter => describe_counter!(*name, *help),
            Kind::Gauge => describe_gauge!(*name, *help),
            Kind::Histogram(_) => describe_histogram!(*name, *help),
        }
    }
}
