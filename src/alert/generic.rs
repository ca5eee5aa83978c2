//! Generic alerts: any system that can post JSON. The settings define where the fields are.

use http::{HeaderMap, HeaderName};
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::Value;

use crate::{
    alert::single::Single,
    domain::alert::{Feedback, Message, Says},
    port::{
        alert::{AlertSource, Refusal},
        forge::Undecodable,
    },
    sender::{json, proof::Secrets},
};

/// Kinds of messages that such a connection sends.
#[derive(Debug, Clone)]
pub enum Kind {
    /// Alerts, with the values of `status` for firing and resolved.
    Alert {
        /// Values that mean firing.
        firing: Vec<String>,
        /// Values that mean resolved.
        resolved: Vec<String>,
        /// Whether any other status is a heartbeat.
        heartbeat: bool,
    },
    /// User feedback.
    Feedback,
}

/// JSON pointers (RFC 6901) to the fields of a body; empty if there is no such field.
#[derive(Debug, Clone)]
pub struct Fields {
    /// Identifier of the alert or feedback.
    pub key: String,
    /// Status: firing or resolved.
    pub status: String,
    /// Title.
    pub title: String,
    /// Text.
    pub text: String,
    /// Link to more details.
    pub url: String,
    /// Start of the alert.
    pub started_at: String,
    /// Labels.
    pub labels: String,
}

/// A generic connection.
#[derive(Debug)]
pub struct Generic {
    connection: String,
    secrets: Secrets,
    proof: Proof,
    kind: Kind,
    fields: Fields,
}

/// The way in which a generic sender proves that it knows the secret.
#[derive(Debug, Clone)]
pub enum Proof {
    /// This header holds the hex HMAC-SHA256 of the body.
    Signature(HeaderName),
    /// This header holds the secret.
    Token(HeaderName),
    /// `Authorization` holds the secret as a bearer token.
    Bearer,
}

impl Generic {
    /// Creates the connection `[alerts.connection]`.
    pub fn new(connection: &str, secrets: &[SecretString], proof: Proof, kind: Kind, fields: Fields) -> Self {
        Self { connection: connection.to_owned(), secrets: Secrets::new(secrets), proof, kind, fields }
    }
}

impl AlertSource for Generic {
    fn kind(&self) -> &'static str {
        "generic"
    }

    fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), Refusal> {
        match &self.proof {
            Proof::Signature(header) => self.secrets.verify_signature(headers, header, &[body]),
            Proof::Token(header) => self.secrets.verify_token(headers, Some(header)),
            Proof::Bearer => self.secrets.verify_bearer(headers),
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
    /// Returns the value at a pointer. The empty pointer means "nowhere" here.
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
        // Without an id, its title must distinguish it from others.
        let key = self.text(&self.fields.key).or_else(|| title.clone()).unwrap_or_else(|| json::key(&labels));
        let started_at = json::moment(self.at(&self.fields.started_at)).unwrap_or(received_at);
        Single { key, title, text, url, labels, firing, started_at, tells_end }.says()
    }

    fn feedback(&self) -> Says {
        let (title, text) = (self.text(&self.fields.title), self.text(&self.fields.text).unwrap_or_default());
        if title.is_none() && text.is_empty() {
            return Says::Nothing("it has neither title nor text".to_owned());
        }
        let first_line = || text.trim().lines().next().unwrap_or_default().to_owned();
        let title = title.unwrap_or_else(first_line);
        // Without an id, title and text distinguish it from others.
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
