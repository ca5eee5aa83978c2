//! Open pull requests with a label that makes an environment for them.

use crate::domain::{fact::RepoFacts, id::ItemId, policy::Policy};

/// Maximum pull requests that are kept; the newest are.
const MOST: usize = 200;

/// Records whether an item is one. Returns whether that changed.
pub(super) fn note(facts: &mut RepoFacts, number: ItemId, policy: &Policy) -> bool {
    let makers = policy.environments.values().filter_map(|rule| rule.per_pull.as_ref()?.label.as_ref());
    let is_one = facts.items.get(&number).is_some_and(|item| {
        let mut names = item.labels.iter().flat_map(|labels| &labels.names);
        let is_open = item.is_pull && item.gone.is_none() && item.open.as_ref().is_some_and(|open| open.value);
        is_open && names.any(|name| makers.clone().any(|label| label.eq_ignore_ascii_case(name)))
    });
    let known = &mut facts.about.labelled_pulls;
    if !is_one {
        return known.remove(&number);
    }
    let is_new = known.insert(number);
    if known.len() > MOST {
        known.pop_first();
    }
    is_new && known.contains(&number)
}
