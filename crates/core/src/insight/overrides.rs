//! Overrides of gates: when which conditions were overridden. The words of whoever did it are in the
//! document that a row names.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    domain::{
        fact::{
            DocumentKey, RepoFacts,
            command::{CommandAction, CommandId, Ending},
        },
        insight::{RowGroup, RowKind},
    },
    insight::row::Row,
};

/// An override of a gate's conditions for a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverrideRow {
    /// Time of the command.
    pub at: Timestamp,
    /// Name of the gate's check.
    pub gate: String,
    /// The commit.
    pub commit: String,
    /// Names of the conditions.
    pub conditions: Vec<String>,
    /// Key of the document with the command.
    pub document: String,
}

impl Row for OverrideRow {
    fn owner(&self) -> String {
        self.document.clone()
    }

    fn part(&self) -> String {
        String::new()
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Returns the row of a command that overrode conditions; `None` for any other.
pub(crate) fn group(facts: &RepoFacts, id: &CommandId) -> Option<RowGroup> {
    let command = facts.commands.get(id).filter(|command| matches!(command.ending, Ending::Done(_)))?;
    let Some(CommandAction::Override { gate, sha, conditions, .. }) = &command.action else { return None };
    let row = OverrideRow {
        at: command.at,
        gate: gate.check(),
        commit: sha.to_string(),
        conditions: conditions.iter().map(|condition| condition.name().to_owned()).collect(),
        document: DocumentKey::Command(*id).to_string(),
    };
    Some(RowGroup { kind: RowKind::Override, owner: row.owner(), from: String::new(), rows: vec![row.stored()] })
}

/// Returns the rows of every override on record.
pub(crate) fn all(facts: &RepoFacts) -> Vec<RowGroup> {
    let at_gate = &facts.commands.index().at_gate;
    at_gate.properties().flat_map(|place| at_gate.of(place)).filter_map(|id| group(facts, id)).collect()
}
