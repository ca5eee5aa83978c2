//! What may be deployed.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{
    super::{look::Look, rights::Right},
    say,
};
use crate::{
    decide::message::quoted,
    domain::{
        effect::Watched,
        event::Verdict,
        fact::{
            RepoFacts,
            deploy::{DeployRequest, Origin},
            item::ReviewFact,
        },
        id::{Account, AccountId, ItemNumber, Sha},
        needs::{Named, NamedKind},
        policy::{Mode, Policy},
        rule::{EnvironmentRule, Trigger},
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
            Some(pull) => unmerged_pull(look.facts, look.policy, environment, pull, &named.sha, &|account| {
                look.may_write(account, None)
            })
            .map(|()| Watched::Pull(pull)),
            // Forges find a fork's commits under every repository's name.
            None => Err(format!(
                "{} is on no branch that phasebot knows to be this repository's: name the branch or the tag.",
                quoted(named.sha.short())
            )),
        },
    }
}

/// The environment's rule, if the policy still lets a request be deployed
/// there: it deploys there at all, still by itself where nobody asked, with
/// these inputs, and takes what is not merged. `Err`: why not, for people.
pub(super) fn still_permitted<'p>(look: &Look<'p>, request: &DeployRequest) -> Result<&'p EnvironmentRule, String> {
    let environment = request.environment.as_str();
    let rule = look.policy.environments.get(environment);
    let Some((rule, deploy)) =
        rule.and_then(|rule| Some((rule, rule.deploy.as_ref()?))).filter(|_| look.policy.mode == Mode::Act)
    else {
        return Err(say::not_ours(look.policy, environment));
    };
    let by_itself = match &request.origin {
        Origin::Command(_) => true,
        Origin::Tag(tag) => rule.auto.on.contains(&Trigger::Tag) && rule.auto.takes_tag(tag),
        Origin::Merge(_) => rule.auto.on.contains(&Trigger::Merge),
    };
    if !by_itself {
        return Err(say::no_auto(environment));
    }
    for (name, value) in &request.inputs {
        if !deploy.inputs.get(name).is_some_and(|values| values.contains(value)) {
            return Err(say::input_gone(name));
        }
    }
    match (&request.watched, &request.sha) {
        (Watched::Branch(branch), _) if !rule.unmerged && !look.listed(branch) => {
            return Err(not_merged(environment, &format!("The branch {}", quoted(branch))));
        }
        (Watched::Pull(pull), Some(sha)) => {
            let access = |account: &Account| look.may_write(account, None);
            unmerged_pull(look.facts, look.policy, environment, *pull, sha, &access)?;
        }
        // What is tagged or merged needs nobody's leave; what a name stands for
        // is found out before anything is sent.
        (Watched::Commit | Watched::Tag(_) | Watched::Branch(_) | Watched::Pull(_), _) => {}
    }
    Ok(rule)
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
    access: &dyn Fn(&Account) -> Right,
) -> Result<(), String> {
    let rule: Option<&EnvironmentRule> = policy.environments.get(environment);
    if !rule.is_some_and(|rule| rule.unmerged) {
        return Err(not_merged(environment, &format!("#{pull}")));
    }
    let Some(found) = facts.pull(pull) else { return Err(format!("Nothing is recorded of #{pull}.")) };
    // One of which it is not known where it comes from is taken for a fork's.
    if found.shape.as_ref().is_some_and(|shape| !shape.value.from_fork) {
        return Ok(());
    }
    // Of one person the last word counts; mere comments take nothing back.
    let mut last: BTreeMap<AccountId, (Timestamp, u64, &ReviewFact)> = BTreeMap::new();
    for (id, review) in &found.reviews {
        let word = (review.value.submitted_at, *id, &review.value);
        let newer = |known: &(Timestamp, u64, &ReviewFact)| (known.0, known.1) <= (word.0, word.1);
        // Nobody is asked about a reviewer of whom it is not recorded who they are.
        let Some(by) = word.2.reviewer.id else { continue };
        if word.2.verdict != Verdict::Commented && last.get(&by).is_none_or(newer) {
            last.insert(by, word);
        }
    }
    let approvals = last
        .values()
        .map(|(_, _, review)| *review)
        .filter(|review| review.commit.as_ref() == Some(sha) && review.verdict == Verdict::Approved);
    let mut unclear = None;
    for review in approvals {
        match access(&review.reviewer) {
            Right::Held => return Ok(()),
            Right::Denied => {}
            Right::Asked | Right::Unavailable(_) | Right::Nameless => {
                unclear = unclear.or(Some(&review.reviewer.login))
            }
        }
    }
    let unclear = unclear.map_or_else(String::new, |login| {
        format!(
            " {} approved it, and GitHub does not say whether they may write: grant what `phasebot doctor` names.",
            quoted(login)
        )
    });
    Err(format!(
        "#{pull} comes from a fork: someone with `write` has to approve the very commit {} in a review first.{unclear}",
        quoted(sha.short())
    ))
}

fn not_merged(environment: &str, what: &str) -> String {
    format!(
        "{what} is not merged, and {} takes only what is: merge it first, or let the policy say `unmerged: true` there.",
        quoted(environment)
    )
}
