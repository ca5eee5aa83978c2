//! Grafana alerting: the webhook contact point (grafana.com, "Configure the webhook notifier"). Its
//! payload is Alertmanager's with additional fields.
//!
//! Grafana signs the body with HMAC-SHA256 and sends bare hex in `X-Grafana-Alerting-Signature`. If
//! a timestamp header is configured too, it signs `{seconds}:{body}` and sends the seconds there.

use std::sync::Arc;

use http::{HeaderMap, HeaderName};
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

use crate::{
    alert::alertmanager,
    domain::alert::{Message, Says},
    port::{
        alert::{AlertSource, Refusal},
        clock::Clock,
        forge::Undecodable,
    },
    sender::{
        json,
        proof::{Secrets, single_header},
    },
};

/// Maximum difference between the signature's time and ours.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// Headers in which Grafana is configured to send its signature.
#[derive(Debug, Clone)]
pub struct Headers {
    /// The signature.
    pub signature: HeaderName,
    /// The time that is signed with the body; `None` if no time is signed.
    pub timestamp: Option<HeaderName>,
}

impl Default for Headers {
    fn default() -> Self {
        Self { signature: HeaderName::from_static("x-grafana-alerting-signature"), timestamp: None }
    }
}

/// A Grafana connection.
pub struct Grafana {
    connection: String,
    secrets: Secrets,
    headers: Headers,
    clock: Arc<dyn Clock>,
}

impl Grafana {
    /// Creates the connection `[alerts.connection]`.
    pub fn new(connection: &str, secrets: &[SecretString], headers: Headers, clock: Arc<dyn Clock>) -> Self {
        Self { connection: connection.to_owned(), secrets: Secrets::new(secrets), headers, clock }
    }
}

impl AlertSource for Grafana {
    fn kind(&self) -> &'static str {
        "grafana"
    }

    fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), Refusal> {
        let Some(name) = &self.headers.timestamp else {
            return self.secrets.verify_signature(headers, &self.headers.signature, &[body]);
        };
        let seconds = single_header(headers, name, Refusal::Stale, Refusal::Stale)?;
        self.secrets.verify_signature(headers, &self.headers.signature, &[seconds, b":", body])?;
        let signed_at = std::str::from_utf8(seconds).ok().and_then(|text| text.parse().ok());
        let signed_at = signed_at.and_then(|seconds| Timestamp::from_second(seconds).ok()).ok_or(Refusal::Stale)?;
        if self.clock.now().duration_since(signed_at).abs() > SKEW { Err(Refusal::Stale) } else { Ok(()) }
    }

    fn decode(&self, body: &[u8], received_at: Timestamp) -> Result<Message, Undecodable> {
        let payload = json::object(body)?;
        let title = json::text(payload.get("title")).map(|title| without_count(&title));
        let mut group = alertmanager::group(&payload, received_at, title.filter(|title| !title.is_empty()))?;
        // `message` repeats every alert with its labels; the alerts are shown anyway.
        if group.alerts.is_empty() {
            group.text = json::text(payload.get("message"));
        }
        Ok(Message { connection: self.connection.clone(), at: received_at, says: Says::Group(group) })
    }
}

/// Removes a leading `[FIRING:2] ` from a title, because the number changes all the time.
fn without_count(title: &str) -> String {
    let rest = title.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let counts = |head: &str| head.starts_with("FIRING") || head.starts_with("RESOLVED");
    rest.filter(|(head, _)| counts(head)).map_or(title, |(_, rest)| rest).trim().to_owned()
}
