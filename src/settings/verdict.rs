//! `[verdicts.NAME]`: one connection of a system that judges commits.

use std::collections::BTreeSet;

use secrecy::SecretString;

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

impl Draft {
    /// Returns the problem of the connection as a whole.
    pub(super) fn problem(&self, name: &str) -> Option<Problem> {
        let setting = Place::Setting(format!("verdicts.{name}.repositories"));
        (!self.given.contains("repositories")).then(|| Problem::new(setting, "is missing".to_owned()))
    }
}
