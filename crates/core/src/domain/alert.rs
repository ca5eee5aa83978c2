//! Messages of monitoring connections, independent of any particular system.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::domain::schema::SchemaChange;

/// One decoded message of a monitoring connection.
///
/// All text is untrusted and stays as it was sent: it is sanitized where it is shown, not where it
/// is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The connection's name, as in `[alerts.NAME]` and in its route.
    pub connection: String,
    /// Time of sending according to the source, else time of receipt.
    pub at: Timestamp,
    /// The content.
    pub says: Says,
}

/// The content of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Says {
    /// The state of a group of alerts.
    Group(Group),
    /// A user's feedback.
    Feedback(Feedback),
    /// The state of a schema change.
    SchemaChange(Box<SchemaChange>),
    /// A sign that the source is alive, and nothing else.
    Heartbeat,
    /// A message that is recorded but opens nothing, with the reason, for `deliveries show`.
    Nothing(String),
}

/// A group of alerts that belong together at the source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Group {
    /// The group's identifier among those of its connection: its grouping labels in order, or the
    /// source's id. It stays the same whatever else changes about the group.
    pub key: String,
    /// The source's own title, if it has one.
    pub title: Option<String>,
    /// The source's own text, if it has any in addition to that of the alerts.
    pub text: Option<String>,
    /// URL of the details.
    pub url: Option<String>,
    /// Labels that all alerts share. An alert's own labels take precedence.
    pub labels: BTreeMap<String, String>,
    /// The alerts that the message lists.
    pub alerts: Vec<Alert>,
    /// Number of alerts that the message leaves out. While there are any, it is unknown if
    /// everything is resolved.
    pub left_out: u64,
    /// True if the source reports the end of alerts. If it does not, an alert is never over just
    /// because no message arrives.
    pub tells_end: bool,
}

/// An alert.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Alert {
    /// The identifier of the alert within its group.
    pub fingerprint: String,
    /// True if it fires, false if it is over.
    pub firing: bool,
    /// Start, according to the source.
    pub started_at: Timestamp,
    /// End, according to the source.
    pub ended_at: Option<Timestamp>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations: summary, description, runbook and the like.
    pub annotations: BTreeMap<String, String>,
    /// URL of the details.
    pub url: Option<String>,
    /// URL for silencing it at the source, if the source offers that.
    pub silence_url: Option<String>,
}

/// A user's feedback.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Feedback {
    /// The identifier of the feedback within its connection: a repeated message has the same one.
    pub key: String,
    /// Title.
    pub title: String,
    /// Text.
    pub text: String,
    /// URL of the details.
    pub url: Option<String>,
    /// Labels of the source.
    pub labels: BTreeMap<String, String>,
}

/// The operator's settings for the connections that evaluations depend on. They are separate from
/// the policy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AlertRules {
    /// Settings by the connection's name.
    pub connections: BTreeMap<String, ConnectionRules>,
}

/// Settings for one connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnectionRules {
    /// Maximum time between its messages. It sends [`Says::Heartbeat`], always to its default
    /// target.
    pub heartbeat: Option<SignedDuration>,
    /// The operator's template for its issues.
    pub template: Option<String>,
}

impl AlertRules {
    /// Returns the template for a connection's issues; `None`: the built-in one.
    pub fn template(&self, connection: &str) -> Option<&str> {
        self.connections.get(connection).and_then(|rules| rules.template.as_deref())
    }
}
