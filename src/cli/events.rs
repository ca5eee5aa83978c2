//! Creates the event and verdict connections from the settings.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    app::{EventConnection, EventConnections},
    cli::Failure,
    domain::{event::ExternalState, id::ForgeName, policy::Pattern},
    external::{External, Format, Mapping, VerdictSource},
    port::clock::Clock,
    settings::{EventConnection as Setting, EventKind, Settings},
};

/// Sources of the running connections by name; their secrets can be replaced.
pub(super) struct Sources {
    events: BTreeMap<String, Arc<External>>,
    verdicts: BTreeMap<String, Arc<VerdictSource>>,
}

/// Creates the connections, with their sources for later replacement of secrets.
pub(super) fn renewable(settings: &Settings, clock: &Arc<dyn Clock>) -> Result<(EventConnections, Sources), Failure> {
    let mut connections = BTreeMap::new();
    let mut sources = Sources { events: BTreeMap::new(), verdicts: BTreeMap::new() };
    let forge = ForgeName::github;
    for (name, setting) in &settings.events {
        let source = Arc::new(source(name, setting)?);
        sources.events.insert(name.clone(), source.clone());
        let repositories = setting.repositories.clone();
        connections.insert(format!("events/{name}"), EventConnection { source, forge: forge(), repositories });
    }
    for (name, setting) in &settings.verdicts {
        let source = Arc::new(VerdictSource::new(name, &setting.secrets, clock.clone()));
        sources.verdicts.insert(name.clone(), source.clone());
        let repositories = setting.repositories.clone();
        connections.insert(format!("verdicts/{name}"), EventConnection { source, forge: forge(), repositories });
    }
    Ok((EventConnections::new(connections), sources))
}

/// Creates the connections.
pub fn connections(settings: &Settings, clock: &Arc<dyn Clock>) -> Result<EventConnections, Failure> {
    renewable(settings, clock).map(|(connections, _)| connections)
}

/// Replaces the secrets with those in the settings. Added and removed connections and other changes
/// take effect only after a restart.
pub(super) fn renew(sources: &Sources, settings: &Settings) {
    for (name, source) in &sources.events {
        if let Some(setting) = settings.events.get(name) {
            source.renew(&setting.secrets);
        }
    }
    for (name, source) in &sources.verdicts {
        if let Some(setting) = settings.verdicts.get(name) {
            source.renew(&setting.secrets);
        }
    }
}

fn source(name: &str, setting: &Setting) -> Result<External, Failure> {
    let format = match setting.kind {
        EventKind::Cdevents => Format::CdEvents,
        EventKind::Generic => {
            let fields = setting.fields.clone();
            Format::Mapped(Mapping {
                key: fields.key,
                repository: fields.repository,
                commit: fields.commit,
                environment: fields.environment,
                state: fields.state,
                at: fields.at,
                words: vec![
                    (ExternalState::InProgress, setting.in_progress.clone()),
                    (ExternalState::Success, setting.success.clone()),
                    (ExternalState::Failure, setting.failure.clone()),
                    (ExternalState::Removed, setting.removed.clone()),
                ],
            })
        }
    };
    let pattern = |glob: &String| {
        let wrong = |error| Failure::Message(format!("events.{name}.environments: {glob:?} is not right: {error}"));
        Pattern::new(glob).map_err(wrong)
    };
    let environments = setting.environments.iter().map(pattern).collect::<Result<_, Failure>>()?;
    Ok(External::new(name, &setting.secrets, setting.signature_header.clone(), format, environments, setting.github))
}
