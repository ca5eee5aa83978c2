//! A database with schema changes of its own: answers queries about them.

use std::collections::BTreeSet;

use async_trait::async_trait;

use crate::{
    domain::{
        effect::Effect,
        needs::{Answer, Need},
    },
    port::forge::{Applied, ApplyContext, ForgeError},
};

/// A connection to one database. Implementations hold no state that a restart must preserve.
#[async_trait]
pub trait Database: Send + Sync + 'static {
    /// Answers a query for which [`Need::database`] names the connection, with as few calls as the
    /// database allows. Times out by itself.
    async fn answer(&self, need: &Need) -> Result<Answer, ForgeError>;

    /// Carries out an effect for which [`Effect::database`] names the connection. Reads the state
    /// first, sends at most one request that changes something, and none for what was done already.
    /// With [`ApplyContext::look_only`] it sends none.
    async fn apply(&self, effect: &Effect, context: &ApplyContext) -> Result<Applied, ForgeError>;

    /// Reads what an operator has to know of the connection. `webhook_url`: the address to which the
    /// database should send its messages.
    async fn inspect(&self, webhook_url: &str) -> Inspection;
}

/// State of a connection, for `phasebot doctor`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// The database, or why it can't be read.
    pub database: Result<Described, ForgeError>,
    /// Why schema changes can't be read, if they can't.
    pub schema_changes: Result<(), ForgeError>,
    /// The webhook that sends to us; `None`: there is none, or why webhooks can't be read.
    pub webhook: Result<Option<Hook>, ForgeError>,
}

/// A database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// Its name, as people know it.
    pub name: String,
    /// True if it has schema changes that are deployed by request.
    pub has_schema_changes: bool,
    /// True if somebody has to approve a schema change before it is deployed.
    pub needs_approval: bool,
}

/// A webhook of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// False if it sends nothing.
    pub enabled: bool,
    /// False if its last message did not arrive.
    pub last_arrived: bool,
    /// Events that are useful here and that it does not send.
    pub missing: BTreeSet<String>,
}
