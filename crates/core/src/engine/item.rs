//! One item: what is derived for it, compared with what was last decided.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

pub use crate::domain::derived::StoredItem;
use crate::{
    command::status_comment,
    domain::{derived::Derived, effect::Effect, fact::item::ItemFacts, when},
    engine::{
        Asking, CLOSEST_TIMER, Context, Plan, Repository, TimerKey, after,
        service_labels::{self, ServiceLabels},
    },
    phase::{self, Shown},
    plan::PlannedEffect,
};

/// Why the items of a backfill that nothing else told of are not labelled.
const ONLY_READ: &str = "it was only read";

/// A decision on an item as it is kept in [`StoredItem::derived`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Decision {
    #[serde(flatten)]
    derived: Derived,
    /// The forge shows it, or an effect that will was queued.
    written: bool,
    /// Short hash of the status comment that was last queued; empty: none was.
    #[serde(default, alias = "board")]
    status_comment: String,
    /// The label that shows the phase.
    #[serde(default)]
    label: Option<String>,
    /// Labels that we put there at some time and that may still be on.
    #[serde(default)]
    put: BTreeSet<String>,
    /// Labels of services on it.
    #[serde(flatten)]
    service_labels: ServiceLabels,
}

impl Decision {
    /// The decision that is stored; `None`: there is none, or it is of another version.
    fn read(stored: Option<&StoredItem>) -> Option<Self> {
        serde_json::from_str(&stored?.derived).ok()
    }

    fn store(self) -> StoredItem {
        let (item, phase, since) = (self.derived.item, self.derived.phase.clone(), self.derived.since);
        // A struct of strings, numbers and lists always has a JSON form.
        let derived = serde_json::to_string(&self).unwrap_or_default();
        StoredItem { item, phase, since, derived }
    }

    fn shown(&self) -> Shown {
        Shown {
            phase: self.derived.phase.clone(),
            ours: self.derived.ours,
            written: self.written,
            label: self.label.clone(),
            put: self.put.clone(),
        }
    }
}

/// Decides on an item: adds to the plan what changes its label, its status
/// comment and its timer. `fired`: its timer did.
pub(super) fn decide(
    repository: &mut Repository,
    derived: Derived,
    fired: bool,
    context: &Context<'_>,
    plan: &mut Plan,
) {
    let terms = &context.terms;
    let item = derived.item;
    let facts = &repository.facts;
    let before = Decision::read(repository.items.get(&item));
    let shown = before.as_ref().map(Decision::shown);
    let decided = phase::decide(facts, &derived, shown.as_ref(), terms.policy);

    let only_read = facts.items.get(&item).is_some_and(ItemFacts::is_silent);
    let writes_disabled = if only_read { Some(ONLY_READ) } else { terms.writes_disabled };
    let key = format!("phase/{item}");
    let mut aside = String::new();
    let written = match (decided.effect, writes_disabled) {
        (Some(effect), None) => {
            plan.effects.push(PlannedEffect { key, replaces: true, effect });
            true
        }
        (Some(_), Some(why)) => {
            aside = format!(" [not written: {why}]");
            plan.cancel.push(key);
            false
        }
        (None, _) => {
            plan.cancel.extend(decided.withdraw.then_some(key));
            shown.is_none_or(|shown| shown.written)
        }
    };
    if !decided.note.is_empty() {
        plan.notes.push(format!("{}{aside}", decided.note));
    }
    let labelled = before.as_ref().map(|before| before.service_labels.clone()).unwrap_or_default();
    let service_labels =
        service_labels::decide(&repository.facts, &derived, labelled, writes_disabled.is_some(), terms, plan);
    let status_comment = write_status_comment(repository, &derived, before.as_ref(), context, plan);
    set_timer(&derived, before.as_ref(), fired, context, plan);
    let label = match derived.phase.as_deref() {
        Some(phase) => terms.policy.phase_index(phase).map(|index| terms.policy.phases[index].label.clone()),
        // What is left alone keeps what it carries.
        None if !derived.ours => before.as_ref().and_then(|before| before.label.clone()),
        None => None,
    };
    let on = repository.facts.item_labels(item);
    let was = before.iter().flat_map(|before| before.put.iter().chain(before.label.iter().filter(|_| before.written)));
    let may_be_on = was.filter(|put| on.is_none_or(|on| on.iter().any(|l| l.eq_ignore_ascii_case(put))));
    let put = may_be_on.chain(label.iter().filter(|_| written)).cloned().collect();
    let decision = Decision { derived, written, status_comment, label, put, service_labels };
    if before.as_ref() == Some(&decision) {
        return;
    }
    if before.is_none_or(|before| before.derived.history != decision.derived.history) {
        plan.histories.push((item, decision.derived.history.clone()));
    }
    let stored = decision.store();
    repository.items.insert(item, stored.clone());
    plan.items.push(stored);
}

/// Queues the item's status comment where it says something new; returns its hash.
fn write_status_comment(
    repository: &Repository,
    derived: &Derived,
    before: Option<&Decision>,
    context: &Context<'_>,
    plan: &mut Plan,
) -> String {
    let terms = &context.terms;
    let shown = before.map(|before| before.status_comment.clone()).unwrap_or_default();
    if terms.writes_disabled.is_some() {
        return shown;
    }
    let Some(body) = status_comment::render(&repository.facts, derived, terms.policy, terms.now) else { return shown };
    let hash: String = hex::encode(Sha256::digest(&body)).chars().take(16).collect();
    if hash != shown {
        let item = derived.item;
        let effect = Effect::UpsertComment { item, marker: "status".to_owned(), body, sticky: true };
        plan.effects.push(PlannedEffect { key: format!("status/{item}"), replaces: true, effect });
    }
    hash
}

fn set_timer(derived: &Derived, before: Option<&Decision>, fired: bool, context: &Context<'_>, plan: &mut Plan) {
    let known = before.and_then(|before| before.derived.wake_at);
    let again_at = match context.asking {
        Asking::Done(again_at) => again_at,
        Asking::First | Asking::Never => None,
    };
    if known == derived.wake_at && again_at.is_none() && !fired {
        return;
    }
    let wake_at = when::earlier(derived.wake_at, again_at);
    let wake_at = wake_at.map(|at| at.max(after(context.terms.now, CLOSEST_TIMER)));
    plan.timers.push((TimerKey::Item(derived.item), wake_at));
}

/// The item with the note that the forge does not show its phase, so that the
/// next decision tries again; `None` if that is known.
pub fn unwritten(stored: &StoredItem) -> Option<StoredItem> {
    let decision = Decision::read(Some(stored)).filter(|decision| decision.written)?;
    Some(Decision { written: false, ..decision }.store())
}
