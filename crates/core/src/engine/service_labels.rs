//! Labels that show to which services an item belongs.

use std::collections::BTreeSet;

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

/// Queues the labels of the services to which an item belongs, if they are not those that it got
/// before. Returns the labels that it has got now.
///
/// What people change about them afterwards stays: a label is put on once, and taken off only if it
/// was put on.
pub(super) fn decide(
    facts: &RepoFacts,
    derived: &Derived,
    before: BTreeSet<String>,
    writes_disabled: bool,
    terms: &DecisionContext<'_>,
    plan: &mut Plan,
) -> BTreeSet<String> {
    let item = derived.item;
    let has_labels = terms.policy.services.values().any(|service| service.label.is_some());
    // The issue of an incident shows the service in whose environment the incident is.
    let is_incident = facts.index.shown_in.contains_key(&item);
    if writes_disabled || !derived.ours || is_incident || (!has_labels && before.is_empty()) {
        return before;
    }
    let wanted = wanted(facts, derived, terms);
    let names: BTreeSet<String> = wanted.iter().map(|label| label.name.clone()).collect();
    if names == before {
        return before;
    }
    let on = facts.item_labels(item);
    let is_on = |name: &str| on.is_none_or(|on| on.iter().any(|label| label.eq_ignore_ascii_case(name)));
    let add: Vec<LabelSpec> = wanted.into_iter().filter(|label| on.is_none() || !is_on(&label.name)).collect();
    let remove: BTreeSet<String> = before.difference(&names).filter(|name| is_on(name)).cloned().collect();
    if !add.is_empty() || !remove.is_empty() {
        let effect = Effect::SetLabels { item, add, remove };
        plan.effects.push(PlannedEffect { key: format!("services/{item}"), replaces: true, effect });
    }
    names
}

fn wanted(facts: &RepoFacts, derived: &Derived, terms: &DecisionContext<'_>) -> Vec<LabelSpec> {
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
