//! Systems that judge commits and report it to `POST /verdicts/NAME`.
//!
//! A sender proves itself by a signature of the Standard Webhooks specification
//! (standardwebhooks.com, "Verifying signatures"), or by a bearer token.

use std::sync::{Arc, PoisonError, RwLock};

use http::HeaderMap;
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::Value;

use crate::{
    domain::{
        event::{VerdictSeen, VerdictState},
        id::Sha,
    },
    external::{CLOCK_SKEW, LONGEST_ENVIRONMENT},
    port::{
        alert::Refusal,
        clock::Clock,
        external::{DeploymentSource, Reported},
        forge::Undecodable,
    },
    sender::{
        json,
        proof::Secrets,
        standard_webhooks::{self, SIGNATURE},
    },
};

/// Maximum length of a verdict's name, in characters.
const LONGEST_NAME: usize = 100;
/// Maximum length of its reason, in characters.
const LONGEST_REASON: usize = 300;
/// Maximum length of its URL, in bytes.
const LONGEST_URL: usize = 1000;
/// Name of a verdict that has none.
const UNNAMED: &str = "default";

/// A verdict connection.
pub struct VerdictSource {
    connection: String,
    secrets: RwLock<Secrets>,
    clock: Arc<dyn Clock>,
}

impl VerdictSource {
    /// Creates the connection `[verdicts.connection]`.
    pub fn new(connection: &str, secrets: &[SecretString], clock: Arc<dyn Clock>) -> Self {
        Self { connection: connection.to_owned(), secrets: RwLock::new(Secrets::new(secrets)), clock }
    }

    /// Replaces the secrets.
    pub fn renew(&self, secrets: &[SecretString]) {
        *self.secrets.write().unwrap_or_else(PoisonError::into_inner) = Secrets::new(secrets);
    }

    fn read(&self, payload: &Value, received_at: Timestamp) -> Result<Reported, String> {
        let text = |pointer: &str| json::text(payload.pointer(pointer));
        match text("/type").as_deref() {
            Some("verdict") => {}
            other => return Err(format!("its type, {:?}, is not \"verdict\"", other.unwrap_or_default())),
        }
        let commit = text("/data/commit").ok_or("it names no commit")?;
        let Ok(commit) = commit.parse::<Sha>() else {
            return Err(format!("its commit, {commit:?}, is not a full hash"));
        };
        let word = text("/data/state").unwrap_or_default();
        let known = VerdictState::ALL.into_iter().find(|(_, name)| name.eq_ignore_ascii_case(&word));
        let Some((state, _)) = known else {
            return Err(format!("its state, {word:?}, is none of pass, fail, pending"));
        };
        let name = text("/data/name").unwrap_or_else(|| UNNAMED.to_owned());
        let environment = text("/data/environment");
        let is_name = |name: &str, most: usize| name.chars().count() <= most && !name.chars().any(char::is_control);
        if !is_name(&name, LONGEST_NAME) {
            return Err(format!("its name is longer than {LONGEST_NAME} characters, or has control characters"));
        }
        if environment.as_ref().is_some_and(|environment| !is_name(environment, LONGEST_ENVIRONMENT)) {
            return Err("its environment is no name that a forge would accept".to_owned());
        }
        // A time that nobody can read must not make a verdict last for ever.
        let valid_until = match payload.pointer("/data/valid_until").filter(|value| !value.is_null()) {
            None => None,
            value => Some(json::moment(value).ok_or("its `valid_until` is not a time")?),
        };
        // Sent again after a newer one, a verdict without a time of its own would seem to be the newest;
        // one from the future would outlast those that follow.
        let at = json::moment(payload.get("timestamp")).ok_or("its `timestamp` is missing, or not a time")?;
        let latest = received_at.checked_add(CLOCK_SKEW).unwrap_or(received_at);
        if at > latest {
            return Err(format!("its `timestamp`, {at}, is still to come"));
        }
        let verdict = VerdictSeen {
            connection: self.connection.clone(),
            commit,
            name,
            environment,
            state,
            at,
            reason: text("/data/reason").map(|reason| reason.chars().take(LONGEST_REASON).collect()),
            url: text("/data/url").filter(|url| url.starts_with("https://") && url.len() <= LONGEST_URL),
            valid_until,
        };
        Ok(Reported::Verdict { repository: text("/data/repository"), verdict })
    }
}

impl DeploymentSource for VerdictSource {
    fn kind(&self) -> &'static str {
        "verdict"
    }

    fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), Refusal> {
        let secrets = self.secrets.read().unwrap_or_else(PoisonError::into_inner);
        if headers.contains_key(&SIGNATURE) {
            standard_webhooks::verify(&secrets, headers, body, self.clock.now())
        } else {
            secrets.verify_bearer(headers)
        }
    }

    fn decode(&self, body: &[u8], received_at: Timestamp) -> Result<Reported, Undecodable> {
        let payload = json::object(body)?;
        Ok(self.read(&payload, received_at).unwrap_or_else(Reported::Nothing))
    }
}
