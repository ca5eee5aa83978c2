//! Systems beside the forge: those that deploy without it and report it to `POST /events/NAME`, as
//! CDEvents or as any JSON whose fields the settings name, and those that judge commits.

mod cdevents;
mod mapped;
mod verdict;

use std::sync::{PoisonError, RwLock};

use http::{HeaderMap, HeaderName};
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

pub use crate::external::{mapped::Mapping, verdict::VerdictSource};
use crate::{
    domain::{event::ExternalDeployment, policy::Pattern},
    port::{
        alert::Refusal,
        external::{DeploymentSource, Reported},
        forge::Undecodable,
    },
    sender::{json, proof::Secrets},
};

/// Maximum length of an environment's name, in characters. GitHub allows as many.
const LONGEST_ENVIRONMENT: usize = 255;

/// Time by which a sender's clock may be ahead of ours. A later time would outlast the reports that
/// follow.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(1);

/// Format of a connection's messages.
#[derive(Debug, Clone)]
pub enum Format {
    /// CDEvents in a CloudEvent, in binary or structured mode.
    CdEvents,
    /// JSON with the fields at these places.
    Mapped(Mapping),
}

/// An event connection.
#[derive(Debug)]
pub struct External {
    connection: String,
    secrets: RwLock<Secrets>,
    signature: Option<HeaderName>,
    format: Format,
    environments: Vec<Pattern>,
    mirrors: bool,
}

/// A message's statement about a deployment, before it is checked.
#[derive(Debug, Default)]
struct Found {
    repository: Option<String>,
    deployment: Option<ExternalDeployment>,
}

impl External {
    /// Creates the connection `[events.connection]`. `signature` names the header with the hex
    /// HMAC-SHA256 of the body; `None` requires a bearer token. `environments` are those that it may
    /// report; none: all. `mirrors`: the forge shows them, too.
    pub fn new(
        connection: &str,
        secrets: &[SecretString],
        signature: Option<HeaderName>,
        format: Format,
        environments: Vec<Pattern>,
        mirrors: bool,
    ) -> Self {
        let secrets = RwLock::new(Secrets::new(secrets));
        Self { connection: connection.to_owned(), secrets, signature, format, environments, mirrors }
    }

    /// Replaces the secrets.
    pub fn renew(&self, secrets: &[SecretString]) {
        *self.secrets.write().unwrap_or_else(PoisonError::into_inner) = Secrets::new(secrets);
    }

    /// Returns what a message reports, if the connection may report it.
    fn checked(&self, found: Found, received_at: Timestamp) -> Reported {
        let Some(mut deployment) = found.deployment else {
            return Reported::Nothing("it reports no deployment".to_owned());
        };
        let environment = &deployment.environment;
        if environment.chars().count() > LONGEST_ENVIRONMENT || environment.chars().any(char::is_control) {
            return Reported::Nothing("its environment is no name that a forge would accept".to_owned());
        }
        if !self.environments.is_empty() && !self.environments.iter().any(|pattern| pattern.matches(environment)) {
            return Reported::Nothing(format!("this connection may not report the environment {environment:?}"));
        }
        let latest = received_at.checked_add(CLOCK_SKEW).unwrap_or(received_at);
        if deployment.at > latest {
            deployment.at = received_at;
        }
        deployment.mirrored = self.mirrors;
        Reported::Deployment { repository: found.repository, deployment }
    }
}

impl DeploymentSource for External {
    fn kind(&self) -> &'static str {
        match self.format {
            Format::CdEvents => "cdevents",
            Format::Mapped(_) => "generic",
        }
    }

    fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), Refusal> {
        let secrets = self.secrets.read().unwrap_or_else(PoisonError::into_inner);
        match &self.signature {
            Some(header) => secrets.verify_signature(headers, header, &[body]),
            None => secrets.verify_bearer(headers),
        }
    }

    fn decode(&self, body: &[u8], received_at: Timestamp) -> Result<Reported, Undecodable> {
        let payload = json::object(body)?;
        let found = match &self.format {
            Format::CdEvents => cdevents::read(&self.connection, &payload),
            Format::Mapped(mapping) => mapped::read(&self.connection, mapping, &payload, received_at),
        };
        Ok(found.map_or_else(Reported::Nothing, |found| self.checked(found, received_at)))
    }
}
