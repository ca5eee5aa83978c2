//! Systems whose messages have known fields and words: a row each.
//!
//! Datadog's payload is a template of ours (docs/alerts.md); New Relic's is the default template of
//! its workflows (docs.newrelic.com, "Webhook notifications"); Honeybadger's is version 2
//! (docs.honeybadger.io, "v2 webhook payloads").

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

/// Fields and words of a system's messages. Fields are JSON pointers (RFC 6901); of several, the
/// first that is there counts.
#[derive(Debug)]
pub struct Preset {
    /// Name, as in `kind`.
    name: &'static str,
    /// Header of the token; `None`: a bearer token.
    token: Option<HeaderName>,
    /// Prefix and pointer of the identifier.
    key: &'static [(&'static str, &'static str)],
    /// State of the alert.
    status: &'static str,
    title: &'static [&'static str],
    text: &'static [&'static str],
    url: &'static [&'static str],
    started_at: &'static str,
    /// Labels with the pointers to their values.
    labels: &'static [(&'static str, &'static str)],
    /// List of further labels, `name:value`.
    tags: &'static str,
    /// Values of the state that mean firing.
    firing: &'static [&'static str],
    /// Values of the state that mean resolved.
    resolved: &'static [&'static str],
}

/// Datadog, with the payload that docs/alerts.md shows.
pub static DATADOG: Preset = Preset {
    name: "datadog",
    token: None,
    key: &[("", "/id")],
    status: "/transition",
    title: &["/title"],
    text: &["/text"],
    url: &["/url"],
    started_at: "/at",
    labels: &[("priority", "/priority")],
    tags: "/tags",
    firing: &["Triggered", "Re-Triggered", "Warn", "Re-Warn", "No Data", "Re-No Data", "Renotify"],
    resolved: &["Recovered"],
};

/// New Relic, with the default template of a workflow.
pub static NEW_RELIC: Preset = Preset {
    name: "newrelic",
    token: None,
    key: &[("", "/id"), ("", "/issueId")],
    status: "/state",
    title: &["/title"],
    text: &["/description"],
    url: &["/issueUrl", "/issuePageUrl"],
    started_at: "/createdAt",
    labels: &[("priority", "/priority"), ("policy", "/alertPolicyNames/0"), ("condition", "/alertConditionNames/0")],
    tags: "",
    firing: &["CREATED", "ACTIVATED", "ACKNOWLEDGED"],
    resolved: &["CLOSED", "DEACTIVATED", "RESOLVED"],
};

/// Honeybadger.
pub static HONEYBADGER: Preset = Preset {
    name: "honeybadger",
    token: Some(HeaderName::from_static("honeybadger-token")),
    key: &[("fault ", "/fault/id"), ("site ", "/site/id"), ("check-in ", "/check_in/id"), ("alarm ", "/alarm/id")],
    status: "/event",
    title: &["/fault/klass", "/site/name", "/check_in/name", "/alarm/name"],
    text: &["/fault/message", "/message"],
    url: &["/fault/url", "/site/details_url", "/check_in/details_url", "/alarm/details_url"],
    started_at: "/outage/down_at",
    labels: &[("environment", "/fault/environment"), ("project", "/project/name")],
    tags: "",
    firing: &["occurred", "rate_exceeded", "unresolved", "down", "check_in_missing", "alarm_alert"],
    resolved: &["resolved", "up", "check_in_reporting", "alarm_ok"],
};

/// A connection of such a system.
pub struct PresetSource {
    connection: String,
    secrets: Secrets,
    token: Option<HeaderName>,
    preset: &'static Preset,
}

impl PresetSource {
    /// Creates the connection `[alerts.connection]`. `token` names the header with the token;
    /// `None`: the preset's own.
    pub fn new(connection: &str, secrets: &[SecretString], token: Option<HeaderName>, preset: &'static Preset) -> Self {
        let token = token.or_else(|| preset.token.clone());
        Self { connection: connection.to_owned(), secrets: Secrets::new(secrets), token, preset }
    }
}

impl AlertSource for PresetSource {
    fn kind(&self) -> &'static str {
        self.preset.name
    }

    fn verify(&self, headers: &HeaderMap, _body: &[u8]) -> Result<(), Refusal> {
        self.secrets.verify_token(headers, self.token.as_ref())
    }

    fn decode(&self, body: &[u8], received_at: Timestamp) -> Result<Message, Undecodable> {
        let payload = json::object(body)?;
        let says = self.preset.says(&payload, received_at);
        Ok(Message { connection: self.connection.clone(), at: received_at, says })
    }
}

impl Preset {
    fn says(&self, payload: &Value, received_at: Timestamp) -> Says {
        let text = |pointer: &&str| json::text(payload.pointer(pointer));
        let first = |pointers: &[&str]| pointers.iter().find_map(text);
        let status = text(&self.status).unwrap_or_default();
        let is = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(&status));
        let firing = is(self.firing);
        if !firing && !is(self.resolved) {
            return Says::Nothing(format!("its state, {status:?}, is neither firing nor resolved"));
        }
        let key = self.key.iter().find_map(|(prefix, pointer)| Some(format!("{prefix}{}", text(pointer)?)));
        let Some(key) = key else { return Says::Nothing("it has no identifier".to_owned()) };
        let mut labels = match self.tags {
            "" => std::collections::BTreeMap::new(),
            tags => json::labels(payload.pointer(tags)),
        };
        for (label, pointer) in self.labels {
            labels.extend(text(pointer).map(|value| ((*label).to_owned(), value)));
        }
        if let Some(severity) = labels.get("priority").and_then(|priority| severity(priority)) {
            labels.entry("severity".to_owned()).or_insert_with(|| severity.to_owned());
        }
        Single {
            key,
            title: first(self.title),
            text: first(self.text),
            url: first(self.url),
            labels,
            firing,
            started_at: json::moment(payload.pointer(self.started_at)).unwrap_or(received_at),
            tells_end: true,
        }
        .says()
    }
}

/// Returns the severity that a priority stands for: `P1` to `P5`, or New Relic's words.
fn severity(priority: &str) -> Option<&'static str> {
    match priority {
        "P1" | "CRITICAL" => Some("critical"),
        "P2" | "HIGH" => Some("high"),
        "P3" | "MEDIUM" => Some("warning"),
        "P4" | "P5" | "LOW" => Some("low"),
        _ => None,
    }
}
