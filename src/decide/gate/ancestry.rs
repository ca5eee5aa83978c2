//! `ancestry`: the commit is on one of the branches.

use std::collections::BTreeSet;

use super::{Case, finding::Finding};
use crate::{
    decide::message::quoted,
    domain::{event::RefName, needs::Need, policy::Pattern},
};

/// Branches that are looked at.
const MOST: usize = 50;

pub(super) fn judge(case: Case<'_, '_>, of: &[Pattern], any: bool) -> Finding {
    if any {
        return Finding::pass("ancestry_any", "the policy takes a commit of any branch");
    }
    let look = case.look;
    let default = look.facts.default_branch();
    let counts = |branch: &str| {
        if of.is_empty() { look.listed(branch) } else { of.iter().any(|pattern| pattern.matches(branch)) }
    };
    let short = case.subject.sha.short();
    if let Some((branch, at)) = look.landed_by_record(&case.subject.sha, counts) {
        return Finding::pass("ancestry", format!("{short} is on {}", quoted(&branch))).seen(Some(at));
    }
    let known = look.facts.refs.keys().filter_map(|name| match name {
        RefName::Branch(branch) => Some(branch.as_str()),
        RefName::Tag(_) => None,
    });
    // A branch that is named as it is may exist although no push to it was seen.
    let plain = of.iter().map(Pattern::as_str).filter(|name| !name.contains(['*', '?', '[', '{']));
    let branches: BTreeSet<&str> = known.chain([default]).chain(plain).filter(|branch| counts(branch)).collect();
    let mut unknown: Option<Finding> = None;
    for branch in branches.into_iter().take(MOST) {
        let Some((head, at)) = look.branch_head(branch) else {
            let need = Need::BranchHead { branch: branch.to_owned() };
            if !look.facts.refs.contains_key(&RefName::Branch(branch.to_owned())) {
                unknown.get_or_insert_with(|| case.missing(&need, "ancestry", &format!("where {} is", quoted(branch))));
            }
            continue;
        };
        match case.contains(&head, &case.subject.sha) {
            Some(true) => {
                return Finding::pass("ancestry", format!("{short} is on {}", quoted(branch))).seen(Some(at));
            }
            Some(false) => {}
            None => {
                let need = Need::Commits { base: Some(case.subject.sha.clone()), head };
                let what = format!("whether {} contains {short}", quoted(branch));
                unknown.get_or_insert_with(|| case.missing(&need, "ancestry", &what));
            }
        }
    }
    unknown.unwrap_or_else(|| {
        let allowed: Vec<String> = of.iter().map(|pattern| quoted(pattern.as_str())).collect();
        let allowed = if allowed.is_empty() { "a branch that counts".to_owned() } else { allowed.join(", ") };
        Finding::fail("ancestry_none", format!("{short} is not on {allowed}"))
    })
}
