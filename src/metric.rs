//! All metrics that phasebot exports to Prometheus: one row each, which the exporter, the
//! operator's page and the counting code all read.
//!
//! Names end as Prometheus advises: `_total` for counters, `_seconds` for times. Labels have few
//! values, whatever strangers send.

/// A metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// One sentence, shown as `# HELP`.
    pub help: &'static str,
}

/// Types of metrics.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// A value that only increases.
    Counter,
    /// A value that increases and decreases.
    Gauge,
    /// Counts of values in seconds, by these upper bounds.
    Histogram(&'static [f64]),
}

/// Upper bounds from a commit to a slow API call.
const WORK: &[f64] = &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// Upper bounds from an effect applied at once to one given up after a day.
const WAIT: &[f64] = &[0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 21_600.0, 86_400.0];

/// Declares every metric as a constant, and [`ALL`] of them.
macro_rules! figures {
    ($($constant:ident = $name:literal, $kind:expr, [$($label:literal),*], $help:literal;)*) => {
        $(
            #[doc = $help]
            pub const $constant: &str = $name;
        )*

        /// All metrics, in the order of the operator's page.
        pub const ALL: &[Metric] = &[$(Metric { name: $name, kind: $kind, labels: &[$($label),*], help: $help }),*];
    };
}

figures! {
    BUILD = "phasebot_build_info", Kind::Gauge, ["version", "commit"],
        "1, with the version and the commit of the running program";
    RECEIVED = "phasebot_received_total", Kind::Counter, ["forge", "event", "outcome"],
        "Deliveries at the door: accepted, duplicate, refused (not verified) or failed (not kept)";
    DELIVERIES = "phasebot_deliveries_total", Kind::Counter, ["forge", "event", "outcome"],
        "What became of deliveries: done, ignored, quarantined or dead";
    CATCH_UPS = "phasebot_catch_ups_total", Kind::Counter, ["forge", "outcome"],
        "Walks through the forge's list of deliveries: done, limited (rate limit) or failed";
    CAUGHT_UP = "phasebot_caught_up_total", Kind::Counter, ["forge", "outcome"],
        "Deliveries that were not here: missed (never arrived), lost (acknowledged, and gone since) gone (the forge can't show it) or skipped (it can't show it now)";
    DATABASE_CALLS = "phasebot_database_calls_total", Kind::Counter, ["connection", "route", "status"],
        "Calls to the API of a database, by HTTP status or unanswered";
    QUEUE_DEPTH = "phasebot_queue_depth", Kind::Gauge, ["queue"],
        "What waits: deliveries (inbox), effects by lane (safety, conversation, labels)";
    OLDEST_PENDING_AGE = "phasebot_oldest_pending_age_seconds", Kind::Gauge, [],
        "Age of the oldest delivery that waits to be decided; 0 if none does";
    QUARANTINED = "phasebot_quarantined_deliveries", Kind::Gauge, [],
        "Deliveries kept that this version can't understand";
    DEAD_LETTERS = "phasebot_dead_letters", Kind::Gauge, ["kind"],
        "What was given up and kept, by kind (delivery, effect)";
    DECISION_SECONDS = "phasebot_decision_seconds", Kind::Histogram(WORK), [],
        "Time to decide one delivery, with what had to be asked for it";
    QUESTIONS = "phasebot_questions_total", Kind::Counter, ["outcome"],
        "Facts asked of a forge: answered or unavailable";
    COMMANDS = "phasebot_commands_total", Kind::Counter, [],
        "Slash-commands decided, whatever came of them";
    TIMERS = "phasebot_timers_total", Kind::Counter, ["outcome"],
        "Repositories with due timers handled: done or failed";
    EFFECTS = "phasebot_effects_total", Kind::Counter, ["kind", "outcome"],
        "Attempts at effects: done, retry, parked (rate limit), dropped or dead";
    EFFECT_SECONDS = "phasebot_effect_seconds", Kind::Histogram(WORK), ["kind"],
        "Time of one attempt at an effect";
    EFFECT_WAIT_SECONDS = "phasebot_effect_wait_seconds", Kind::Histogram(WAIT), [],
        "Time from the decision to the effect's being done";
    NOTICES = "phasebot_notices_total", Kind::Counter, ["target", "outcome"],
        "Messages to targets of notices: sent, edited, replied, digested, retry, dropped (not allowed, or nothing to change) or dead (given up)";
    PARKED = "phasebot_parked_total", Kind::Counter, ["forge"],
        "How often a rate limit made an installation wait";
    API_CALLS = "phasebot_forge_api_calls_total", Kind::Counter, ["forge", "route", "status"],
        "Calls to a forge's API by route and status; not_sent and unanswered where there was none";
    API_SECONDS = "phasebot_forge_api_seconds", Kind::Histogram(WORK), ["forge", "route"],
        "Time of one call to a forge's API";
    RATE_LIMIT_REMAINING = "phasebot_forge_rate_limit_remaining", Kind::Gauge, ["forge", "installation"],
        "Calls that the forge grants an installation until its limit resets";
    HTTP_REQUESTS = "phasebot_http_requests_total", Kind::Counter, ["route", "status"],
        "Requests to phasebot by route and status";
    HTTP_SECONDS = "phasebot_http_request_seconds", Kind::Histogram(WORK), ["route"],
        "Time to an answer";
    HTTP_CONNECTIONS = "phasebot_http_connections", Kind::Gauge, ["listener"],
        "Open connections (public, admin, web)";
}

/// Returns the table of `docs/operations.md`, in Markdown.
pub fn reference_markdown() -> String {
    let mut page = String::from("| name | kind | labels | |\n| --- | --- | --- | --- |\n");
    for Metric { name, kind, labels, help } in ALL {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram(_) => "histogram",
        };
        let labels = labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
        page.extend(["| `", name, "` | ", kind, " | ", &labels, " | ", help, " |\n"]);
    }
    page
}
