//! What people said about an item's phase, by label or command, and which
//! other bots edited its phase labels, as the policy in force reads it.

use jiff::Timestamp;

use crate::domain::{
    fact::{
        item::{ItemFacts, Mark, Word},
        label::{LabelEvent, LabelMeaning},
    },
    policy::Policy,
};

/// Everything that people said about the phase, in no particular order.
pub(super) fn marks(item: &ItemFacts, policy: &Policy) -> impl Iterator<Item = Mark> {
    let by_label = item.label_events.iter().filter_map(|event| {
        let word = match meaning(event, policy)? {
            LabelMeaning::Swap => return None,
            LabelMeaning::OptOut => Word::OptOut,
            LabelMeaning::Phase(phase) => Word::Baseline { phase, pin: false },
        };
        Some(Mark { at: event.at, word, by: event.by.clone() })
    });
    item.marks.iter().cloned().chain(by_label)
}

/// The mark that holds at `now`.
pub(super) fn mark(item: &ItemFacts, policy: &Policy, now: Timestamp) -> Option<Mark> {
    marks(item, policy).filter(|mark| mark.at <= now).max()
}

/// Edits of phase labels by other bots, oldest first.
pub(super) fn meddling<'a>(item: &'a ItemFacts, policy: &'a Policy) -> impl Iterator<Item = &'a LabelEvent> {
    item.label_events.iter().filter(|event| event.bot && policy.label_index(&event.label).is_some())
}

/// What an event said of the phase, if it was a person's. A label that the
/// policy knows is read by it; one that it knows no more, as it was read then.
pub(super) fn meaning(event: &LabelEvent, policy: &Policy) -> Option<LabelMeaning> {
    if event.bot {
        return None;
    }
    let Some(index) = policy.label_index(&event.label) else { return event.meant.clone() };
    Some(if event.on {
        LabelMeaning::Phase(policy.phases[index].name.clone())
    } else if event.meant == Some(LabelMeaning::Swap)
        || event.beside.iter().any(|label| policy.label_index(label).is_some())
    {
        // Taking off one of several phase labels is a swap, not an opt-out.
        LabelMeaning::Swap
    } else {
        LabelMeaning::OptOut
    })
}
