//! Compares the derived phase with the label that is shown.

use std::collections::BTreeSet;

use crate::{
    domain::{
        derived::Derived,
        effect::{Effect, LabelSpec},
        fact::RepoFacts,
        policy::Policy,
    },
    evidence::overrides,
};

/// The last decision for an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Its phase.
    pub phase: Option<String>,
    /// Whether its labels were ours to change.
    pub ours: bool,
    /// Whether a write was queued for it; `false` while writes are disabled.
    pub written: bool,
    /// The label that was to show the phase; `None` if there was none or it is unknown.
    pub label: Option<String>,
    /// Labels that we added at some time and that may still be on the item.
    pub put: BTreeSet<String>,
}

/// Difference between the derived and the shown phase.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decided {
    /// The effect that applies the difference.
    pub effect: Option<Effect>,
    /// Whether to withdraw a queued effect on the item's label.
    pub withdraw: bool,
    /// The phase change, for people; empty if there was none.
    pub note: String,
}

/// Compares the derived phase with what was last shown, and plans the label change.
pub fn decide(facts: &RepoFacts, derived: &Derived, shown: Option<&Shown>, policy: &Policy) -> Decided {
    let item = derived.item;
    let was = shown.and_then(|s| s.phase.clone());
    if !derived.ours {
        let note = match shown.filter(|s| s.ours) {
            Some(_) => format!("#{item} left alone: {}", derived.reason.sentence),
            None => String::new(),
        };
        return Decided { effect: None, withdraw: shown.is_some_and(|s| s.ours), note };
    }
    let label = derived.phase.as_deref().and_then(|name| policy.phase_index(name)).map(|index| {
        let rule = &policy.phases[index];
        LabelSpec { name: rule.label.clone(), color: rule.color.clone(), description: rule.description.clone() }
    });
    // The same phase may be shown by another label under a new policy.
    let name = |eval: &LabelSpec| eval.name.clone();
    let renamed = shown.and_then(|s| s.label.as_ref()).is_some_and(|l| Some(l) != label.as_ref().map(name).as_ref());
    let moved = renamed || was != derived.phase || shown.is_some_and(|s| !s.ours || !s.written);
    // A label that showed a phase under an earlier policy now belongs to people, except on items
    // where we added it.
    let put = || shown.iter().flat_map(|s| s.put.iter().chain(s.label.iter().filter(|_| s.written)));
    let shows_phase =
        |l: &&String| policy.label_index(l).is_some() || put().any(|former| former.eq_ignore_ascii_case(l));
    let present = facts.item_labels(item).into_iter().flatten().filter(shows_phase);
    let as_wanted = {
        let present: Vec<&String> = present.collect();
        match &label {
            Some(eval) => matches!(present.as_slice(), [only] if only.eq_ignore_ascii_case(&eval.name)),
            None => present.is_empty(),
        }
    };
    // The one case in which another bot's edit is reverted.
    let edited_by_bot = !as_wanted
        && facts.items.get(&item).is_some_and(|item| overrides::foreign_bot_edits(item, policy).next().is_some());
    // An item that never had a phase and has none now needs no message, unless one of our labels
    // could not be removed.
    let is_ours = |name: &String| put().any(|put| put.eq_ignore_ascii_case(name));
    let ours_left = facts.item_labels(item).into_iter().flatten().any(is_ours);
    let nothing_yet = derived.phase.is_none() && was.is_none() && !ours_left;
    if (!moved && !edited_by_bot) || (nothing_yet && shown.is_some()) {
        return Decided::default();
    }
    let phase_labels = policy.phases.iter().map(|p| &p.label).chain(put());
    let phase_labels = phase_labels.cloned().collect();
    let name = |phase: Option<&String>| phase.cloned().unwrap_or_else(|| "none".into());
    let note =
        format!("#{item} {} → {}: {}", name(was.as_ref()), name(derived.phase.as_ref()), derived.reason.sentence);
    Decided { effect: Some(Effect::SetPhase { item, label, phase_labels }), withdraw: false, note }
}
