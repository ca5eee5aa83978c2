//! Which deployments count where phasebot itself deploys.
//!
//! Forges make a deployment for every job that names an environment, also for
//! one that wants its secrets alone. Where phasebot deploys, such a job brings
//! nothing, unless it does the work of a request or belongs to the workflow
//! that deploys there. A deployment that somebody made through the API was made
//! on purpose, and counts.

use crate::domain::{
    fact::{RepoFacts, deploy::RunFacts, ship::DeploymentFacts},
    policy::Policy,
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
        Via::Workflow { file } => is_file(&run.workflow, file),
    }
}

/// Whether a workflow, as a run names it, is this file.
fn is_file(workflow: &str, file: &str) -> bool {
    file_name(workflow) == file_name(file)
}

/// Whether a workflow deploys to some environment of the policy.
pub(in crate::decide) fn is_deploying_workflow(policy: &Policy, workflow: &str) -> bool {
    let ways = policy.environments.values().filter_map(|rule| rule.deploy.as_ref());
    ways.into_iter().any(|way| matches!(&way.via, Via::Workflow { file } if is_file(workflow, file)))
}

/// A workflow's file, without its folder and the ref that it was read from.
fn file_name(workflow: &str) -> &str {
    let path = workflow.split('@').next().unwrap_or(workflow);
    path.rsplit('/').next().unwrap_or(path)
}
