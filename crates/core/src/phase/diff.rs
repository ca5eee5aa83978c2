//! What separates the phase that is derived from the label that is shown.

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

/// What was last decided for an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Its phase.
    pub phase: Option<String>,
    /// Whether its labels were ours to touch.
    pub ours: bool,
    /// Whether a write was queued for it: `false` while nothing may be written.
    pub written: bool,
    /// The label that was to show the phase; `None`: none, or not known.
    pub label: Option<String>,
    /// Labels that we put there at some time and that may still be on.
    pub put: BTreeSet<String>,
}

/// The difference between what is derived and what is shown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decided {
    /// What to do.
    pub effect: Option<Effect>,
    /// A queued effect on the item's label is no longer wanted.
    pub withdraw: bool,
    /// What moved, for people; empty if nothing did.
    pub note: String,
}

/// Compares what is derived with what was last shown.
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
    // A label that showed a phase under an earlier policy is people's by now,
    // but for the items where we put it.
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
    // The one time that another bot's hand is put right.
    let edited_by_bot = !as_wanted
        && facts.items.get(&item).is_some_and(|item| overrides::foreign_bot_edits(item, policy).next().is_some());
    // An item that never had a phase and has none now is nobody's news, unless
    // a label of ours could not be taken off.
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
