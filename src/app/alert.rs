//! Monitoring connections: routes of alerts to repositories.
//!
//! A message may be for several repositories. It is taken in once for each, in
//! one transaction, so that each decides it in order with its other events.
//! The body is the same; a delivery's target says which part of it is meant.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::Bytes;
use jiff::Timestamp;

use crate::{
    domain::{
        alert::{Alert, AlertRules, ConnectionRules, Group, Message, Says},
        effect::Effect,
        id::ForgeName,
        needs::{Answer, Need},
        policy::Pattern,
    },
    port::{
        alert::AlertSource,
        database::Database,
        forge::{Applied, ApplyContext, ForgeError, Undecodable},
    },
};

/// Prefix of a delivery's `hook` if it came from a monitoring connection.
const HOOK: &str = "alerts/";

/// A delivery's `action` if it is the heartbeat in a message.
const HEARTBEAT: &str = "heartbeat";

/// Size in bytes from which a body is parsed on a separate thread.
const LARGE_BODY: usize = 256 * 1024;

/// All monitoring connections.
#[derive(Clone, Default)]
pub struct Alerts {
    connections: BTreeMap<String, Arc<Connection>>,
    /// Rules that decisions depend on.
    pub(crate) rules: AlertRules,
}

/// A monitoring connection.
pub struct Connection {
    /// Authenticates and decodes its messages.
    pub source: Arc<dyn AlertSource>,
    /// Forge that hosts its repositories.
    pub forge: ForgeName,
    /// `owner/name` of the repositories that it may concern; the first is the default target.
    pub repositories: Vec<String>,
    /// Exceptions to the default target; the first route that matches counts.
    pub routes: Vec<Route>,
    /// Alerts with these labels are heartbeats of the source.
    pub heartbeat: Option<Labels>,
    /// The database that can be asked for its schema changes.
    pub database: Option<Arc<dyn Database>>,
    /// Rules that decisions depend on.
    pub rules: ConnectionRules,
}

/// Labels with globs that all of them must match.
pub type Labels = Vec<(String, Pattern)>;

/// Route of alerts to a repository.
pub struct Route {
    /// Labels that select the alerts.
    pub matches: Labels,
    /// `owner/name` of the repository.
    pub target: String,
}

/// Part of a message that concerns one repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    /// `owner/name` of the repository.
    pub(crate) target: String,
    /// One word that names the part in lists.
    pub(crate) action: Option<&'static str>,
    /// The part itself.
    pub(crate) message: Message,
}

impl Alerts {
    /// Collects connections by name.
    pub fn new(connections: BTreeMap<String, Connection>) -> Self {
        let rules = connections.iter().map(|(name, connection)| (name.clone(), connection.rules.clone())).collect();
        let connections = connections.into_iter().map(|(name, connection)| (name, Arc::new(connection))).collect();
        Self { connections, rules: AlertRules { connections: rules } }
    }

    /// Returns the sources of the connections, for the HTTP routes.
    pub fn sources(&self) -> BTreeMap<String, Arc<dyn AlertSource>> {
        self.connections.iter().map(|(name, connection)| (name.clone(), connection.source.clone())).collect()
    }

    /// Asks the database of a connection for a repository. Only the operator's settings say which
    /// repositories may: a policy can name any connection.
    pub(crate) async fn ask(&self, name: &str, repository: &str, need: &Need) -> Result<Answer, ForgeError> {
        self.database(name, repository)?.answer(need).await
    }

    /// Lets the database of a connection carry out an effect, under the same condition. Its limits
    /// are not the forge's.
    pub(crate) async fn apply(
        &self,
        name: &str,
        repository: &str,
        effect: &Effect,
        context: &ApplyContext,
    ) -> Result<Applied, ForgeError> {
        match self.database(name, repository)?.apply(effect, context).await {
            Err(ForgeError::RateLimited { until }) => Err(ForgeError::Transient(format!("rate limited until {until}"))),
            other => other,
        }
    }

    fn database(&self, name: &str, repository: &str) -> Result<&Arc<dyn Database>, ForgeError> {
        let known = self.connections.get(name);
        let allowed = known.filter(|it| it.repositories.iter().any(|allowed| allowed.eq_ignore_ascii_case(repository)));
        allowed.and_then(|connection| connection.database.as_ref()).ok_or_else(|| {
            ForgeError::Permanent(format!(
                "the operator's settings have no database [alerts.{name}] for this repository"
            ))
        })
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Arc<Connection>> {
        self.connections.get(name)
    }
}

/// Decodes a message; a large one on a separate thread.
pub(crate) async fn decode(
    connection: &Arc<Connection>,
    body: &Bytes,
    received_at: Timestamp,
) -> Result<Message, Undecodable> {
    if body.len() < LARGE_BODY {
        return connection.source.decode(body, received_at);
    }
    let (connection, body) = (connection.clone(), body.clone());
    let decoding = tokio::task::spawn_blocking(move || connection.source.decode(&body, received_at));
    let failed = |error| Undecodable { path: "body".to_owned(), message: format!("decoding panicked: {error}") };
    decoding.await.unwrap_or_else(|error| Err(failed(error)))
}

/// Returns the connection that a delivery's hook names.
pub(crate) fn connection(hook: &str) -> &str {
    hook.strip_prefix(HOOK).unwrap_or(hook)
}

impl Connection {
    /// Splits a message into the parts of each repository.
    pub(crate) fn split(&self, message: &Message) -> Vec<Part> {
        let part = |target: &str, says: Says| Part {
            target: target.to_owned(),
            action: action(&says),
            message: Message { says, ..message.clone() },
        };
        let group = match &message.says {
            Says::Group(group) => group,
            // Which repositories it concerns is for their policies to say.
            Says::SchemaChange(_) => {
                return self.repositories.iter().map(|target| part(target, message.says.clone())).collect();
            }
            Says::Feedback(_) | Says::Heartbeat | Says::Nothing(_) => {
                return vec![part(self.default_target(), message.says.clone())];
            }
        };
        let (alive, others) = self.signs_of_life(group);
        let mut parts = Vec::new();
        if alive {
            parts.push(part(self.default_target(), Says::Heartbeat));
        }
        let targets: Vec<&str> = others.iter().map(|alert| self.target(group, alert)).collect();
        for target in targets.iter().copied().collect::<BTreeSet<&str>>() {
            let own = others.iter().zip(&targets).filter(|(_, of)| **of == target).map(|(alert, _)| (*alert).clone());
            let alerts: Vec<Alert> = own.collect();
            let labels =
                if targets.len() == alerts.len() { group.labels.clone() } else { shared(&group.labels, &alerts) };
            parts.push(part(target, Says::Group(Group { labels, alerts, ..group.clone() })));
        }
        if parts.is_empty() {
            let why = if group.alerts.is_empty() { "it lists no alert" } else { "the heartbeat's alert ended" };
            parts.push(part(self.default_target(), Says::Nothing(why.to_owned())));
        }
        parts
    }

    /// Returns the part of a message that a delivery for `target` is for.
    pub(crate) fn part(&self, message: &Message, target: &str, action: Option<&str>) -> Option<Message> {
        let heartbeat = action == Some(HEARTBEAT);
        let meant = |part: &Part| {
            part.target.eq_ignore_ascii_case(target) && matches!(part.message.says, Says::Heartbeat) == heartbeat
        };
        self.split(message).into_iter().find(meant).map(|part| part.message)
    }

    /// Returns whether a group contains a heartbeat, and its other alerts.
    fn signs_of_life<'a>(&self, group: &'a Group) -> (bool, Vec<&'a Alert>) {
        let is_sign = |alert: &&Alert| self.heartbeat.as_ref().is_some_and(|labels| matches(labels, group, alert));
        let (signs, others): (Vec<&Alert>, Vec<&Alert>) = group.alerts.iter().partition(is_sign);
        (signs.iter().any(|alert| alert.firing), others)
    }

    fn target(&self, group: &Group, alert: &Alert) -> &str {
        let route = self.routes.iter().find(|route| matches(&route.matches, group, alert));
        route.map_or(self.default_target(), |route| &route.target)
    }

    pub(crate) fn default_target(&self) -> &str {
        self.repositories.first().map_or("", String::as_str)
    }
}

fn matches(wanted: &Labels, group: &Group, alert: &Alert) -> bool {
    wanted.iter().all(|(name, pattern)| {
        let value = alert.labels.get(name).or_else(|| group.labels.get(name));
        value.is_some_and(|value| pattern.matches(value))
    })
}

/// Returns the labels that these alerts share.
fn shared(group: &BTreeMap<String, String>, alerts: &[Alert]) -> BTreeMap<String, String> {
    let Some((first, rest)) = alerts.split_first() else { return group.clone() };
    let same = |(name, value): &(&String, &String)| rest.iter().all(|alert| alert.labels.get(*name) == Some(*value));
    let common = first.labels.iter().filter(same).map(|(name, value)| (name.clone(), value.clone()));
    group.clone().into_iter().chain(common).collect()
}

fn action(says: &Says) -> Option<&'static str> {
    match says {
        Says::Group(group) if group.alerts.iter().any(|alert| alert.firing) => Some("firing"),
        Says::Group(_) => Some("resolved"),
        Says::Feedback(_) => Some("feedback"),
        Says::Heartbeat => Some(HEARTBEAT),
        Says::SchemaChange(_) => Some("schema_change"),
        Says::Nothing(_) => None,
    }
}
