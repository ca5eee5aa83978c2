//! Creates the monitoring connections from the settings.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use crate::{
    alert::{
        Alertmanager, DATADOG, Fields, Generic, Grafana, HONEYBADGER, Headers, Kind, NEW_RELIC, PagerDuty, PlanetScale,
        PresetSource, Proof, Sentry, Swap,
    },
    app::{Alerts, Connection, Labels, Route},
    cli::Failure,
    domain::{alert::ConnectionRules, id::ForgeName, policy::Pattern},
    incident::render,
    port::{alert::AlertSource, clock::Clock},
    settings::{AlertConnection, AlertKind, AlertType},
};

/// Labels of the alert that always fires in kube-prometheus and similar setups.
const WATCHDOG: (&str, &str) = ("alertname", "Watchdog");

/// Maximum size of a template, in bytes.
const LONGEST_TEMPLATE: usize = 64 * 1024;

/// Sources of the running connections by name; their secrets can be replaced.
pub(super) type Sources = BTreeMap<String, Arc<Swap>>;

/// Creates the connections, with their sources for later replacement of secrets.
pub(super) fn renewable(
    settings: &BTreeMap<String, AlertConnection>,
    clock: &Arc<dyn Clock>,
) -> Result<(Alerts, Sources), Failure> {
    let (mut connections, mut sources) = (BTreeMap::new(), BTreeMap::new());
    for (name, setting) in settings {
        let connection = connection(name, setting, clock)?;
        let swap = Arc::new(Swap::new(connection.source));
        sources.insert(name.clone(), swap.clone());
        connections.insert(name.clone(), Connection { source: swap, ..connection });
    }
    Ok((Alerts::new(connections), sources))
}

/// Replaces the secrets with those in the settings. Added and removed connections and other changes
/// take effect only after a restart.
pub(super) fn renew(sources: &Sources, settings: &BTreeMap<String, AlertConnection>, clock: &Arc<dyn Clock>) {
    for (name, swap) in sources {
        if let Some(setting) = settings.get(name) {
            swap.put(source(name, setting, clock));
        }
    }
}

/// Creates the connections, and reads their templates.
pub fn connections(settings: &BTreeMap<String, AlertConnection>, clock: &Arc<dyn Clock>) -> Result<Alerts, Failure> {
    let mut connections = BTreeMap::new();
    for (name, setting) in settings {
        connections.insert(name.clone(), connection(name, setting, clock)?);
    }
    Ok(Alerts::new(connections))
}

fn connection(name: &str, setting: &AlertConnection, clock: &Arc<dyn Clock>) -> Result<Connection, Failure> {
    let routes = setting
        .routes
        .iter()
        .map(|route| Ok(Route { matches: labels(name, &route.matches)?, target: route.repository.clone() }));
    let template = setting.template.as_deref().map(|file| template(name, file)).transpose()?;
    Ok(Connection {
        source: source(name, setting, clock),
        forge: ForgeName::github(),
        default_target: setting.repositories.first().cloned().unwrap_or_default(),
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
        AlertKind::Planetscale => Arc::new(PlanetScale::new(name, secrets)),
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
