//! PagerDuty's webhooks, version 3 (developer.pagerduty.com, "Webhooks Overview" and "Verifying
//! Signatures").
//!
//! Each message holds one event with the incident as it is then. `X-PagerDuty-Signature` holds one
//! `v1=` and the hex HMAC-SHA256 of the body for each signing secret, separated by commas.

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

/// Header with the signatures.
const SIGNATURE: HeaderName = HeaderName::from_static("x-pagerduty-signature");
/// Prefix of the signatures of the current version.
const VERSION: &[u8] = b"v1=";

/// A PagerDuty connection.
pub struct PagerDuty {
    connection: String,
    secrets: Secrets,
}

impl PagerDuty {
    /// Creates the connection `[alerts.connection]`.
    pub fn new(connection: &str, secrets: &[SecretString]) -> Self {
        Self { connection: connection.to_owned(), secrets: Secrets::new(secrets) }
    }
}

impl AlertSource for PagerDuty {
    fn kind(&self) -> &'static str {
        "pagerduty"
    }

    fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), Refusal> {
        self.secrets.verify_listed_signature(headers, &SIGNATURE, VERSION, body)
    }

    fn decode(&self, body: &[u8], received_at: Timestamp) -> Result<Message, Undecodable> {
        let payload = json::object(body)?;
        let event = payload
            .get("event")
            .filter(|event| event.is_object())
            .ok_or_else(|| Undecodable { path: "event".to_owned(), message: "is missing".to_owned() })?;
        // A time that is still to come would outlast the messages that follow.
        let at = json::moment(event.get("occurred_at")).map_or(received_at, |at| at.min(received_at));
        Ok(Message { connection: self.connection.clone(), at, says: says(event, at) })
    }
}

fn says(event: &Value, at: Timestamp) -> Says {
    let name = json::text(event.get("event_type")).unwrap_or_default();
    let data = event.get("data").unwrap_or(&Value::Null);
    let text = |pointer: &str| json::text(data.pointer(pointer));
    if name == "pagey.ping" {
        return Says::Nothing("PagerDuty tested the webhook".to_owned());
    }
    // Notes, responders and status updates belong to an incident and do not contain its state.
    let (Some("incident"), Some(key)) = (text("/type").as_deref(), text("/id")) else {
        return Says::Nothing(format!("{name}: does not change an incident"));
    };
    let firing = match text("/status").as_deref() {
        Some("triggered" | "acknowledged") => true,
        Some("resolved") => false,
        other => return Says::Nothing(format!("{name}: the incident's status, {other:?}, is none that is known")),
    };
    let urgency = text("/urgency");
    let severity = urgency.as_deref().map(|urgency| if urgency == "high" { "critical" } else { "warning" });
    let labels = [
        ("service", text("/service/summary")),
        ("team", text("/teams/0/summary")),
        ("priority", text("/priority/summary")),
        ("severity", severity.map(str::to_owned)),
        ("urgency", urgency),
    ];
    let labels = labels.into_iter().filter_map(|(label, value)| Some((label.to_owned(), value?))).collect();
    let started_at = json::moment(data.get("created_at")).unwrap_or(at);
    let (title, url) = (text("/title"), text("/html_url"));
    Single { key, title, text: None, url, labels, firing, started_at, tells_end: true }.says()
}
