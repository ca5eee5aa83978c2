//! What a monitoring connection says, in words of no particular system.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// One message of a monitoring connection, understood.
///
/// All text is somebody else's, and stays as it was sent: it is defused where
/// it is shown, not where it is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The connection's name, as in `[alerts.NAME]` and in its route.
    pub connection: String,
    /// When the source says that it was sent, else when it was received.
    pub at: Timestamp,
    /// What it says.
    pub says: Says,
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Says {
    /// How a group of alerts stands.
    Group(Group),
    /// A user's words.
    Feedback(Feedback),
    /// The source is alive; says nothing else.
    Heartbeat,
    /// Kept for the record; opens nothing. With the reason, for `deliveries show`.
    Nothing(String),
}

/// A group of alerts that belong together at the source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Group {
    /// What identifies the group among those of its connection, whatever else
    /// changes about it: its grouping labels in order, or the source's id.
    pub key: String,
    /// The source's own title, if it has one.
    pub title: Option<String>,
    /// The source's own words, if it has any beside those of the alerts.
    pub text: Option<String>,
    /// Where to read more.
    pub url: Option<String>,
    /// Labels that all alerts share; an alert's own outweigh them.
    pub labels: BTreeMap<String, String>,
    /// The alerts that the message lists.
    pub alerts: Vec<Alert>,
    /// How many more there are that the message leaves out: while there are
    /// any, nobody can tell that all is well.
    pub left_out: u64,
    /// The source tells when it is over. One that does not is never over by silence.
    pub tells_end: bool,
}

/// One alert.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Alert {
    /// What tells it from others of its group.
    pub fingerprint: String,
    /// It fires, or is over.
    pub firing: bool,
    /// When it began, by the source.
    pub started_at: Timestamp,
    /// When it ended, by the source.
    pub ended_at: Option<Timestamp>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its annotations: summary, description, runbook and the like.
    pub annotations: BTreeMap<String, String>,
    /// Where to read more.
    pub url: Option<String>,
    /// Where to silence it at the source, if the source offers that.
    pub silence_url: Option<String>,
}

/// A user's words.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Feedback {
    /// What tells it from others of its connection: sent again, it is the same.
    pub key: String,
    /// Title.
    pub title: String,
    /// Text.
    pub text: String,
    /// Where to read more.
    pub url: Option<String>,
    /// Labels of the source.
    pub labels: BTreeMap<String, String>,
}

/// What the operator's settings say of the connections, as far as decisions
/// depend on it; stands beside the policy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AlertRules {
    /// By the connection's name.
    pub connections: BTreeMap<String, ConnectionRules>,
}

/// What they say of one connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnectionRules {
    /// It must be heard of at least this often: it says [`Says::Heartbeat`],
    /// always to its default target.
    pub heartbeat: Option<SignedDuration>,
    /// The operator's template for its issues.
    pub template: Option<String>,
}

impl AlertRules {
    /// The template for a connection's issues; `None`: the built-in one.
    pub fn template(&self, connection: &str) -> Option<&str> {
        self.connections.get(connection).and_then(|rules| rules.template.as_deref())
    }
}
