//! Acts on schema changes, for a deployment requested from us.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::{effect::SchemaAct, fact::deploy_request::DeployRequest};

/// An act on a schema change, for a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaStep {
    /// Number of the schema change.
    pub number: u64,
    /// What was to be done.
    pub act: SchemaAct,
    /// Number of the attempt, from 1.
    pub attempt: u32,
    /// Time at which it was queued, or ended.
    pub at: Timestamp,
    /// Its end; `None`: it is on its way.
    pub ended: Option<SchemaStepEnd>,
}

/// The end of an act on a schema change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SchemaStepEnd {
    /// The database took it.
    Done,
    /// It was not sent.
    Withheld,
    /// The database did not take it, in its words.
    Failed(String),
}

impl DeployRequest {
    /// Returns true if nothing else may start in its environment: it is under way, or changes the
    /// schema before it starts.
    pub fn holds_environment(&self) -> bool {
        let is_meant = |step: &SchemaStep| step.ended != Some(SchemaStepEnd::Withheld);
        self.is_under_way() || (self.is_open() && self.schema_steps.iter().any(is_meant))
    }
}
