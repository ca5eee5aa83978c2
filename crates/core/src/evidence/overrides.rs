//! What people said about an item's phase, by label or command, and which
//! other bots edited its phase labels, as the policy in force reads it.

use jiff::{SignedDuration, Timestamp};

use crate::domain::{
    fact::{
        item::{ItemFacts, OverrideKind, PhaseOverride},
        label::{LabelEvent, LabelMeaning},
    },
    policy::Policy,
};

/// A forge tells of both halves of one edit within this time.
const SWAP_WITHIN: SignedDuration = SignedDuration::from_secs(5);

/// Everything that people said about the phase, in no particular order.
pub(crate) fn marks(item: &ItemFacts, policy: &Policy) -> impl Iterator<Item = PhaseOverride> {
    let by_label = item.label_events.iter().filter_map(|event| {
        let word = match meaning(event, policy)? {
            LabelMeaning::Swap => return None,
            LabelMeaning::OptOut => OverrideKind::OptOut,
            LabelMeaning::Phase(phase) => OverrideKind::Baseline { phase, pin: false },
        };
        Some(PhaseOverride { at: event.at, word, by: event.by.clone() })
    });
    item.marks.iter().cloned().chain(by_label)
}

/// The mark that holds at `now`.
pub(crate) fn mark(item: &ItemFacts, policy: &Policy, now: Timestamp) -> Option<PhaseOverride> {
    marks(item, policy).filter(|mark| mark.at <= now).max()
}

/// Edits of phase labels by other bots, oldest first.
pub(crate) fn foreign_bot_edits<'a>(item: &'a ItemFacts, policy: &'a Policy) -> impl Iterator<Item = &'a LabelEvent> {
    item.label_events.iter().filter(|event| event.bot && policy.label_index(&event.label).is_some())
}

/// The edit by which another bot contests the phase: the second one. A label off
/// and another one on by the same bot at once are one edit.
pub(crate) fn contest<'a>(item: &'a ItemFacts, policy: &'a Policy, since: Option<Timestamp>) -> Option<&'a LabelEvent> {
    let mut edits = foreign_bot_edits(item, policy).filter(|edit| since.is_none_or(|since| edit.at > since));
    let first = edits.next()?;
    let is_other_half = |edit: &LabelEvent| {
        edit.by == first.by && edit.on != first.on && edit.at.duration_since(first.at) <= SWAP_WITHIN
    };
    let second = edits.next()?;
    if is_other_half(second) { edits.next() } else { Some(second) }
}

/// What an event said of the phase, if it was a person's. A label that the
/// policy knows is read by it; one that it knows no more, as it was read then.
pub(crate) fn meaning(event: &LabelEvent, policy: &Policy) -> Option<LabelMeaning> {
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
