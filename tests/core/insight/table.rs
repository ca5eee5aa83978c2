//! Rows as a store keeps them.

use std::collections::BTreeMap;

use phasebot_core::{
    domain::insight::{RowGroup, RowKind},
    insight::InsightRows,
};

/// Rows by kind, owner and part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InsightTable(pub BTreeMap<(RowKind, String, String), String>);

impl InsightTable {
    /// Replaces the rows of a group's owner.
    pub fn keep(&mut self, group: &RowGroup) {
        self.0.retain(|(kind, owner, part), _| {
            (*kind, owner) != (group.kind, &group.owner) || part.as_str() < group.from.as_str()
        });
        for row in &group.rows {
            let key = (group.kind, row.owner.clone(), row.part.clone());
            self.0.entry(key).or_insert_with(|| row.body.clone());
        }
    }

    /// Rows that differ, for a message: `-` here, `+` there.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let missing = |sign: char, from: &Self, to: &Self| -> Vec<String> {
            let rows = from.0.iter().filter(|(key, body)| to.0.get(*key) != Some(*body));
            rows.map(|((kind, owner, part), body)| format!("{sign} {kind:?} {owner} {part} {body}")).collect()
        };
        [missing('-', self, other), missing('+', other, self)].concat()
    }

    pub fn rows(&self) -> InsightRows {
        let mut rows = InsightRows::default();
        for ((kind, ..), body) in &self.0 {
            assert!(rows.add(*kind, body), "{body}");
        }
        rows
    }
}
