//! Creates the monitoring connections from the settings.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use crate::{
    alert::{
        Alertmanager, DATADOG, Fields, Generic, Grafana, HONEYBADGER, Headers, Kind, NEW_RELIC, PagerDuty,
        PresetSource, Proof, Sentry, Swap,
    },
    app::{Alerts, Connection, Labels, Route},
    cli::Failure,
    database::planetscale::{Config, PlanetScale, PlanetScaleWebhook},
    domain::{alert::ConnectionRules, id::ForgeName, policy::Pattern},
    incident::render,
    port::{alert::AlertSource, clock::Clock, database::Database},
    settings::{AlertConnection, AlertKind, AlertType},
};

/// Labels of the alert that always fires in kube-prometheus and similar setups.
const WATCHDOG: (&str, &str) = ("alertname", "Watchdog");

/// Maximum size of a template, in bytes.
const LONGEST_TEMPLATE: usize = 64 * 1024;

/// Parts of the running connections whose secrets can be replaced, by the connection's name.
#[derive(Default)]
pub(super) struct Sources {
    sources: BTreeMap<String, Arc<Swap>>,
    databases: BTreeMap<String, Arc<PlanetScale>>,
}

/// Creates the connections, with their sources for later replacement of secrets.
pub(super) fn renewable(
    settings: &BTreeMap<String, AlertConnection>,
    clock: &Arc<dyn Clock>,
) -> Result<(Alerts, Sources), Failure> {
    let (mut connections, mut renewable) = (BTreeMap::new(), Sources::default());
    for (name, setting) in settings {
        let database = database(name, setting, clock)?;
        let connection = connection(name, setting, database.clone(), clock)?;
        let swap = Arc::new(Swap::new(connection.source));
        renewable.sources.insert(name.clone(), swap.clone());
        renewable.databases.extend(database.map(|database| (name.clone(), database)));
        connections.insert(name.clone(), Connection { source: swap, ..connection });
    }
    Ok((Alerts::new(connections), renewable))
}

/// Replaces the secrets with those in the settings. Added and removed connections and other changes
/// take effect only after a restart.
pub(super) fn renew(sources: &Sources, settings: &BTreeMap<String, AlertConnection>, clock: &Arc<dyn Clock>) {
    for (name, swap) in &sources.sources {
        if let Some(setting) = settings.get(name) {
            swap.put(source(name, setting, clock));
        }
    }
    for (name, database) in &sources.databases {
        if let Some((setting, token)) = settings.get(name).and_then(|it| Some((it, it.service_token.as_ref()?))) {
            database.renew(&setting.service_token_id, token);
        }
    }
}

/// Creates the connections, and reads their templates.
pub fn connections(settings: &BTreeMap<String, AlertConnection>, clock: &Arc<dyn Clock>) -> Result<Alerts, Failure> {
    let mut connections = BTreeMap::new();
    for (name, setting) in settings {
        let database = database(name, setting, clock)?;
        connections.insert(name.clone(), connection(name, setting, database, clock)?);
    }
    Ok(Alerts::new(connections))
}

/// Creates the database of a connection, if its settings name one.
pub(super) fn database(
    name: &str,
    setting: &AlertConnection,
    clock: &Arc<dyn Clock>,
) -> Result<Option<Arc<PlanetScale>>, Failure> {
    let Some(token) = &setting.service_token else { return Ok(None) };
    let config = Config {
        api_url: setting.api_url.clone(),
        organization: setting.organization.clone(),
        database: setting.database.clone(),
        service_token_id: setting.service_token_id.clone(),
        service_token: token.clone(),
        clock: clock.clone(),
    };
    let made = PlanetScale::new(name, config);
    made.map(|made| Some(Arc::new(made))).map_err(|what| Failure::Message(format!("alerts.{name}: {what}")))
}

fn connection(
    name: &str,
    setting: &AlertConnection,
    database: Option<Arc<PlanetScale>>,
    clock: &Arc<dyn Clock>,
) -> Result<Connection, Failure> {
    let routes = setting
        .routes
        .iter()
        .map(|route| Ok(Route { matches: labels(name, &route.matches)?, target: route.repository.clone() }));
    let template = setting.template.as_deref().map(|file| template(name, file)).transpose()?;
    Ok(Connection {
        source: source(name, setting, clock),
        forge: ForgeName::github(),
        repositories: setting.repositories.clone(),
        database: database.map(|database| database as Arc<dyn Database>),
        routes: routes.collect::<Result<_, Failure>>()?,
        heartbeat: setting.heartbeat.map(|_| heartbeat(name, setting)).transpose()?.flatten(),
        rules: ConnectionRules { heartbeat: setting.heartbeat, template },
    })
}

fn source(name: &str, setting: &AlertConnection, clock: &Arc<dyn Clock>) -> Arc<dyn AlertSource> {
    let secrets = &setting.secrets;
    let preset = |preset| -> Arc<dyn AlertSource> {
        Arc::new(PresetSource::new(name, secrets, setting.token_header.clone(), preset))
    };
    match setting.kind {
        AlertKind::Alertmanager => Arc::new(Alertmanager::new(name, secrets)),
        AlertKind::Grafana => {
            let signature = setting.signature_header.clone().unwrap_or(Headers::default().signature);
            let headers = Headers { signature, timestamp: setting.timestamp_header.clone() };
            Arc::new(Grafana::new(name, secrets, headers, clock.clone()))
        }
        AlertKind::Planetscale => {
            let follows = (setting.organization.as_str(), setting.database.as_str());
            Arc::new(PlanetScaleWebhook::new(name, secrets, setting.has_database().then_some(follows)))
        }
        AlertKind::Pagerduty => Arc::new(PagerDuty::new(name, secrets)),
        AlertKind::Sentry => Arc::new(Sentry::new(name, secrets)),
        AlertKind::Datadog => preset(&DATADOG),
        AlertKind::Newrelic => preset(&NEW_RELIC),
        AlertKind::Honeybadger => preset(&HONEYBADGER),
        AlertKind::Generic => {
            let kind = match setting.r#type {
                AlertType::Alert => Kind::Alert {
                    firing: setting.firing.clone(),
                    resolved: setting.resolved.clone(),
                    heartbeat: setting.heartbeat.is_some(),
                },
                AlertType::Feedback => Kind::Feedback,
            };
            let of = setting.fields.clone();
            let fields = Fields {
                key: of.key,
                status: of.status,
                title: of.title,
                text: of.text,
                url: of.url,
                started_at: of.started_at,
                labels: of.labels,
            };
            let proof = match (&setting.signature_header, &setting.token_header) {
                (Some(header), _) => Proof::Signature(header.clone()),
                (None, Some(header)) => Proof::Token(header.clone()),
                (None, None) => Proof::Bearer,
            };
            Arc::new(Generic::new(name, secrets, proof, kind, fields))
        }
    }
}

/// Returns the labels of the heartbeat alert. A generic sender needs none: any status other than
/// firing and resolved is a heartbeat.
fn heartbeat(name: &str, setting: &AlertConnection) -> Result<Option<Labels>, Failure> {
    if !setting.heartbeat_match.is_empty() {
        return labels(name, &setting.heartbeat_match).map(Some);
    }
    let watchdog = || [(WATCHDOG.0.to_owned(), WATCHDOG.1.to_owned())].into();
    match setting.kind {
        AlertKind::Alertmanager | AlertKind::Grafana => labels(name, &watchdog()).map(Some),
        AlertKind::Planetscale
        | AlertKind::Pagerduty
        | AlertKind::Sentry
        | AlertKind::Datadog
        | AlertKind::Newrelic
        | AlertKind::Honeybadger
        | AlertKind::Generic => Ok(None),
    }
}

fn labels(name: &str, globs: &BTreeMap<String, String>) -> Result<Labels, Failure> {
    let pattern = |(label, glob): (&String, &String)| match Pattern::new(glob) {
        Ok(pattern) => Ok((label.clone(), pattern)),
        Err(error) => Err(Failure::Message(format!("alerts.{name}: the glob for {label} is not right: {error}"))),
    };
    globs.iter().map(pattern).collect()
}

fn template(name: &str, file: &Path) -> Result<String, Failure> {
    let wrong = |what: String| Failure::Message(format!("alerts.{name}.template: {}: {what}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| wrong(format!("can't be read: {error}")))?;
    if text.len() > LONGEST_TEMPLATE {
        return Err(wrong(format!("is longer than {LONGEST_TEMPLATE} bytes")));
    }
    render::problem(&text).map_or(Ok(text), |problem| Err(wrong(problem)))
}
