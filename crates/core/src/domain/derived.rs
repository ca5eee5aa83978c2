//! What follows from facts, policy and time.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::id::ItemNumber;

/// An item entered a phase, or left all of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Transition {
    /// When, by the forge's clock.
    pub at: Timestamp,
    /// Into which phase; `None`: it carries no label from here on.
    pub to: Option<String>,
    /// The evidence, rule and place in the policy, for `/why`.
    pub reason: Reason,
}

/// Why an item is where it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Reason {
    /// Stable code: an evidence's key (`merged`), or `baseline`, `opted_out`,
    /// `ignored`, `closed_unmerged`, `not_planned`, `nothing_stands`, `gone`.
    pub code: String,
    /// A sentence for people.
    pub sentence: String,
    /// Where the rule stands: `built-in:14`, `.github/phasebot.yml:9`; empty where no rule spoke.
    pub rule: String,
}

/// What is derived for one item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Derived {
    /// The item.
    pub item: ItemNumber,
    /// The phase it is in; `None`: it should carry no phase label.
    pub phase: Option<String>,
    /// Whether labels are ours to touch at all: `false` for items that opted
    /// out, are ignored or gone.
    pub ours: bool,
    /// Since when.
    pub since: Option<Timestamp>,
    /// Why.
    pub reason: Reason,
    /// What would move it on, most likely first.
    pub next: Vec<String>,
    /// The whole history in the current cycle, oldest first.
    pub history: Vec<Transition>,
    /// When something next turns by itself.
    pub wake_at: Option<Timestamp>,
}

/// What was decided for one item, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredItem {
    /// The item.
    pub item: ItemNumber,
    /// Its phase, if it has one.
    pub phase: Option<String>,
    /// Since when.
    pub since: Option<Timestamp>,
    /// The whole decision, as JSON.
    pub derived: String,
}
