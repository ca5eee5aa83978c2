//! Preview of a proposed policy: the same facts, derived under it.

use std::collections::BTreeSet;

use jiff::Timestamp;

pub use crate::engine::policy_diff::PolicyDiff;
use crate::{
    domain::{
        fact::{RepoFacts, item::ItemFacts},
        id::ItemId,
        policy::Policy,
    },
    engine::policy_diff,
};

/// So many moves are told one by one.
const TOLD: usize = 20;
/// So many open items are looked at, the newest first: a preview must not keep
/// a repository waiting.
const LOOKED_AT: usize = 2000;
/// So many of them at once; between, it is asked whether to go on.
const SLICE: usize = 50;

/// The changes that a policy would bring.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Preview {
    /// Open items.
    pub open: usize,
    /// Of these, so many were derived: the newest.
    pub looked_at: usize,
    /// Of these, so many would carry another label.
    pub changed: usize,
    /// The time was up before all of these were derived.
    pub out_of_time: bool,
    /// The first of them, newest first.
    pub first: Vec<Move>,
    /// Other differences between the policies.
    pub diff: PolicyDiff,
}

/// An item that would carry another label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// The item.
    pub item: ItemId,
    /// Its label now; `None`: none.
    pub now: Option<String>,
    /// Its label then.
    pub then: Option<String>,
    /// Why then.
    pub why: String,
}

/// Compares what open items are shown as under `current` with what follows
/// under `proposed`. `shown` tells the phase that an item was last decided to
/// be in, if anything was decided on it yet. It ends early once `goes_on` says no.
pub fn preview(
    facts: &RepoFacts,
    shown: impl Fn(ItemId) -> Option<Option<String>>,
    current: &Policy,
    proposed: &Policy,
    now: Timestamp,
    mut goes_on: impl FnMut() -> bool,
) -> Preview {
    let open = facts.items.values().rev().filter(|item| is_open(item, now)).map(|item| item.number);
    let newest: Vec<ItemId> = open.clone().take(LOOKED_AT).collect();
    let diff = policy_diff::diff(current, proposed);
    let mut preview = Preview { open: open.count(), diff, ..Preview::default() };
    for slice in newest.chunks(SLICE) {
        if !goes_on() {
            preview.out_of_time = true;
            break;
        }
        preview.looked_at += slice.len();
        preview.take(facts, &shown, (current, proposed), slice, now);
    }
    preview
}

impl Preview {
    fn take(
        &mut self,
        facts: &RepoFacts,
        shown: &impl Fn(ItemId) -> Option<Option<String>>,
        (current, proposed): (&Policy, &Policy),
        slice: &[ItemId],
        now: Timestamp,
    ) {
        let items: BTreeSet<ItemId> = slice.iter().copied().collect();
        for derived in crate::phase::derive_all(facts, &items, proposed, now).into_iter().rev() {
            // What is left alone keeps what it carries.
            if !derived.ours {
                continue;
            }
            let item = derived.item;
            let shown = shown(item).unwrap_or_else(|| crate::phase::derive(facts, item, current, now).phase);
            let before = shown.as_deref().and_then(|phase| label(current, phase));
            let then = derived.phase.as_deref().and_then(|phase| label(proposed, phase));
            if same(before, then) {
                continue;
            }
            self.changed += 1;
            if self.first.len() < TOLD {
                let (now, then) = (before.map(str::to_owned), then.map(str::to_owned));
                self.first.push(Move { item, now, then, why: derived.reason.sentence });
            }
        }
    }
}

fn is_open(item: &ItemFacts, now: Timestamp) -> bool {
    let open = item.open.as_ref().is_none_or(|open| open.value);
    open && item.gone.is_none() && item.closed(now).is_none()
}

fn label<'a>(policy: &'a Policy, phase: &str) -> Option<&'a str> {
    policy.phase_index(phase).map(|index| policy.phases[index].label.as_str())
}

fn same(a: Option<&str>, b: Option<&str>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
        (a, b) => a.is_none() && b.is_none(),
    }
}
