//! `deployed`: the same commit runs in another environment, and has for a while.

use jiff::{SignedDuration, Timestamp};

use super::{Case, finding::Finding};
use crate::{
    decide::message::{self, quoted},
    domain::{event::DeployState, fact::ship::DeploymentFacts},
};

pub(super) fn judge(case: Case<'_, '_>, environment: &str, soak: SignedDuration) -> Finding {
    let look = case.look;
    let place = quoted(environment);
    // One that waits, or was only asked for, has changed nothing there yet.
    let ids = look.facts.index.deployments_to.get(environment).into_iter().flatten();
    let mut begun: Vec<(u64, &DeploymentFacts)> = ids
        .filter_map(|id| Some((*id, look.facts.deployments.get(id)?)))
        .filter(|(_, deployment)| deployment.statuses.iter().any(|status| status.state != DeployState::Waiting))
        .collect();
    begun.sort_by_key(|(id, deployment)| (deployment.created_at, *id));
    let Some((_, newest)) = begun.last() else {
        return Finding::wait("deployed_missing", format!("nothing was deployed to {place} yet")).by_hand();
    };
    let short = case.subject.sha.short();
    if *newest.commit() != case.subject.sha {
        let runs = format!("{place} has {}", newest.commit().short());
        let was_there = begun.iter().any(|(_, deployment)| *deployment.commit() == case.subject.sha);
        return if was_there {
            Finding::fail("deployed_replaced", format!("{runs}: {short} was replaced there"))
        } else {
            Finding::wait("deployed_missing", format!("{runs}, not {short}")).by_hand()
        }
        .seen(Some(newest.created_at));
    }
    let Some(status) = newest.statuses.iter().next_back() else {
        return Finding::unknown("deployed_running", format!("{short} is on its way to {place}"));
    };
    match status.state {
        DeployState::Success => soaked(case, environment, soak, first_success(newest, status.at)),
        DeployState::Failure => Finding::fail("deployed_failed", format!("{short} failed in {place}")),
        DeployState::Inactive => Finding::fail("deployed_gone", format!("{short} no longer runs in {place}")),
        DeployState::Waiting | DeployState::InProgress => {
            Finding::unknown("deployed_running", format!("{short} is on its way to {place}"))
        }
    }
    .seen(Some(status.at))
}

/// Since when it succeeded without a break.
fn first_success(deployment: &DeploymentFacts, last: Timestamp) -> Timestamp {
    let back = deployment.statuses.iter().rev();
    back.take_while(|status| status.state == DeployState::Success).last().map_or(last, |status| status.at)
}

fn soaked(case: Case<'_, '_>, environment: &str, soak: SignedDuration, success: Timestamp) -> Finding {
    let look = case.look;
    let place = quoted(environment);
    let short = case.subject.sha.short();
    if soak.is_zero() {
        return Finding::pass("deployed", format!("{short} runs in {place}"));
    }
    // What names no environment concerns this one, too.
    let times = [environment, ""].into_iter().filter_map(|name| look.disturbances().get(name)).flatten();
    let incidents: Vec<_> =
        times.filter(|(from, until)| *from <= look.now && until.is_none_or(|until| until > success)).collect();
    if incidents.iter().any(|(_, until)| until.is_none_or(|until| until > look.now)) {
        return Finding::wait("deployed_incident", format!("an incident is open on {place}")).by_hand();
    }
    let quiet_since = incidents.iter().filter_map(|(_, until)| *until).max().unwrap_or(success).max(success);
    let ripe = quiet_since.checked_add(soak).unwrap_or(Timestamp::MAX);
    let long = message::duration(soak);
    if look.now >= ripe {
        return Finding::pass("deployed", format!("{short} has run in {place} for {long}"));
    }
    let ends = message::moment(ripe, &look.policy.commands.zone);
    Finding::wait("deployed_soaking", format!("{short} soaks in {place} for {long}: ends {ends}")).turns(Some(ripe))
}
