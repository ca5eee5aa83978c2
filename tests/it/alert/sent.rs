//! Sends alerts to the bot.

use std::net::SocketAddr;

use hmac::{Hmac, KeyInit, Mac};
use phasebot::port::store::{DeliveryFilter, DeliveryRow, Store};
use serde_json::Value;
use sha2::Sha256;

/// One connection of each kind; all have the token or key `s3cret`.
pub const SETTINGS: &str = r#"
[alerts.prod]
kind = "alertmanager"
secrets = ["s3cret", "next"]
repositories = ["acme/shop"]

[alerts.graf]
kind = "grafana"
secrets = ["s3cret"]
repositories = ["acme/shop"]

[alerts.timed]
kind = "grafana"
secrets = ["s3cret"]
repositories = ["acme/shop"]
timestamp_header = "X-Grafana-Alerting-Timestamp"

[alerts.db]
kind = "planetscale"
secrets = ["s3cret"]
repositories = ["acme/shop"]

[alerts.queue]
kind = "generic"
secrets = ["s3cret"]
repositories = ["acme/shop"]

[alerts.signed]
kind = "generic"
secrets = ["s3cret"]
signature_header = "X-Queue-Signature"
repositories = ["acme/shop"]

[alerts.voices]
kind = "generic"
type = "feedback"
secrets = ["s3cret"]
repositories = ["acme/shop"]

[alerts.pager]
kind = "pagerduty"
secrets = ["s3cret", "next"]
repositories = ["acme/shop"]

[alerts.errors]
kind = "sentry"
secrets = ["s3cret"]
repositories = ["acme/shop"]

[alerts.dog]
kind = "datadog"
secrets = ["s3cret"]
repositories = ["acme/shop"]

[alerts.relic]
kind = "newrelic"
secrets = ["s3cret"]
repositories = ["acme/shop"]

[alerts.badger]
kind = "honeybadger"
secrets = ["s3cret"]
repositories = ["acme/shop"]

[alerts.keyed]
kind = "generic"
secrets = ["s3cret"]
token_header = "X-Token"
repositories = ["acme/shop"]
"#;

/// Returns the header lines of a bearer token.
pub fn bearer(token: &str) -> Vec<(&'static str, String)> {
    vec![("Authorization", format!("Bearer {token}"))]
}

/// Returns the HMAC-SHA256 in hex.
pub fn hmac(key: &str, parts: &[&[u8]]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    for part in parts {
        mac.update(part);
    }
    hex::encode(mac.finalize().into_bytes())
}

/// Returns the header lines that prove a body by this header; `None`: by a bearer token.
pub fn proof(header: Option<&'static str>, body: &[u8]) -> Vec<(&'static str, String)> {
    match header {
        None => bearer("s3cret"),
        Some(header @ "Honeybadger-Token") => vec![(header, "s3cret".to_owned())],
        Some(header @ "X-PagerDuty-Signature") => vec![(header, format!("v1={}", hmac("s3cret", &[body])))],
        Some(header) => vec![(header, hmac("s3cret", &[body]))],
    }
}

/// Sends a body; returns the answer's status and JSON.
pub async fn send(
    to: SocketAddr,
    name: &str,
    headers: &[(&'static str, String)],
    body: impl Into<reqwest::Body>,
) -> (u16, Value) {
    let mut request = reqwest::Client::new().post(format!("http://{to}/alerts/{name}")).body(body);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap_or(Value::Null))
}

/// Returns the alerts in the inbox, newest first.
pub async fn inbox(store: &dyn Store) -> Vec<DeliveryRow> {
    let filter = DeliveryFilter { limit: 1000, ..DeliveryFilter::default() };
    let mut rows = store.deliveries(&filter).await.unwrap();
    rows.retain(|row| row.hook.starts_with("alerts/"));
    rows
}
