//! PlanetScale webhooks (planetscale.com/docs, "Webhooks", "Webhook events").
//!
//! The body is signed with HMAC-SHA256 under the webhook's secret; hex in
//! `X-PlanetScale-Signature`. The payload contains `timestamp` (seconds), `event`, `organization`,
//! `database`, and the `resource` that the event concerns: of a deploy request what the API says of
//! it, too. PlanetScale never reports the end of an alert.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName};
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::Value;

use crate::{
    database::planetscale::payload::DeployRequest,
    domain::alert::{Alert, Group, Message, Says},
    port::{
        alert::{AlertSource, Refusal},
        forge::Undecodable,
    },
    sender::{json, proof::Secrets},
};

const SIGNATURE: HeaderName = HeaderName::from_static("x-planetscale-signature");

/// Events that are alerts, with their titles.
const ALERTS: [(&str, &str); 4] = [
    ("branch.anomaly", "Anomaly in the queries of a branch"),
    ("branch.out_of_memory", "A branch ran out of memory"),
    ("cluster.storage", "A cluster's storage fills up"),
    ("keyspace.storage", "A keyspace's storage fills up"),
];

/// Beginning of the events about deploy requests.
const DEPLOY_REQUEST: &str = "deploy_request.";

/// Events that a connection to a database should get.
pub(super) const WANTED: [&str; 9] = [
    "branch.anomaly",
    "deploy_request.opened",
    "deploy_request.queued",
    "deploy_request.in_progress",
    "deploy_request.pending_cutover",
    "deploy_request.schema_applied",
    "deploy_request.errored",
    "deploy_request.reverted",
    "deploy_request.closed",
];

/// Sender of a PlanetScale organisation's or database's webhooks.
#[derive(Debug)]
pub struct PlanetScaleWebhook {
    connection: String,
    secrets: Secrets,
    /// Organisation and database whose deploy requests count; `None`: none do.
    follows: Option<(String, String)>,
}

impl PlanetScaleWebhook {
    /// Creates the connection `[alerts.connection]`. `follows`: the organisation and the database
    /// whose deploy requests count.
    pub fn new(connection: &str, secrets: &[SecretString], follows: Option<(&str, &str)>) -> Self {
        let follows = follows.map(|(organization, database)| (organization.to_owned(), database.to_owned()));
        Self { connection: connection.to_owned(), secrets: Secrets::new(secrets), follows }
    }

    /// Returns what a message about a deploy request says.
    fn deploy_request(&self, payload: &mut Value, event: &str, at: Timestamp) -> Result<Says, Undecodable> {
        let Some((organization, database)) = &self.follows else {
            return Ok(Says::Nothing(format!("{event}: kept for the record; a deploy request is no alert")));
        };
        let names = |field: &str, name: &str| payload.get(field).and_then(Value::as_str) == Some(name);
        if !names("organization", organization) || !names("database", database) {
            return Ok(Says::Nothing(format!("{event}: about another database than the settings name")));
        }
        let resource = payload.get_mut("resource").map(Value::take).unwrap_or_default();
        let wrong = |error: serde_json::Error| Undecodable { path: "resource".to_owned(), message: error.to_string() };
        let request: DeployRequest = serde_json::from_value(resource).map_err(wrong)?;
        Ok(Says::SchemaChange(Box::new(request.into_change(&self.connection, at))))
    }
}

impl AlertSource for PlanetScaleWebhook {
    fn kind(&self) -> &'static str {
        "planetscale"
    }

    fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), Refusal> {
        self.secrets.verify_signature(headers, &SIGNATURE, &[body])
    }

    fn decode(&self, body: &[u8], received_at: Timestamp) -> Result<Message, Undecodable> {
        let mut payload = json::object(body)?;
        let at = json::moment(payload.get("timestamp")).unwrap_or(received_at);
        let event = json::text(payload.get("event")).unwrap_or_default();
        let says = match ALERTS.iter().find(|(name, _)| *name == event) {
            Some((_, words)) => Says::Group(group(&payload, &event, words, at)),
            None if event == "webhook.test" => Says::Nothing("PlanetScale tested the webhook".to_owned()),
            None if event.starts_with(DEPLOY_REQUEST) => self.deploy_request(&mut payload, &event, at)?,
            None => Says::Nothing(format!("{event}: no alert that this version knows")),
        };
        Ok(Message { connection: self.connection.clone(), at, says })
    }
}

/// Fields with a resource's names, by the label that they become.
const NAMES: [(&str, &str); 4] =
    [("branch", "branch_name"), ("keyspace", "keyspace_name"), ("cluster", "cluster_name"), ("name", "name")];

fn group(payload: &Value, event: &str, words: &str, at: Timestamp) -> Group {
    let resource = payload.get("resource").unwrap_or(&Value::Null);
    let mut labels: BTreeMap<String, String> = BTreeMap::from([("event".to_owned(), event.to_owned())]);
    let own = NAMES.iter().map(|(label, field)| (*label, resource.get(*field)));
    let places = ["organization", "database"].into_iter().map(|name| (name, payload.get(name)));
    for (name, value) in places.chain(own) {
        labels.extend(json::text(value).map(|value| (name.to_owned(), value)));
    }
    let place = ["database", "branch", "keyspace", "cluster", "name"].into_iter().filter_map(|name| labels.get(name));
    let place = place.map(String::as_str).collect::<Vec<_>>().join("/");
    // A resource without an id is identified by its names.
    let id = json::text(resource.get("id")).unwrap_or_else(|| place.clone());
    let numbers = resource.as_object().into_iter().flatten().filter(|(_, value)| value.is_number());
    let annotations = numbers.take(20).filter_map(|(name, value)| Some((name.clone(), json::text(Some(value))?)));
    let alert = Alert {
        fingerprint: id.clone(),
        firing: true,
        started_at: at,
        ended_at: None,
        labels: labels.clone(),
        annotations: annotations.collect(),
        url: json::text(resource.get("html_url")),
        silence_url: None,
    };
    Group {
        key: format!("{event} {} {id}", labels.get("database").map_or("", String::as_str)),
        title: Some(if place.is_empty() { words.to_owned() } else { format!("{words}: {place}") }),
        text: None,
        url: alert.url.clone(),
        labels,
        alerts: vec![alert],
        left_out: 0,
        tells_end: false,
    }
}
