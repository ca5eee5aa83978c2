//! Sentry's integration webhooks (docs.sentry.io, "Integration Platform Webhooks"): issues, and
//! metric alerts.
//!
//! `Sentry-Hook-Signature` holds the hex HMAC-SHA256 of the body with the integration's client
//! secret. The kind of a message is told by the part of `data` that it holds.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName};
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::Value;

use crate::{
    alert::single::Single,
    domain::alert::{Message, Says},
    port::{
        alert::{AlertSource, Refusal},
        forge::Undecodable,
    },
    sender::{json, proof::Secrets},
};

/// Header with the signature.
const SIGNATURE: HeaderName = HeaderName::from_static("sentry-hook-signature");

/// A Sentry connection.
pub struct Sentry {
    connection: String,
    secrets: Secrets,
}

impl Sentry {
    /// Creates the connection `[alerts.connection]`.
    pub fn new(connection: &str, secrets: &[SecretString]) -> Self {
        Self { connection: connection.to_owned(), secrets: Secrets::new(secrets) }
    }
}

impl AlertSource for Sentry {
    fn kind(&self) -> &'static str {
        "sentry"
    }

    fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), Refusal> {
        self.secrets.verify_signature(headers, &SIGNATURE, &[body])
    }

    fn decode(&self, body: &[u8], received_at: Timestamp) -> Result<Message, Undecodable> {
        let payload = json::object(body)?;
        let action = json::text(payload.get("action")).unwrap_or_default();
        let data = payload.get("data").unwrap_or(&Value::Null);
        let says = if let Some(alert) = data.get("metric_alert") {
            metric_alert(&action, data, alert, received_at)
        } else if let Some(issue) = data.get("issue").filter(|issue| issue.is_object()) {
            self::issue(&action, issue, received_at)
        } else {
            Says::Nothing(format!("{action}: neither an issue nor a metric alert"))
        };
        Ok(Message { connection: self.connection.clone(), at: received_at, says })
    }
}

fn issue(action: &str, issue: &Value, received_at: Timestamp) -> Says {
    let text = |pointer: &str| json::text(issue.pointer(pointer));
    let firing = match action {
        "created" | "unresolved" => true,
        // Nobody is to look at an archived issue; if it escalates, Sentry reopens it.
        "resolved" | "archived" => false,
        other => return Says::Nothing(format!("{other}: does not open or end the issue")),
    };
    let Some(id) = text("/id") else { return Says::Nothing("the issue has no id".to_owned()) };
    let started_at = json::moment(issue.get("firstSeen")).unwrap_or(received_at);
    Single {
        key: format!("issue {id}"),
        title: text("/title"),
        text: text("/culprit"),
        url: text("/web_url").or_else(|| text("/permalink")),
        labels: labels([
            ("project", text("/project/slug")),
            ("platform", text("/platform")),
            ("severity", text("/level").map(severity)),
        ]),
        firing,
        // A regression is not as old as the first event.
        started_at: if action == "created" { started_at } else { received_at },
        tells_end: true,
    }
    .says()
}

fn metric_alert(action: &str, data: &Value, alert: &Value, received_at: Timestamp) -> Says {
    let text = |pointer: &str| json::text(alert.pointer(pointer));
    let firing = match action {
        "critical" | "warning" => true,
        "resolved" => false,
        other => return Says::Nothing(format!("{other}: no state of a metric alert")),
    };
    // Each incident of a rule has its own id; the rule stays.
    let Some(id) = text("/alert_rule/id").or_else(|| text("/id")) else {
        return Says::Nothing("the metric alert has no id".to_owned());
    };
    Single {
        key: format!("metric alert {id}"),
        // The description's title begins with the state.
        title: text("/alert_rule/name").or_else(|| text("/title")),
        text: json::text(data.get("description_text")),
        url: json::text(data.get("web_url")),
        labels: labels([
            ("project", text("/projects/0")),
            ("environment", text("/alert_rule/environment")),
            ("severity", firing.then(|| action.to_owned())),
        ]),
        firing,
        started_at: json::moment(alert.get("date_started")).unwrap_or(received_at),
        tells_end: true,
    }
    .says()
}

/// Returns the severity that a level of Sentry's events stands for.
fn severity(level: String) -> String {
    match level.as_str() {
        "fatal" => "critical".to_owned(),
        "debug" => "info".to_owned(),
        _ => level,
    }
}

fn labels<const N: usize>(found: [(&str, Option<String>); N]) -> BTreeMap<String, String> {
    found.into_iter().filter_map(|(label, value)| Some((label.to_owned(), value?))).collect()
}
