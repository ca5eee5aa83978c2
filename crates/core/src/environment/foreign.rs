//! Deployments that put nothing of this repository's anywhere: forges make one
//! for every job that names an environment, a stranger's pull request's too.

use crate::domain::{
    fact::{
        RepoFacts,
        deployment::{DeploymentFacts, DeploymentOrigin},
    },
    rule::name_key,
};

/// Whether a deployment is of a pull request's job, or at a commit that is not
/// this repository's, and nobody asked us for that.
pub(crate) fn is_foreign(facts: &RepoFacts, id: u64, deployment: &DeploymentFacts) -> bool {
    deployment.origin() == DeploymentOrigin::Foreign && !is_asked_for(facts, id, deployment)
}

/// Whether a request of ours asked for the very commit of a deployment.
pub(super) fn is_asked_for(facts: &RepoFacts, id: u64, deployment: &DeploymentFacts) -> bool {
    if deployment.is_linked() || facts.request_of(id).is_some() {
        return true;
    }
    let environment = name_key(&deployment.environment);
    let requests = facts.requests.index().by_commit.of(deployment.listed_commit());
    let mut requests = requests.filter_map(|id| facts.requests.get(id));
    requests.any(|request| request.environment == environment && request.started_at.is_some())
}
