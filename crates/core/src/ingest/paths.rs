//! Paths that pushed commits touch.

use std::collections::BTreeMap;

use crate::domain::{
    event::{PushSeen, RefName},
    fact::{RepoFacts, paths::Paths},
    id::Sha,
    policy::Policy,
};

/// Returns the paths of a push that are kept. Only services look at paths, and only at those of
/// what landed.
pub(super) fn kept(facts: &RepoFacts, seen: &PushSeen, policy: &Policy) -> BTreeMap<Sha, Paths> {
    let RefName::Branch(branch) = &seen.name else { return BTreeMap::new() };
    let counts = facts.is_main_line(branch) || policy.lists_branch(branch, facts.default_branch());
    if policy.services.is_empty() || !counts {
        return BTreeMap::new();
    }
    seen.paths.iter().filter_map(|(sha, paths)| Some((sha.clone(), Paths::pack(paths)?))).collect()
}
