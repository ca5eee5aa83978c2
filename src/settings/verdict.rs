//! `[verdicts.NAME]`: one connection of a system that judges commits.

use std::collections::BTreeSet;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use secrecy::{ExposeSecret, SecretString};

use crate::settings::problem::{Place, Problem};

/// A verdict connection.
#[derive(Debug, Clone, Default)]
pub struct VerdictConnection {
    /// Bearer tokens, or secrets of the Standard Webhooks specification; one or two.
    pub secrets: Vec<SecretString>,
    /// `owner/name` of the repositories whose commits it may judge; the first is the default.
    pub repositories: Vec<String>,
}

/// A connection while it is read, with the names of its settings that were given.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) connection: VerdictConnection,
    pub(super) given: BTreeSet<String>,
}

/// Checks secrets: one that begins with `whsec_` is Base64, of something.
pub(super) fn secrets(list: Vec<SecretString>) -> Result<Vec<SecretString>, String> {
    let is_right = |secret: &SecretString| {
        let Some(encoded) = secret.expose_secret().strip_prefix("whsec_") else { return true };
        BASE64_STANDARD.decode(encoded).is_ok_and(|key| !key.is_empty())
    };
    if list.iter().all(is_right) {
        Ok(list)
    } else {
        Err("a secret begins with `whsec_` and is not Base64: copy the whole secret".to_owned())
    }
}

impl Draft {
    /// Returns the problem of the connection as a whole.
    pub(super) fn problem(&self, name: &str) -> Option<Problem> {
        let setting = Place::Setting(format!("verdicts.{name}.repositories"));
        (!self.given.contains("repositories")).then(|| Problem::new(setting, "is missing".to_owned()))
    }
}
