//! Which deployments count where phasebot itself deploys.
//!
//! Forges make a deployment for every job that names an environment, also for
//! one that wants its secrets alone. Where phasebot deploys, such a job brings
//! nothing, unless it does the work of a request or belongs to the workflow
//! that deploys there. A deployment that somebody made through the API was made
//! on purpose, and counts.

use crate::domain::{
    fact::{RepoFacts, deploy::RunFacts, ship::DeploymentFacts},
    rule::{DeployRule, Via},
};

/// What starts the workflows that run a deployment.
const DEPLOYMENT: &str = "deployment";

/// Whether a deployment is known to be a deploy, by the way in which phasebot
/// deploys to its environment.
pub(super) fn is_deploy(facts: &RepoFacts, rule: &DeployRule, id: u64, deployment: &DeploymentFacts) -> bool {
    let Some(run) = deployment.run else { return true };
    let is_ours = deployment.is_linked() || facts.request_of(id).is_some();
    is_ours || facts.runs.get(&run).is_some_and(|run| deploys(rule, run))
}

/// Whether a workflow run is one that deploys, whoever started it.
fn deploys(rule: &DeployRule, run: &RunFacts) -> bool {
    match &rule.via {
        Via::Deployment => run.trigger == DEPLOYMENT,
        Via::Workflow { file } => file_name(&run.workflow) == file_name(file),
    }
}

/// A workflow's file, without its folder and the ref that it was read from.
fn file_name(workflow: &str) -> &str {
    let path = workflow.split('@').next().unwrap_or(workflow);
    path.rsplit('/').next().unwrap_or(path)
}
