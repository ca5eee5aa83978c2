//! Prometheus Alertmanager: the webhook receiver's payload, version 4 (prometheus.io, "Alerting:
//! configuration", `webhook_config`), and Grafana's superset of it.
//!
//! Alertmanager signs nothing; it sends a bearer token (`http_config.authorization`).

use http::HeaderMap;
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::Value;

use crate::{
    domain::alert::{Alert, Group, Message, Says},
    port::{
        alert::{AlertSource, Refusal},
        forge::Undecodable,
    },
    sender::{json, proof::Secrets},
};

/// Maximum alerts of one message that are read; the rest counts as left out.
const MOST_ALERTS: usize = 2_000;

/// An Alertmanager connection.
#[derive(Debug)]
pub struct Alertmanager {
    connection: String,
    secrets: Secrets,
}

impl Alertmanager {
    /// Creates the connection `[alerts.connection]`.
    pub fn new(connection: &str, secrets: &[SecretString]) -> Self {
        Self { connection: connection.to_owned(), secrets: Secrets::new(secrets) }
    }
}

impl AlertSource for Alertmanager {
    fn kind(&self) -> &'static str {
        "alertmanager"
    }

    fn verify(&self, headers: &HeaderMap, _: &[u8]) -> Result<(), Refusal> {
        self.secrets.verify_bearer(headers)
    }

    fn decode(&self, body: &[u8], received_at: Timestamp) -> Result<Message, Undecodable> {
        let payload = json::object(body)?;
        let says = Says::Group(group(&payload, received_at, None)?);
        // The payload does not contain the time at which it was sent.
        Ok(Message { connection: self.connection.clone(), at: received_at, says })
    }
}

/// Reads a group of alerts. `title` is the source's own title, if it has one.
///
/// The group's `groupKey` names the route too, so an edit of the routing tree would orphan every
/// incident. The labels by which it groups are therefore the key. The group's `status` is not read:
/// it is `firing` if any alert is.
pub(super) fn group(payload: &Value, received_at: Timestamp, title: Option<String>) -> Result<Group, Undecodable> {
    let Some(listed) = payload.get("alerts").and_then(Value::as_array) else {
        return Err(Undecodable { path: "alerts".to_owned(), message: "is not a list".to_owned() });
    };
    let alerts: Vec<Alert> = listed.iter().take(MOST_ALERTS).filter_map(|one| alert(one, received_at)).collect();
    let dropped = payload.get("truncatedAlerts").and_then(Value::as_u64).unwrap_or(0);
    // An alert that cannot be read might fire.
    let unread = u64::try_from(listed.len() - alerts.len()).unwrap_or(u64::MAX);
    let common = json::labels(payload.get("commonLabels"));
    let annotations = json::labels(payload.get("commonAnnotations"));
    let grouped_by = json::labels(payload.get("groupLabels"));
    let name = common.get("alertname").or_else(|| grouped_by.get("alertname"));
    let name = name.or_else(|| alerts.iter().find_map(|alert| alert.labels.get("alertname")));
    let key = match (grouped_by.is_empty(), name) {
        (false, _) => json::key(&grouped_by),
        (true, Some(name)) => format!("alertname={name:?}"),
        // Without groupLabels and names (`group_by: []`), everything is one group.
        (true, None) => String::new(),
    };
    let summary = annotations.get("summary");
    let described = || match (name, summary) {
        (Some(name), Some(summary)) => Some(format!("{name}: {summary}")),
        (Some(one), None) | (None, Some(one)) => Some(one.clone()),
        (None, None) => None,
    };
    Ok(Group {
        key,
        title: title.or_else(described),
        text: None,
        url: json::text(payload.get("externalURL")),
        labels: common,
        alerts,
        left_out: dropped.saturating_add(unread),
        tells_end: true,
    })
}

fn alert(value: &Value, received_at: Timestamp) -> Option<Alert> {
    value.as_object()?;
    let labels = json::labels(value.get("labels"));
    let fingerprint = json::text(value.get("fingerprint")).unwrap_or_else(|| json::fingerprint(&labels));
    // Any status but "resolved", including unknown ones, counts as firing.
    let firing = value.get("status").and_then(Value::as_str) != Some("resolved");
    let ended_at = json::moment(value.get("endsAt")).filter(|_| !firing);
    Some(Alert {
        fingerprint,
        firing,
        started_at: json::moment(value.get("startsAt")).unwrap_or(received_at),
        ended_at,
        labels,
        annotations: json::labels(value.get("annotations")),
        url: ["dashboardURL", "panelURL", "generatorURL"].iter().find_map(|name| json::text(value.get(name))),
        silence_url: json::text(value.get("silenceURL")),
    })
}
