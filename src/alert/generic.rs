//! Anything that can post JSON: the settings tell where in it things are.

use http::{HeaderMap, HeaderName};
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::Value;

use super::{json, proof::Secrets};
use crate::{
    domain::alert::{Alert, Feedback, Group, Message, Says},
    port::{
        alert::{AlertSource, Refusal},
        forge::Undecodable,
    },
};

/// What such a connection sends.
#[derive(Debug, Clone)]
pub enum Kind {
    /// Alerts, with the values of `status` that mean firing, and resolved.
    Alert {
        /// It fires.
        firing: Vec<String>,
        /// It is over.
        resolved: Vec<String>,
        /// Whether another status is a sign of life.
        heartbeat: bool,
    },
    /// A user's words.
    Feedback,
}

/// Where in the body things are: JSON pointers (RFC 6901). Empty: nowhere.
#[derive(Debug, Clone)]
pub struct Fields {
    /// What identifies it.
    pub key: String,
    /// Firing or resolved.
    pub status: String,
    /// Title.
    pub title: String,
    /// Text.
    pub text: String,
    /// Where to read more.
    pub url: String,
    /// When it began.
    pub started_at: String,
    /// Labels.
    pub labels: String,
}

/// A sender of JSON.
#[derive(Debug)]
pub struct Generic {
    connection: String,
    secrets: Secrets,
    signature: Option<HeaderName>,
    kind: Kind,
    fields: Fields,
}

impl Generic {
    /// The sender behind `[alerts.connection]`. `signature`: the header with
    /// the hex HMAC-SHA256 of the body; `None`: a bearer token.
    pub fn new(
        connection: &str,
        secrets: &[SecretString],
        signature: Option<HeaderName>,
        kind: Kind,
        fields: Fields,
    ) -> Self {
        Self { connection: connection.to_owned(), secrets: Secrets::new(secrets), signature, kind, fields }
    }
}

impl AlertSource for Generic {
    fn kind(&self) -> &'static str {
        "generic"
    }

    fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), Refusal> {
        match &self.signature {
            Some(header) => self.secrets.signature(headers, header, &[body]),
            None => self.secrets.bearer(headers),
        }
    }

    fn decode(&self, body: &[u8], received_at: Timestamp) -> Result<Message, Undecodable> {
        let payload = json::object(body)?;
        let found = Found { payload: &payload, fields: &self.fields };
        let says = match &self.kind {
            Kind::Feedback => found.feedback(),
            Kind::Alert { firing, resolved, heartbeat } => {
                let status = found.text(&self.fields.status);
                let is =
                    |list: &[String]| status.as_ref().is_some_and(|s| list.iter().any(|v| v.eq_ignore_ascii_case(s)));
                if is(firing) {
                    found.group(true, !resolved.is_empty(), received_at)
                } else if is(resolved) {
                    found.group(false, true, received_at)
                } else if *heartbeat {
                    Says::Heartbeat
                } else {
                    Says::Nothing(format!(
                        "its status, {:?}, is neither firing nor resolved",
                        status.unwrap_or_default()
                    ))
                }
            }
        };
        Ok(Message { connection: self.connection.clone(), at: received_at, says })
    }
}

struct Found<'a> {
    payload: &'a Value,
    fields: &'a Fields,
}

impl Found<'_> {
    /// What a pointer leads to. The empty pointer means «nowhere» here.
    fn at(&self, pointer: &str) -> Option<&Value> {
        if pointer.is_empty() { None } else { self.payload.pointer(pointer) }
    }

    fn text(&self, pointer: &str) -> Option<String> {
        json::text(self.at(pointer))
    }

    fn group(&self, firing: bool, tells_end: bool, received_at: Timestamp) -> Says {
        let labels = json::labels(self.at(&self.fields.labels));
        let (title, text, url) =
            (self.text(&self.fields.title), self.text(&self.fields.text), self.text(&self.fields.url));
        // Without an id its title must tell it from others.
        let key = self.text(&self.fields.key).or_else(|| title.clone()).unwrap_or_else(|| json::key(&labels));
        let alert = Alert {
            fingerprint: key.clone(),
            firing,
            started_at: json::moment(self.at(&self.fields.started_at)).unwrap_or(received_at),
            ended_at: None,
            labels: labels.clone(),
            annotations: std::collections::BTreeMap::new(),
            url: url.clone(),
            silence_url: None,
        };
        Says::Group(Group { key, title, text, url, labels, alerts: vec![alert], left_out: 0, tells_end })
    }

    fn feedback(&self) -> Says {
        let (title, text) = (self.text(&self.fields.title), self.text(&self.fields.text).unwrap_or_default());
        if title.is_none() && text.is_empty() {
            return Says::Nothing("it has neither title nor text".to_owned());
        }
        let first_line = || text.trim().lines().next().unwrap_or_default().to_owned();
        let title = title.unwrap_or_else(first_line);
        // Without an id the words themselves tell it from others.
        let spoken = || json::fingerprint(&[(title.clone(), text.clone())].into());
        Says::Feedback(Feedback {
            key: self.text(&self.fields.key).unwrap_or_else(spoken),
            url: self.text(&self.fields.url),
            labels: json::labels(self.at(&self.fields.labels)),
            title,
            text,
        })
    }
}
