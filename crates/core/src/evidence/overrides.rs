//! Overrides of an item's phase by people, through labels or commands, and edits of its phase
//! labels by other bots, as the policy in force reads them.

use jiff::{SignedDuration, Timestamp};

use crate::domain::{
    fact::{
        item::{ItemFacts, OverrideKind, PhaseOverride},
        label::{LabelEvent, LabelMeaning},
    },
    policy::Policy,
};

/// Time within which the forge reports both halves of one edit.
const SWAP_WITHIN: SignedDuration = SignedDuration::from_secs(5);

/// Returns all overrides of the phase, in no particular order.
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

/// Returns the override in force at `now`.
pub(crate) fn mark(item: &ItemFacts, policy: &Policy, now: Timestamp) -> Option<PhaseOverride> {
    marks(item, policy).filter(|mark| mark.at <= now).max()
}

/// Returns the edits of phase labels by other bots, oldest first.
pub(crate) fn foreign_bot_edits<'a>(item: &'a ItemFacts, policy: &'a Policy) -> impl Iterator<Item = &'a LabelEvent> {
    item.label_events.iter().filter(|event| event.bot && policy.label_index(&event.label).is_some())
}

/// Returns the edit by which another bot contests the phase: the second one. Removing a label and
/// adding another within [`SWAP_WITHIN`] by the same bot are one edit.
pub(crate) fn contest<'a>(item: &'a ItemFacts, policy: &'a Policy, since: Option<Timestamp>) -> Option<&'a LabelEvent> {
    let mut edits = foreign_bot_edits(item, policy).filter(|edit| since.is_none_or(|since| edit.at > since));
    let first = edits.next()?;
    let is_other_half = |edit: &LabelEvent| {
        edit.by == first.by && edit.on != first.on && edit.at.duration_since(first.at) <= SWAP_WITHIN
    };
    let second = edits.next()?;
    if is_other_half(second) { edits.next() } else { Some(second) }
}

/// Returns what a person's label event means for the phase; `None` for a bot's. A label that the
/// policy knows is read by the policy; one that it no longer knows, as it was read at the time.
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
        // Removing one of several phase labels is a swap, not an opt-out.
        LabelMeaning::Swap
    } else {
        LabelMeaning::OptOut
    })
}
