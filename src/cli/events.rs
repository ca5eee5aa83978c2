//! Creates the event connections from the settings.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    app::{EventConnection, EventConnections},
    cli::Failure,
    domain::{event::ExternalState, id::ForgeName, policy::Pattern},
    external::{External, Format, Mapping},
    settings::{EventConnection as Setting, EventKind},
};

/// Sources of the running connections by name; their secrets can be replaced.
pub(super) type Sources = BTreeMap<String, Arc<External>>;

/// Creates the connections, with their sources for later replacement of secrets.
pub(super) fn renewable(settings: &BTreeMap<String, Setting>) -> Result<(EventConnections, Sources), Failure> {
    let (mut connections, mut sources) = (BTreeMap::new(), BTreeMap::new());
    for (name, setting) in settings {
        let source = Arc::new(source(name, setting)?);
        sources.insert(name.clone(), source.clone());
        let repositories = setting.repositories.clone();
        connections.insert(name.clone(), EventConnection { source, forge: ForgeName::github(), repositories });
    }
    Ok((EventConnections::new(connections), sources))
}

/// Creates the connections.
pub fn connections(settings: &BTreeMap<String, Setting>) -> Result<EventConnections, Failure> {
    renewable(settings).map(|(connections, _)| connections)
}

/// Replaces the secrets with those in the settings. Added and removed connections and other changes
/// take effect only after a restart.
pub(super) fn renew(sources: &Sources, settings: &BTreeMap<String, Setting>) {
    for (name, source) in sources {
        if let Some(setting) = settings.get(name) {
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
    Ok(External::new(name, &setting.secrets, setting.signature_header.clone(), format, environments))
}
