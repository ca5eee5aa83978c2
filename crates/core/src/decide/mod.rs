//! The functional core: facts in, phases out, effects as the difference.
//!
//! Nothing here does I/O, waits, reads a clock or can fail. An event only adds
//! facts ([`observe()`]); what an item's label should say is derived from facts,
//! policy and time ([`derive()`]); what is to be done is the difference to what
//! is shown ([`decide`]). So neither the order nor the repetition of
//! deliveries can matter.

pub mod advance;
mod affect;
mod answer;
mod applied;
mod carry;
mod checks;
pub mod command;
pub mod deploy;
mod environment;
pub mod feedback;
mod forget;
pub mod gate;
mod graph;
mod line;
mod links;
mod look;
mod lookalike;
pub mod message;
mod observe;
mod overrides;
mod phase;
pub mod preview;
mod proof;
pub mod proposal;
pub mod recheck;
mod rights;
mod ship;
mod source;
mod strand;
mod tag_list;
mod text;
mod turned;
mod versions;

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::domain::{
    derived::Derived,
    effect::{Effect, LabelLook},
    event::Event,
    fact::{DocumentKey, RepoFacts},
    id::ItemNumber,
    needs::{Answered, Need},
    policy::Policy,
};
pub use applied::{applied, deleted};
pub use forget::forget;
use look::Look;
pub use observe::Us;

/// What an event or an answer changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed {
    /// Documents to store again.
    pub changed: BTreeSet<DocumentKey>,
    /// Items to derive again.
    pub items: BTreeSet<ItemNumber>,
}

/// Adds what an event shows to the facts, and tells which items it concerns.
pub fn observe(facts: &mut RepoFacts, event: &Event, policy: &Policy, us: &Us) -> Observed {
    add(facts, event, policy, us, true)
}

/// Under what something that was read as it stands is added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SurveyTerms {
    /// Its items may be labelled.
    pub loud: bool,
    /// What happened before is not in our record; `None`: all of it is.
    pub since: Option<Timestamp>,
}

/// Adds what was read of a repository as it stands: as an event would have
/// shown it, but nothing happened, and it speaks for the past too.
pub fn survey(facts: &mut RepoFacts, event: &Event, terms: SurveyTerms, policy: &Policy, us: &Us) -> Observed {
    let number = event.seen.item();
    // Of an item kept by an earlier version nothing tells whether it was heard of.
    let known = number.and_then(|number| facts.items.get(&number)).is_some_and(|item| !item.read);
    let mut observed = add(facts, event, policy, us, false);
    if let Some(item) = number.and_then(|number| facts.items.get_mut(&number)) {
        item.read = true;
        item.heard |= known || terms.loud;
        if let Some(created) = item.created_at {
            let from = terms.since.map_or(created, |since| since.max(created));
            crate::domain::fact::keep_earliest(&mut item.recorded_from, from);
        }
        observed.changed.insert(DocumentKey::Item(item.number));
    }
    observed
}

fn add(facts: &mut RepoFacts, event: &Event, policy: &Policy, us: &Us, by_event: bool) -> Observed {
    // What an edit takes out of a pull request's text concerns what it named
    // before, too; and whether a push came late shows only before it is in.
    let mut items: BTreeSet<ItemNumber> = BTreeSet::new();
    if let Some(number) = event.seen.item() {
        Look::new(facts, policy, event.at).concerned(&DocumentKey::Item(number), &mut items);
    }
    if let crate::domain::event::Seen::Deployment(seen) = &event.seen
        && facts.deployments.get(&seen.id).is_some_and(|known| known.environment != seen.environment)
    {
        Look::new(facts, policy, event.at).concerned(&DocumentKey::Deployment(seen.id), &mut items);
    }
    let main_lines = facts.main_lines();
    let late = match &event.seen {
        crate::domain::event::Seen::Push(push) => {
            let known = facts.pushes.contains_key(&(push.name.clone(), push.before.clone(), push.after.clone()));
            Some(!known && facts.index.began_at.contains_key(&push.after))
        }
        _ => None,
    };
    let changed = observe::observe(facts, event, policy, us, by_event);
    for key in &changed {
        if let DocumentKey::Item(number) = key
            && let Some(item) = facts.items.get_mut(number)
        {
            item.bound();
        }
    }
    let look = Look::new(facts, policy, event.at);
    for key in &changed {
        match key {
            // Names and owners turn nothing; another default branch does.
            DocumentKey::About if facts.main_lines() == main_lines => {}
            DocumentKey::Push(..) => look.concerned_by_push(key, late == Some(true), &mut items),
            _ => look.concerned(key, &mut items),
        }
    }
    items.retain(|n| facts.items.contains_key(n));
    Observed { changed, items }
}

/// Adds what the forge answered. The items that asked are derived again by the caller.
pub fn learn(facts: &mut RepoFacts, answered: &Answered, policy: &Policy) -> Observed {
    let changed = answer::learn(facts, answered);
    let look = Look::new(facts, policy, answered.at);
    let mut items = BTreeSet::new();
    for key in &changed {
        look.concerned(key, &mut items);
    }
    if let Need::LinkedIssues { pull } = &answered.need {
        items.extend(look.named_issues(*pull));
    }
    items.retain(|n| facts.items.contains_key(n));
    Observed { changed, items }
}

/// Facts that deriving `items` would want and that are not known.
pub fn needs(facts: &RepoFacts, items: &BTreeSet<ItemNumber>, policy: &Policy, now: Timestamp) -> Vec<Need> {
    let look = Look::new(facts, policy, now);
    for item in items {
        look.want_links(*item);
        phase::derive(&look, *item);
    }
    look.want_pushes();
    look.want_tags();
    deploy::want_all(&look);
    gate::want_all(&look);
    look.take_wants().into_iter().collect()
}

/// What follows for one item from facts, policy and time.
pub fn derive(facts: &RepoFacts, item: ItemNumber, policy: &Policy, now: Timestamp) -> Derived {
    derive_one(&Look::new(facts, policy, now), item)
}

/// What follows for several items at once: what they share is found out once.
pub fn derive_all(facts: &RepoFacts, items: &BTreeSet<ItemNumber>, policy: &Policy, now: Timestamp) -> Vec<Derived> {
    let look = Look::new(facts, policy, now);
    items.iter().map(|item| derive_one(&look, *item)).collect()
}

fn derive_one(look: &Look<'_>, item: ItemNumber) -> Derived {
    let mut derived = phase::derive(look, item);
    if !look.take_wants().is_empty() && derived.ours {
        // Something could not be had: look again before long.
        let again = look.now.checked_add(look::RETRY_AFTER).ok();
        derived.wake_at = crate::domain::when::earlier(derived.wake_at, again);
    }
    derived
}

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
        LabelLook { name: rule.label.clone(), color: rule.color.clone(), description: rule.description.clone() }
    });
    // The same phase may be shown by another label under a new policy.
    let name = |look: &LabelLook| look.name.clone();
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
            Some(look) => matches!(present.as_slice(), [only] if only.eq_ignore_ascii_case(&look.name)),
            None => present.is_empty(),
        }
    };
    // The one time that another bot's hand is put right.
    let meddled =
        !as_wanted && facts.items.get(&item).is_some_and(|item| overrides::meddling(item, policy).next().is_some());
    // An item that never had a phase and has none now is nobody's news, unless
    // a label of ours could not be taken off.
    let is_ours = |name: &String| put().any(|put| put.eq_ignore_ascii_case(name));
    let ours_left = facts.item_labels(item).into_iter().flatten().any(is_ours);
    let nothing_yet = derived.phase.is_none() && was.is_none() && !ours_left;
    if (!moved && !meddled) || (nothing_yet && shown.is_some()) {
        return Decided::default();
    }
    let phase_labels = policy.phases.iter().map(|p| &p.label).chain(put());
    let phase_labels = phase_labels.cloned().collect();
    let name = |phase: Option<&String>| phase.cloned().unwrap_or_else(|| "none".into());
    let note =
        format!("#{item} {} → {}: {}", name(was.as_ref()), name(derived.phase.as_ref()), derived.reason.sentence);
    Decided { effect: Some(Effect::SetPhase { item, label, phase_labels }), withdraw: false, note }
}
