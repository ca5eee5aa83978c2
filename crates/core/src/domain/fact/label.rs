//! Label events of an item, as the forge told them.
//!
//! Which labels show a phase is the policy's business, and policies change:
//! what an event means is decided when a phase is derived, not when the event
//! arrives (`decide/overrides.rs`).

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Events that are kept of one label by people: the last one decides the
/// phase, those before it the history.
const KEPT_OF_PEOPLE: usize = 4;
/// Events that are kept of one label by bots: two are a dispute.
const KEPT_OF_BOTS: usize = 2;
/// Events that are kept of one item.
const KEPT_OF_ITEM: usize = 64;

/// A label was put on an item or taken off, by somebody other than us.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LabelEvent {
    /// When.
    pub at: Timestamp,
    /// The label.
    pub label: String,
    /// Put on, or taken off.
    pub on: bool,
    /// Who did it: a login, for showing.
    pub by: String,
    /// It was a bot.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bot: bool,
    /// Labels that stayed on the item when a person took this one off.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub beside: BTreeSet<String>,
    /// What it meant under the policy in force when it arrived, if it was a
    /// person's and the label showed a phase. Counts where the policy has no
    /// such label any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meant: Option<LabelMeaning>,
}

/// What a person said with a phase label.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum LabelMeaning {
    /// Nothing: another phase label stayed on, so it was half of a swap.
    Swap,
    /// Leave the item alone.
    OptOut,
    /// It is in this phase.
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

/// The label events of an item that can still matter: the newest few of each
/// label, apart for people and bots, and no more than [`KEPT_OF_ITEM`] in all.
/// Recording is a join: any order and repetition of events keeps the same.
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
            // What people said of the phase outlasts all other labels.
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

    /// Returns whether there are none.
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
