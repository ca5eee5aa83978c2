//! The functional core (reduced to what the shell's own tests need).

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::domain::{
    derived::{Derived, Reason, Transition},
    effect::{Effect, LabelLook},
    event::{Event, Seen},
    fact::{ItemFacts, RepoFacts},
    id::{Actor, ItemNumber},
    needs::{Answered, Need},
    policy::{EvidenceKind, Policy},
};

/// What an event or an answer changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed {
    /// Keys of documents that changed.
    pub changed: BTreeSet<String>,
    /// Items to derive again.
    pub items: BTreeSet<ItemNumber>,
    /// A sentence for the delivery's note; may be empty.
    pub note: String,
}

/// Who we are on the forge.
#[derive(Debug, Clone, Default)]
pub struct Us {
    /// Our own account, if known.
    pub bot: Option<Actor>,
}

/// What was last decided to be shown for an item.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown {
    /// Its phase.
    pub phase: Option<String>,
    /// Whether its labels were ours to touch.
    pub ours: bool,
    /// Whether the forge shows it, or an effect that will is queued.
    pub written: bool,
}

/// What is to be done about an item.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Decided {
    /// What to write, if anything.
    pub effect: Option<Effect>,
    /// A sentence for the note; may be empty.
    pub note: String,
}

/// Adds an event's facts.
pub fn observe(facts: &mut RepoFacts, event: &Event, _policy: &Policy, _us: &Us) -> Observed {
    let (item, pull) = match &event.seen {
        Seen::Issue(item) => (item.as_ref(), false),
        Seen::Pull(pull) => (&pull.item, true),
        _ => return Observed::default(),
    };
    let known = facts.items.get(&item.number);
    if known.is_some_and(|k| k.at > item.updated_at) {
        return Observed::default();
    }
    let fact = ItemFacts { open: item.open, pull, at: item.updated_at, labels: item.labels.clone() };
    facts.items.insert(item.number, fact);
    Observed {
        changed: BTreeSet::from([format!("item/{}", item.number)]),
        items: BTreeSet::from([item.number]),
        note: String::new(),
    }
}

/// Adds an answer.
pub fn learn(facts: &mut RepoFacts, answered: &Answered) -> Observed {
    let Need::LinkedIssues { pull } = answered.need else { return Observed::default() };
    let key = format!("linked/{pull}");
    facts.answers.insert(key.clone(), answered.clone());
    Observed { changed: BTreeSet::from([key]), items: BTreeSet::from([pull]), note: String::new() }
}

/// Questions to ask before deriving `items`.
pub fn needs(facts: &RepoFacts, items: &BTreeSet<ItemNumber>, _policy: &Policy, _now: Timestamp) -> Vec<Need> {
    items
        .iter()
        .filter(|n| facts.items.get(n).is_some_and(|i| i.pull))
        .filter(|n| !facts.answers.contains_key(&format!("linked/{n}")))
        .map(|n| Need::LinkedIssues { pull: *n })
        .collect()
}

/// Derives one item.
pub fn derive(facts: &RepoFacts, item: ItemNumber, policy: &Policy, _now: Timestamp) -> Derived {
    let fact = facts.items.get(&item);
    let wanted = |kind: &EvidenceKind| match fact {
        Some(fact) if fact.open && fact.pull => *kind == EvidenceKind::PullRequestOpen,
        Some(fact) if fact.open => *kind == EvidenceKind::IssueOpen,
        _ => false,
    };
    let rule = policy.phases.iter().find(|p| p.when.iter().any(|e| wanted(&e.kind)));
    let phase = rule.map(|r| r.name.clone());
    let at = fact.map(|f| f.at);
    let reason = Reason { code: "open".to_owned(), sentence: "it is open".to_owned(), rule: policy.source.clone() };
    Derived {
        item,
        ours: true,
        since: at,
        history: at.map(|at| Transition { at, to: phase.clone(), reason: reason.clone() }).into_iter().collect(),
        phase,
        reason,
        next: Vec::new(),
        wake_at: None,
    }
}

/// What to write, so that the forge shows what was derived.
pub fn decide(_facts: &RepoFacts, item: ItemNumber, derived: &Derived, shown: &Shown, policy: &Policy) -> Decided {
    if shown.written && shown.phase == derived.phase {
        return Decided::default();
    }
    let label = derived
        .phase
        .as_deref()
        .and_then(|name| policy.phases.iter().find(|p| p.name == name))
        .map(|p| LabelLook { name: p.label.clone(), color: p.color.clone(), description: p.description.clone() });
    let phase_labels = policy.phases.iter().map(|p| p.label.clone()).collect();
    Decided { effect: Some(Effect::SetPhase { item, label, phase_labels }), note: String::new() }
}
