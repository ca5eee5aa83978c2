//! Labels that show to which services an item belongs.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    commits::landing::Work,
    context::EvalContext,
    domain::{
        derived::Derived,
        effect::{Effect, LabelSpec},
        fact::RepoFacts,
    },
    plan::{DecisionContext, Plan, PlannedEffect},
};

/// Colour of a label that does not exist yet.
const COLOR: &str = "D4C5F9";

/// Labels of services on an item.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct ServiceLabels {
    /// Those that it was to have when last decided.
    #[serde(default, rename = "service_labels", skip_serializing_if = "BTreeSet::is_empty")]
    wanted: BTreeSet<String>,
    /// Those of them that somebody else had put on before.
    #[serde(default, rename = "service_labels_of_others", skip_serializing_if = "BTreeSet::is_empty")]
    of_others: BTreeSet<String>,
}

/// Queues the labels of the services to which an item belongs, if they are not those that it was to
/// have before. Returns the labels that it is to have now.
///
/// What people change about them afterwards stays: a label is put on once, and taken off only if
/// phasebot put it on and nobody did since.
pub(super) fn decide(
    facts: &RepoFacts,
    derived: &Derived,
    before: ServiceLabels,
    writes_disabled: bool,
    terms: &DecisionContext<'_>,
    plan: &mut Plan,
) -> ServiceLabels {
    let item = derived.item;
    let has_labels = terms.policy.services.values().any(|service| service.label.is_some());
    // The issue of an incident shows the service in whose environment the incident is.
    let is_incident = facts.index.shown_in.contains_key(&item);
    if writes_disabled || !derived.ours || is_incident || (!has_labels && before.wanted.is_empty()) {
        return before;
    }
    let specs = specs(facts, derived, terms);
    let wanted: BTreeSet<String> = specs.iter().map(|label| label.name.clone()).collect();
    if wanted == before.wanted {
        return before;
    }
    let on = facts.item_labels(item);
    let is_on = |name: &String| on.is_some_and(|on| on.iter().any(|label| label.eq_ignore_ascii_case(name)));
    let is_of_others = |name: &String| {
        let mut events = facts.items.get(&item).into_iter().flat_map(|item| item.label_events.iter());
        let last = events.rfind(|event| event.label.eq_ignore_ascii_case(name));
        before.of_others.contains(name) || last.is_some_and(|event| event.on)
    };
    let kept = before.of_others.intersection(&wanted);
    let found = wanted.difference(&before.wanted).filter(|name| is_on(name));
    let of_others = kept.chain(found).cloned().collect();
    let is_new = |label: &LabelSpec| !before.wanted.contains(&label.name) && !is_on(&label.name);
    let add: Vec<LabelSpec> = specs.into_iter().filter(is_new).collect();
    let gone = before.wanted.difference(&wanted);
    let remove: BTreeSet<String> =
        gone.filter(|name| (on.is_none() || is_on(name)) && !is_of_others(name)).cloned().collect();
    let key = format!("services/{item}");
    if add.is_empty() && remove.is_empty() {
        plan.cancel.push(key);
    } else {
        let effect = Effect::SetLabels { item, add, remove };
        plan.effects.push(PlannedEffect { key, replaces: true, effect });
    }
    ServiceLabels { wanted, of_others }
}

/// Returns the labels of the services to which an item belongs.
fn specs(facts: &RepoFacts, derived: &Derived, terms: &DecisionContext<'_>) -> Vec<LabelSpec> {
    let eval = EvalContext::new(facts, terms.policy, terms.now);
    let works: BTreeSet<Work> = match facts.pull(derived.item) {
        Some(_) => [Work::Pull(derived.item)].into(),
        None => eval.works_on(derived.item),
    };
    let services = eval.services_of_item(&works);
    let labelled = terms.policy.services.iter().filter(|(name, _)| services.contains(name.as_str()));
    let labelled = labelled.filter_map(|(name, service)| Some((name, service.label.clone()?)));
    let spec = |(service, name): (&String, String)| LabelSpec {
        name,
        color: COLOR.to_owned(),
        description: format!("Belongs to the service {service}"),
    };
    labelled.map(spec).collect()
}
