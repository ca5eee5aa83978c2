//! `[alerts.NAME]`: one monitoring connection.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use http::HeaderName;
use jiff::SignedDuration;
use secrecy::SecretString;

use crate::settings::{
    problem::{Place, Problem},
    value::Given,
};

/// Root of PlanetScale's API.
const PLANETSCALE_API: &str = "https://api.planetscale.com";

/// A monitoring connection.
#[derive(Debug, Clone)]
pub struct AlertConnection {
    /// The system that sends.
    pub kind: AlertKind,
    /// The kind of its messages (`generic` only).
    pub r#type: AlertType,
    /// Bearer tokens or HMAC keys, depending on the kind; one or two.
    pub secrets: Vec<SecretString>,
    /// `owner/name` of the repositories in which it may open issues; the first is the default
    /// target.
    pub repositories: Vec<String>,
    /// Routes to others of these repositories; the first route that matches counts.
    pub routes: Vec<AlertRoute>,
    /// Interval within which it must send a message; `None` expects no heartbeat.
    pub heartbeat: Option<SignedDuration>,
    /// Labels with globs of the alert that is the heartbeat.
    pub heartbeat_match: BTreeMap<String, String>,
    /// Template for its issues; `None` uses the built-in one.
    pub template: Option<PathBuf>,
    /// Header with the hex HMAC-SHA256 of the body; `None` uses Grafana's own, or a bearer token
    /// (`generic`).
    pub signature_header: Option<HeaderName>,
    /// Header with the token itself; `None` uses the kind's own, or a bearer token.
    pub token_header: Option<HeaderName>,
    /// Header with the time that Grafana signs with the body; `None` if it signs none.
    pub timestamp_header: Option<HeaderName>,
    /// JSON pointers to the fields of the body (`generic` only).
    pub fields: AlertFields,
    /// Values of the field `status` that mean firing (`generic` only).
    pub firing: Vec<String>,
    /// Values of the field `status` that mean resolved (`generic` only).
    pub resolved: Vec<String>,
    /// The organisation of the database (`planetscale` only).
    pub organization: String,
    /// The database that is asked for its schema changes (`planetscale` only).
    pub database: String,
    /// Id of the service token that asks (`planetscale` only).
    pub service_token_id: String,
    /// The service token (`planetscale` only).
    pub service_token: Option<SecretString>,
    /// Root of the API (`planetscale` only).
    pub api_url: String,
}

/// Route of alerts to a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertRoute {
    /// Labels with globs that must all match.
    pub matches: BTreeMap<String, String>,
    /// `owner/name`, one of the connection's repositories.
    pub repository: String,
}

/// Kinds of monitoring systems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertKind {
    /// Prometheus Alertmanager.
    Alertmanager,
    /// Grafana.
    Grafana,
    /// PlanetScale.
    Planetscale,
    /// PagerDuty.
    Pagerduty,
    /// Sentry.
    Sentry,
    /// Datadog.
    Datadog,
    /// New Relic.
    Newrelic,
    /// Honeybadger.
    Honeybadger,
    /// Any other system that can post JSON.
    Generic,
}

/// Kinds of messages of a generic connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertType {
    /// Alerts, which fire and resolve.
    Alert,
    /// User feedback, filed as a plain feedback issue.
    Feedback,
}

/// JSON pointers into the body of a generic alert; empty if there is no such field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertFields {
    /// Identifier of the incident.
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

impl AlertKind {
    /// Every kind with its name.
    pub const ALL: [(Self, &'static str); 9] = [
        (Self::Alertmanager, "alertmanager"),
        (Self::Grafana, "grafana"),
        (Self::Planetscale, "planetscale"),
        (Self::Pagerduty, "pagerduty"),
        (Self::Sentry, "sentry"),
        (Self::Datadog, "datadog"),
        (Self::Newrelic, "newrelic"),
        (Self::Honeybadger, "honeybadger"),
        (Self::Generic, "generic"),
    ];
}

impl AlertType {
    /// Every type with its name.
    pub const ALL: [(Self, &'static str); 2] = [(Self::Alert, "alert"), (Self::Feedback, "feedback")];
}

impl Default for AlertFields {
    fn default() -> Self {
        Self {
            key: "/id".to_owned(),
            status: "/state".to_owned(),
            title: "/title".to_owned(),
            text: "/text".to_owned(),
            url: "/url".to_owned(),
            started_at: "/at".to_owned(),
            labels: "/labels".to_owned(),
        }
    }
}

/// A connection while it is read, with the names of its settings that were given.
pub(super) struct Draft {
    pub(super) connection: AlertConnection,
    pub(super) given: BTreeSet<String>,
}

impl Default for Draft {
    fn default() -> Self {
        let words = |list: [&str; 2]| list.map(str::to_owned).to_vec();
        Self {
            connection: AlertConnection {
                kind: AlertKind::Generic,
                r#type: AlertType::Alert,
                secrets: Vec::new(),
                repositories: Vec::new(),
                routes: Vec::new(),
                heartbeat: None,
                heartbeat_match: BTreeMap::new(),
                template: None,
                signature_header: None,
                token_header: None,
                timestamp_header: None,
                fields: AlertFields::default(),
                firing: words(["open", "firing"]),
                resolved: words(["closed", "resolved"]),
                organization: String::new(),
                database: String::new(),
                service_token_id: String::new(),
                service_token: None,
                api_url: PLANETSCALE_API.to_owned(),
            },
            given: BTreeSet::new(),
        }
    }
}

impl Draft {
    /// Returns the problems of the connection as a whole.
    pub(super) fn problems(&self, name: &str) -> Vec<Problem> {
        const GENERIC_ONLY: [&str; 4] = ["type", "fields", "firing", "resolved"];
        let problem =
            |key: &str, message: &str| Problem::new(Place::Setting(format!("alerts.{name}.{key}")), message.to_owned());
        let mut problems = Vec::new();
        for key in ["kind", "repositories"] {
            if !self.given.contains(key) {
                problems.push(problem(key, "is missing"));
            }
        }
        if self.given.contains("kind") && self.connection.kind != AlertKind::Generic {
            let misplaced = GENERIC_ONLY.iter().filter(|key| self.given.contains(**key));
            problems.extend(misplaced.map(|key| problem(key, "is only for connections of kind \"generic\"")));
        }
        let connection = &self.connection;
        let signs = matches!(connection.kind, AlertKind::Generic | AlertKind::Grafana);
        if connection.signature_header.is_some() && !signs {
            problems.push(problem("signature_header", "is only for connections of kind \"generic\" or \"grafana\""));
        }
        let has_token = matches!(
            connection.kind,
            AlertKind::Generic | AlertKind::Datadog | AlertKind::Newrelic | AlertKind::Honeybadger
        );
        if connection.token_header.is_some() && !has_token {
            problems.push(problem("token_header", "is only for connections whose sender sends a token in a header: \"generic\", \"datadog\", \"newrelic\" and \"honeybadger\""));
        }
        if connection.token_header.is_some() && connection.signature_header.is_some() {
            problems.push(problem(
                "token_header",
                "can't be set together with `signature_header`: the sender proves itself in one way",
            ));
        }
        if connection.timestamp_header.is_some() && connection.kind != AlertKind::Grafana {
            problems.push(problem("timestamp_header", "is only for connections of kind \"grafana\""));
        }
        let sends_heartbeats =
            matches!(connection.kind, AlertKind::Alertmanager | AlertKind::Grafana | AlertKind::Generic);
        if connection.heartbeat.is_some() && !sends_heartbeats {
            problems.push(problem("heartbeat", "is only for connections of kind \"alertmanager\", \"grafana\" or \"generic\": the others send no sign of life"));
        }
        if connection.heartbeat.is_none() && !connection.heartbeat_match.is_empty() {
            problems.push(problem("heartbeat_match", "is of no use without `heartbeat`"));
        }
        problems.extend(self.database_problems(name));
        let allowed = |name: &String| connection.repositories.iter().any(|known| known.eq_ignore_ascii_case(name));
        if connection.routes.iter().any(|route| !allowed(&route.repository)) {
            problems.push(problem("routes", "every repository in them must be one of `repositories`"));
        }
        problems
    }
}

impl Draft {
    /// Returns the problems of the settings with which a database is asked: they come together.
    fn database_problems(&self, name: &str) -> Vec<Problem> {
        let problem =
            |key: &str, message: &str| Problem::new(Place::Setting(format!("alerts.{name}.{key}")), message.to_owned());
        let connection = &self.connection;
        let needed = [
            ("organization", connection.organization.is_empty()),
            ("database", connection.database.is_empty()),
            ("service_token_id", connection.service_token_id.is_empty()),
            ("service_token", connection.service_token.is_none()),
        ];
        if connection.kind != AlertKind::Planetscale {
            let given = needed.iter().map(|(key, _)| *key).chain(["api_url"]).filter(|key| self.given.contains(*key));
            return given.map(|key| problem(key, "is only for connections of kind \"planetscale\"")).collect();
        }
        if needed.iter().all(|(_, is_missing)| *is_missing) {
            return Vec::new();
        }
        let missing = needed.iter().filter(|(_, is_missing)| *is_missing);
        let mut problems: Vec<Problem> =
            missing.map(|(key, _)| problem(key, "is missing: a database that is asked needs all four")).collect();
        let host = connection.api_url.strip_prefix("http://").map(|rest| rest.split([':', '/']).next().unwrap_or(""));
        if host.is_some_and(|host| !matches!(host, "127.0.0.1" | "localhost")) {
            problems.push(problem("api_url", "must begin with https://, because the service token is sent there"));
        }
        problems
    }
}

impl AlertConnection {
    /// Returns whether it names a database that can be asked.
    pub fn has_database(&self) -> bool {
        self.service_token.is_some()
    }
}

/// Returns whether a connection may have this name, which is part of a route and of variables'
/// names.
pub(super) fn is_name(name: &str) -> bool {
    (1..=40).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
        && !name.contains("__")
        && !name.starts_with('_')
        && !name.ends_with('_')
}

/// Checks a list of repositories.
pub(super) fn repositories(list: Vec<String>) -> Result<Vec<String>, String> {
    let is_part = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    let whole = |name: &String| name.split_once('/').is_some_and(|(owner, name)| is_part(owner) && is_part(name));
    if list.is_empty() {
        Err("expected at least one repository".to_owned())
    } else if list.iter().all(whole) {
        Ok(list)
    } else {
        Err("expected repositories as owner/name".to_owned())
    }
}

/// Parses a header's name; `None` if it is empty.
pub(super) fn header(name: &str) -> Result<Option<HeaderName>, String> {
    if name.is_empty() {
        return Ok(None);
    }
    name.parse().map(Some).map_err(|_| "expected the name of an HTTP header".to_owned())
}

/// Checks a JSON pointer (RFC 6901), which may be empty.
pub(super) fn pointer(text: String) -> Result<String, String> {
    let escapes = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    if (text.is_empty() || text.starts_with('/')) && escapes {
        Ok(text)
    } else {
        Err("expected a JSON pointer, such as /alert/title".to_owned())
    }
}

/// Parses labels with globs: `{ severity = "critical", service = "api-*" }`.
pub(super) fn labels(value: &Given<'_>) -> Result<BTreeMap<String, String>, String> {
    let wanted = || "expected labels with globs, such as { severity = \"critical\" }".to_owned();
    let Given::Toml(value) = value else { return Err("can be set in the settings file only".to_owned()) };
    let table = value.as_table().ok_or_else(wanted)?;
    let entry = |name: &str, glob: &str| {
        globset::Glob::new(glob).map_err(|_| format!("the glob for `{name}` is not right"))?;
        Ok((name.to_owned(), glob.to_owned()))
    };
    table.iter().map(|(name, glob)| entry(name.get_ref(), glob.get_ref().as_str().ok_or_else(wanted)?)).collect()
}

/// Parses `routes`: a list of tables with `match` and `repository`.
pub(super) fn routes(value: &Given<'_>) -> Result<Vec<AlertRoute>, String> {
    let wanted = || "expected a list of { match = { LABEL = \"GLOB\" }, repository = \"owner/name\" }".to_owned();
    let Given::Toml(value) = value else { return Err("can be set in the settings file only".to_owned()) };
    let mut routes = Vec::new();
    for entry in value.as_array().ok_or_else(wanted)? {
        let table = entry.get_ref().as_table().ok_or_else(wanted)?;
        let known = table.iter().all(|(name, _)| matches!(name.get_ref().as_ref(), "match" | "repository"));
        let (Some(matches), Some(repository), true) = (table.get("match"), table.get("repository"), known) else {
            return Err(wanted());
        };
        let matches = labels(&Given::Toml(matches.get_ref()))?;
        if matches.is_empty() {
            return Err(
                "a route without labels would take everything: leave it out, and name its repository first".to_owned()
            );
        }
        let repository = repository.get_ref().as_str().ok_or_else(wanted)?.to_owned();
        routes.push(AlertRoute { matches, repository });
    }
    Ok(routes)
}
