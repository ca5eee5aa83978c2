//! Which deployments may have caused an incident.
//!
//! By time and place alone: those to its environment that ended within the
//! window before it began, by its source's clock, and those that were under
//! way then. It is a suspicion until a person says `/cause`.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::view::Suspect;
use crate::{
    decide::{carry::Work, look::Look, message, ship::first},
    domain::{
        event::DeployState,
        fact::ship::DeploymentFacts,
        id::{ItemNumber, Sha},
    },
};

/// Deployments that are named, the likeliest.
const MOST: usize = 5;
/// Pull requests merged longer before a deployment than this are not looked at.
const MERGED_WITHIN: SignedDuration = SignedDuration::from_hours(60 * 24);
/// Items that are named of each, the newest.
const MOST_ITEMS: usize = 20;

/// The deployments that may have caused what began in an environment, those
/// that were under way first, then the last before it.
pub(super) fn suspects(look: &Look<'_>, environment: &str, began: Timestamp) -> Vec<Suspect> {
    let facts = look.facts;
    let ids = facts.index.deployments_to.get(environment).into_iter().flatten();
    let window = look.policy.alerts.suspect_window;
    let earliest = began.checked_sub(window).unwrap_or(Timestamp::MIN);
    let mut found: Vec<(bool, Timestamp, u64, &DeploymentFacts)> = Vec::new();
    for id in ids {
        let Some(deployment) = facts.deployments.get(id) else { continue };
        let ended = ended(deployment);
        let Some(started) = first(deployment, DeployState::InProgress).or(ended.map(|_| deployment.created_at)) else {
            continue;
        };
        match ended {
            _ if started > began => {}
            Some(at) if at <= began => {
                if at >= earliest {
                    found.push((false, at, *id, deployment));
                }
            }
            _ => found.push((true, started, *id, deployment)),
        }
    }
    found.sort_by_key(|(under_way, at, id, _)| std::cmp::Reverse((*under_way, *at, *id)));
    found.truncate(MOST);
    let named = found.into_iter().map(|(under_way, at, id, deployment)| Suspect {
        environment: deployment.environment.clone(),
        reference: deployment.reference.clone(),
        commit: deployment.sha.short().to_owned(),
        actor: deployment.creator.clone(),
        finished_at: (!under_way).then_some(at),
        age: (!under_way).then(|| message::duration(began.duration_since(at))),
        items: carried(look, environment, id, deployment),
    });
    named.collect()
}

fn ended(deployment: &DeploymentFacts) -> Option<Timestamp> {
    let ends = [DeployState::Success, DeployState::Failure, DeployState::Inactive];
    ends.iter().filter_map(|state| first(deployment, *state)).min()
}

/// The pull requests that a deployment brought beyond what ran there before
/// it, and the issues that they close; the newest first. What the record can't
/// tell is left out: nobody is suspected for want of knowledge.
fn carried(look: &Look<'_>, environment: &str, id: u64, deployment: &DeploymentFacts) -> Vec<ItemNumber> {
    let facts = look.facts;
    let others = facts.index.deployments_to.get(environment).into_iter().flatten().filter(|other| **other != id);
    let successes = others.filter_map(|other| {
        let other = facts.deployments.get(other)?;
        Some((first(other, DeployState::Success)?, &other.sha))
    });
    let until = first(deployment, DeployState::Success).unwrap_or(deployment.created_at);
    let before: Option<&Sha> = successes.filter(|(at, _)| *at < until).max().map(|(_, sha)| sha);
    let mut pulls: BTreeSet<(Timestamp, ItemNumber)> = BTreeSet::new();
    let oldest = until.checked_sub(MERGED_WITHIN).unwrap_or(Timestamp::MIN);
    let merged_at = |number: &&ItemNumber| facts.pull(**number).and_then(|pull| pull.merged.as_ref()).map(|m| m.at);
    let lately = facts.index.merged_as.values().flatten().filter(|number| merged_at(number) >= Some(oldest));
    for number in lately {
        let carriers = look.carriers(&Work::Pull(*number));
        let brought = carriers.iter().filter(|carrier| {
            look.known_to_contain(&deployment.sha, &carrier.sha) == Some(true)
                && before.is_none_or(|base| look.known_to_contain(base, &carrier.sha) == Some(false))
        });
        pulls.extend(brought.map(|carrier| (carrier.from, *number)));
    }
    let mut items: Vec<ItemNumber> = Vec::new();
    for (_, pull) in pulls.into_iter().rev() {
        for item in std::iter::once(pull).chain(look.named_issues(pull)) {
            if !items.contains(&item) {
                items.push(item);
            }
        }
    }
    items.truncate(MOST_ITEMS);
    items
}
