//! Foreign deployments, which deploy nothing of this repository: forges create one for every job
//! that names an environment, including those of a stranger's pull request.

use crate::domain::{
    fact::{
        RepoFacts,
        deployment::{DeploymentFacts, DeploymentOrigin},
    },
    rule::name_key,
};

/// Returns whether a deployment comes from a pull request's job, or has a commit that is not this
/// repository's, and no request of ours asked for it.
pub(crate) fn is_foreign(facts: &RepoFacts, id: u64, deployment: &DeploymentFacts) -> bool {
    deployment.origin() == DeploymentOrigin::Foreign && !is_asked_for(facts, id, deployment)
}

/// Returns whether a deployment is linked to a request of ours, or a started request asked for its
/// very commit in its environment.
pub(super) fn is_asked_for(facts: &RepoFacts, id: u64, deployment: &DeploymentFacts) -> bool {
    if deployment.is_linked() || facts.request_of(id).is_some() {
        return true;
    }
    let environment = name_key(&deployment.environment);
    let requests = facts.requests.index().by_commit.of(deployment.listed_commit());
    let mut requests = requests.filter_map(|id| facts.requests.get(id));
    requests.any(|request| request.environment == environment && request.started_at.is_some())
}
