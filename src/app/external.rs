//! Connections of systems that report deployments or verdicts: which repository a message is for.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use jiff::Timestamp;

use crate::{
    domain::{
        event::{ExternalState, Seen},
        fact::{RepoFacts, deployment::DeploymentOrigin},
        id::ForgeName,
    },
    port::{
        external::{DeploymentSource, Reported},
        forge::Undecodable,
    },
};

/// Prefixes of a delivery's `hook` if it came from such a connection; also of its route.
const HOOKS: [&str; 2] = ["events/", "verdicts/"];

/// Size in bytes from which a body is parsed on a separate thread.
const LARGE_BODY: usize = 256 * 1024;

/// All connections `[events.NAME]` and `[verdicts.NAME]`, by `events/NAME` and `verdicts/NAME`.
#[derive(Clone, Default)]
pub struct EventConnections(BTreeMap<String, Arc<EventConnection>>);

/// An event connection.
pub struct EventConnection {
    /// Authenticates and decodes its messages.
    pub source: Arc<dyn DeploymentSource>,
    /// Forge that hosts its repositories.
    pub forge: ForgeName,
    /// `owner/name` of the repositories whose deployments it may report; the first is the default.
    pub repositories: Vec<String>,
}

impl EventConnections {
    /// Collects connections by `events/NAME` and `verdicts/NAME`.
    pub fn new(connections: BTreeMap<String, EventConnection>) -> Self {
        Self(connections.into_iter().map(|(name, connection)| (name, Arc::new(connection))).collect())
    }

    /// Returns the sources of the connections, for the HTTP routes.
    pub fn sources(&self) -> BTreeMap<String, Arc<dyn DeploymentSource>> {
        self.0.iter().map(|(name, connection)| (name.clone(), connection.source.clone())).collect()
    }

    pub(crate) fn get(&self, hook: &str) -> Option<&Arc<EventConnection>> {
        self.0.get(hook)
    }
}

impl EventConnection {
    /// Returns the repository that a message is for: the one that it names, else the first. `None` if
    /// it names one that the connection may not report on. A verdict names it unless there is only one.
    pub(crate) fn target(&self, reported: &Reported) -> Option<&str> {
        let mut known = self.repositories.iter().map(String::as_str);
        match reported {
            Reported::Deployment { repository: Some(named), .. }
            | Reported::Verdict { repository: Some(named), .. } => {
                known.find(|repository| repository.eq_ignore_ascii_case(named))
            }
            Reported::Verdict { repository: None, .. } if self.repositories.len() > 1 => None,
            Reported::Deployment { repository: None, .. }
            | Reported::Verdict { repository: None, .. }
            | Reported::Nothing(_) => known.next(),
        }
    }
}

/// Returns which repository a message is for, one word that names what it says, and what makes it
/// unreadable. A message for a repository that the connection may not report on is stored for the
/// first one, which then ignores it.
pub(crate) fn part(
    connection: &EventConnection,
    decoded: Result<Reported, Undecodable>,
) -> (String, Option<&'static str>, Option<String>) {
    let first = || connection.repositories.first().cloned().unwrap_or_default();
    match decoded {
        Ok(reported) => {
            let target = connection.target(&reported).map_or_else(first, str::to_owned);
            let word = match &reported {
                Reported::Deployment { deployment, .. } => Some(deployment.state.as_str()),
                Reported::Verdict { verdict, .. } => Some(verdict.state.as_str()),
                Reported::Nothing(_) => None,
            };
            (target, word, None)
        }
        Err(error) => (first(), None, Some(error.to_string())),
    }
}

/// Returns the connection that a delivery's hook names; `None` if the hook is of another kind.
pub(crate) fn connection(hook: &str) -> Option<&str> {
    HOOKS.iter().any(|prefix| hook.starts_with(prefix)).then_some(hook)
}

/// Decodes a message; a large one on a separate thread.
pub(crate) async fn decode(
    connection: &EventConnection,
    body: &Bytes,
    received_at: Timestamp,
) -> Result<Reported, Undecodable> {
    if body.len() < LARGE_BODY {
        return connection.source.decode(body, received_at);
    }
    let (source, body) = (connection.source.clone(), body.clone());
    let decoding = tokio::task::spawn_blocking(move || source.decode(&body, received_at));
    let failed = |error| Undecodable { path: "body".to_owned(), message: format!("decoding panicked: {error}") };
    decoding.await.unwrap_or_else(|error| Err(failed(error)))
}

/// Returns why an external deployment moves nothing, for the delivery's note.
pub(crate) fn remark(facts: &RepoFacts, seen: &Seen) -> Option<String> {
    let Seen::External(deployment) = seen else { return None };
    let name = deployment.commit.as_ref().filter(|_| deployment.state != ExternalState::Removed)?;
    let Some(sha) = facts.commit_named(name, deployment.at) else {
        return Some(format!("{name:?} is neither a full commit hash nor a known tag: kept until there is such a tag"));
    };
    let origin = facts.deployments.get(&deployment.id())?.origin();
    match origin {
        DeploymentOrigin::Foreign => Some(format!("kept, but {} is not in this repository", sha.short())),
        DeploymentOrigin::Unknown => Some(format!("kept, but it is not known yet if {} is here", sha.short())),
        DeploymentOrigin::Own => None,
    }
}
