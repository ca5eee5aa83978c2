//! Results derived from facts, policy and time.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::id::ItemId;

/// An item entered a phase, or left all of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Transition {
    /// Time, by the forge's clock.
    pub at: Timestamp,
    /// The new phase; `None`: it has no label from here on.
    pub to: Option<String>,
    /// The evidence, rule and place in the policy, for `/why`.
    pub reason: Reason,
}

/// The reason for an item's phase.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Reason {
    /// Stable code: an evidence's key (`merged`), or `baseline`, `opted_out`, `ignored`,
    /// `closed_unmerged`, `not_planned`, `nothing_stands`, `gone`.
    pub code: String,
    /// A sentence for people.
    pub sentence: String,
    /// Position of the rule: `built-in:14`, `.github/phasebot.yml:9`; empty if no rule applied.
    pub rule: String,
}

/// The result derived for one item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Derived {
    /// The item.
    pub item: ItemId,
    /// Its phase; `None`: it should have no phase label.
    pub phase: Option<String>,
    /// True if we may change its labels: `false` for items that opted out, are ignored or gone.
    pub ours: bool,
    /// Time since when it is in the phase.
    pub since: Option<Timestamp>,
    /// The reason.
    pub reason: Reason,
    /// Events that would move it on, most likely first.
    pub next: Vec<String>,
    /// The whole history in the current cycle, oldest first.
    pub history: Vec<Transition>,
    /// The pull requests through which an issue advances.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub pulls: BTreeSet<ItemId>,
    /// Time at which something next changes by itself.
    pub wake_at: Option<Timestamp>,
}

/// The decision for one item, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredItem {
    /// The item.
    pub item: ItemId,
    /// Its phase, if it has one.
    pub phase: Option<String>,
    /// Time since when it is in the phase.
    pub since: Option<Timestamp>,
    /// The whole decision, as JSON.
    pub derived: String,
}
