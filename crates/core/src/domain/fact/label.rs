//! Label events of an item, as the forge reported them.
//!
//! The policy says which labels show a phase, and policies change. The meaning of an event is
//! therefore determined when a phase is derived, not when the event arrives
//! (`evidence/overrides.rs`).

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::id::AccountId;

/// Maximum number of stored events of one label by people: the last one determines the phase, those
/// before it the history.
const KEPT_OF_PEOPLE: usize = 4;
/// Maximum number of stored events of one label by bots: two are a dispute.
const KEPT_OF_BOTS: usize = 2;
/// Maximum number of stored events of one item.
const KEPT_OF_ITEM: usize = 64;

/// Somebody other than us added a label to an item or removed it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LabelEvent {
    /// Time.
    pub at: Timestamp,
    /// The label.
    pub label: String,
    /// True if it was added, false if it was removed.
    pub on: bool,
    /// Login of the account, for display.
    pub by: String,
    /// Id of the account, if the event names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<AccountId>,
    /// True if the account is a bot.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bot: bool,
    /// Labels that stayed on the item when a person removed this one.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub beside: BTreeSet<String>,
    /// Its meaning under the policy in force when it arrived, if a person caused it and the label
    /// showed a phase. It counts if the policy has no such label any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meant: Option<LabelMeaning>,
}

/// The meaning of a person's change of a phase label.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum LabelMeaning {
    /// None: another phase label stayed on, so it was half of a swap.
    Swap,
    /// Leave the item alone.
    OptOut,
    /// The item is in this phase.
    Phase(String),
}

impl LabelEvent {
    fn is(&self, other: &Self) -> bool {
        (self.at, &self.label, self.on, &self.by, self.bot) == (other.at, &other.label, other.on, &other.by, other.bot)
    }

    fn is_of_kind(&self, other: &Self) -> bool {
        self.bot == other.bot && self.label.eq_ignore_ascii_case(&other.label)
    }
}

/// The label events of an item that can still matter: the newest few of each label, separately for
/// people and bots, and no more than [`KEPT_OF_ITEM`] in all. Recording is a join: any order and
/// repetition of events gives the same result.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LabelEvents(Vec<LabelEvent>);

impl<'a> IntoIterator for &'a LabelEvents {
    type Item = &'a LabelEvent;
    type IntoIter = std::slice::Iter<'a, LabelEvent>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl LabelEvents {
    /// Adds an event.
    pub fn record(&mut self, event: LabelEvent) {
        if let Some(known) = self.0.iter_mut().find(|known| known.is(&event)) {
            known.beside.extend(event.beside);
            known.meant = known.meant.take().max(event.meant);
            return;
        }
        let place = self.0.partition_point(|known| *known < event);
        let most = if event.bot { KEPT_OF_BOTS } else { KEPT_OF_PEOPLE };
        self.0.insert(place, event);
        let event = &self.0[place];
        let mut of_kind = self.0.iter().enumerate().filter(|(_, known)| known.is_of_kind(event));
        let oldest = of_kind.next().map(|(at, _)| at);
        if of_kind.count() >= most {
            self.0.drain(oldest.map_or(0..0, |at| at..at + 1));
        }
        if self.0.len() > KEPT_OF_ITEM {
            // People's phase labels are kept longer than all other labels.
            let weight = |known: &LabelEvent| (known.meant.is_some(), !known.bot);
            let least = self.0.iter().enumerate().min_by_key(|(place, known)| (weight(known), *place));
            let least = least.map(|(place, _)| place);
            self.0.drain(least.map_or(0..0, |place| place..place + 1));
        }
    }

    /// Iterates over the events, oldest first.
    pub fn iter(&self) -> std::slice::Iter<'_, LabelEvent> {
        self.0.iter()
    }

    /// Returns true if there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_said_of_the_phase_outlasts_other_labels() {
        let event = |second: i64, label: String, meant| LabelEvent {
            at: Timestamp::from_second(1_700_000_000 + second).unwrap(),
            label,
            on: false,
            by: "ann".into(),
            id: None,
            bot: false,
            beside: BTreeSet::new(),
            meant,
        };
        let mut events = LabelEvents::default();
        events.record(event(0, "phase/plan".into(), Some(LabelMeaning::OptOut)));
        for n in 1..200 {
            events.record(event(n, format!("area/{n}"), None));
        }
        assert_eq!(events.iter().count(), KEPT_OF_ITEM);
        assert_eq!(events.iter().next().and_then(|first| first.meant.clone()), Some(LabelMeaning::OptOut));
        assert_eq!(events.iter().next_back().map(|last| last.label.as_str()), Some("area/199"));
    }
}
