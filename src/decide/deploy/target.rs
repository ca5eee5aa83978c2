//! What may be deployed.

use super::super::look::Look;
use crate::{
    decide::message::quoted,
    domain::{
        effect::Watched,
        fact::RepoFacts,
        id::{ItemNumber, Sha},
        needs::{Named, NamedKind},
        policy::Policy,
        rule::EnvironmentRule,
    },
};

/// Whether a commit that a name stands for may be deployed. What is not on a
/// branch that counts, nor tagged, takes the environment's leave.
pub(super) fn may(look: &Look<'_>, environment: &str, name: &str, named: &Named) -> Result<Watched, String> {
    let rule = look.policy.environments.get(environment);
    let unmerged = rule.is_some_and(|rule| rule.unmerged);
    match named.kind {
        NamedKind::Tag => Ok(Watched::Tag(name.to_owned())),
        NamedKind::Branch if look.listed(name) => Ok(Watched::Branch(name.to_owned())),
        NamedKind::Landed => Ok(Watched::Commit),
        NamedKind::Branch if unmerged => Ok(Watched::Branch(name.to_owned())),
        NamedKind::Branch => Err(not_merged(environment, &format!("The branch {}", quoted(name)))),
        NamedKind::Loose => match look.facts.pulls_with_head(&named.sha).next() {
            Some(pull) => {
                unmerged_pull(look.facts, look.policy, environment, pull, &named.sha, &|login, association| {
                    look.writes(login, association)
                })
                .map(|()| Watched::Pull(pull))
            }
            // Forges find a fork's commits under every repository's name.
            None => Err(format!(
                "{} is on no branch that phasebot knows to be this repository's: name the branch or the tag.",
                quoted(named.sha.short())
            )),
        },
    }
}

/// Whether the head of an open pull request may be deployed: where the
/// environment says so; and a fork's only if someone who may write has
/// reviewed this very commit.
pub(in crate::decide) fn unmerged_pull(
    facts: &RepoFacts,
    policy: &Policy,
    environment: &str,
    pull: ItemNumber,
    sha: &Sha,
    writes: &dyn Fn(&str, crate::domain::event::Association) -> bool,
) -> Result<(), String> {
    let rule: Option<&EnvironmentRule> = policy.environments.get(environment);
    if !rule.is_some_and(|rule| rule.unmerged) {
        return Err(not_merged(environment, &format!("#{pull}")));
    }
    let Some(found) = facts.pull(pull) else { return Err(format!("Nothing is recorded of #{pull}.")) };
    if !found.shape.as_ref().is_none_or(|shape| shape.value.from_fork) {
        return Ok(());
    }
    let reviewed = found.reviews.values().map(|review| &review.value).any(|review| {
        review.commit.as_ref() == Some(sha)
            && review.verdict == crate::domain::event::Verdict::Approved
            && writes(&review.reviewer, review.association)
    });
    if reviewed {
        return Ok(());
    }
    Err(format!(
        "#{pull} comes from a fork: someone with `write` has to approve the very commit {} in a review first.",
        quoted(sha.short())
    ))
}

fn not_merged(environment: &str, what: &str) -> String {
    format!(
        "{what} is not merged, and {} takes only what is: merge it first, or let the policy say `unmerged: true` there.",
        quoted(environment)
    )
}
