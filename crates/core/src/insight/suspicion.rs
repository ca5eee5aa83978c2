//! Time within which an incident makes a deployment suspect.

use jiff::{SignedDuration, Timestamp};

use crate::{
    context::EvalContext,
    domain::{event::DeployState, fact::deployment::DeploymentFacts},
    evidence::shipped::first,
};

/// A deployment that goes on for longer is no suspect.
const LONGEST: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Returns the first and the last time at which an incident can have begun that a deployment is
/// suspected for.
pub(crate) fn suspected_for(eval: &EvalContext<'_>, deployment: &DeploymentFacts) -> (Timestamp, Timestamp) {
    let began = started(deployment);
    let ends = [DeployState::Success, DeployState::Failure, DeployState::Inactive];
    let ended = ends.iter().filter_map(|state| first(deployment, *state)).min();
    let (end, window) = (ended.unwrap_or(began), eval.policy.alerts.suspect_window);
    let wait = if ended.is_some() { window } else { window.checked_add(LONGEST).unwrap_or(LONGEST) };
    (began, end.checked_add(wait).unwrap_or(Timestamp::MAX))
}

/// Returns when a deployment was first in progress, or else was created.
pub(crate) fn started(deployment: &DeploymentFacts) -> Timestamp {
    first(deployment, DeployState::InProgress).unwrap_or(deployment.created_at)
}
