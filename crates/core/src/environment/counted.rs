//! Decides which deployments count where phasebot itself deploys.
//!
//! Forges create a deployment for every job that names an environment, including jobs that only
//! need its secrets. Where phasebot deploys, such a job deploys nothing, unless it does the work of
//! a request or belongs to the workflow that deploys there. A deployment that someone created
//! through the API is deliberate, and counts.

use jiff::{SignedDuration, Timestamp};

use crate::domain::{
    event::RunTrigger,
    fact::{
        RepoFacts,
        deploy_request::{DeployRequest, RunFacts},
        deployment::DeploymentFacts,
    },
    needs::{Answer, Need},
    policy::Policy,
    rule::{DeployRule, Via, name_key},
};

/// Maximum difference between the forge's clock and ours.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(10);

/// Returns whether a deployment is known to be a deploy, by the way in which phasebot deploys to
/// its environment.
pub(super) fn is_deploy(facts: &RepoFacts, rule: &DeployRule, id: u64, deployment: &DeploymentFacts) -> bool {
    let Some(run) = deployment.run else { return true };
    let is_ours = deployment.is_linked() || facts.request_of(id).is_some();
    is_ours || facts.runs.get(&run).is_some_and(|run| deploys(rule, run))
}

/// Returns whether a workflow run deploys, whoever started it.
fn deploys(rule: &DeployRule, run: &RunFacts) -> bool {
    match &rule.via {
        Via::Deployment => run.trigger == RunTrigger::Deployment,
        Via::Workflow { file } => is_file(&run.workflow, file),
    }
}

/// Returns whether a workflow, as named by a run, is this file.
fn is_file(workflow: &str, file: &str) -> bool {
    file_name(workflow) == file_name(file)
}

/// Returns whether a workflow deploys to any environment of the policy.
pub(crate) fn is_deploying_workflow(policy: &Policy, workflow: &str) -> bool {
    let ways = policy.environments.values().filter_map(|rule| rule.deploy.as_ref());
    ways.into_iter().any(|way| matches!(&way.via, Via::Workflow { file } if is_file(workflow, file)))
}

/// Returns the file name of a workflow, without its folder and the ref that it was read from.
fn file_name(workflow: &str) -> &str {
    let path = workflow.split('@').next().unwrap_or(workflow);
    path.rsplit('/').next().unwrap_or(path)
}

/// Returns whether a workflow's deployment may belong to one of our dispatches and is not linked to
/// it yet. Until then its commit is unknown.
pub(super) fn may_be_of_a_dispatch(facts: &RepoFacts, id: u64, deployment: &DeploymentFacts) -> bool {
    let Some(run) = deployment.run.filter(|_| !deployment.is_linked()) else { return false };
    if facts.request_of(id).is_some() {
        return false;
    }
    let environment = name_key(&deployment.environment);
    let mut known = facts.requests.index().by_run.of(&run).peekable();
    if known.peek().is_some() {
        let mut requests = known.filter_map(|id| facts.requests.get(id));
        return requests.any(|request| request.environment == environment && request.is_dispatched());
    }
    let mut waiting =
        facts.requests.index().without_run.of(&environment).filter_map(|id| facts.requests.get_key_value(id));
    waiting.any(|(id, request)| may_claim(facts, id, request, run, deployment.created_at))
}

/// Returns whether a run's deployment may be the work of a dispatch whose run is unknown.
fn may_claim(facts: &RepoFacts, id: &str, request: &DeployRequest, run: u64, made: Timestamp) -> bool {
    // Until the forge has answered, the dispatch cannot have started much before it was sent.
    let (begun, slack) = match request.started_at {
        Some(started) => (started, CLOCK_SKEW),
        None => (request.since, SignedDuration::from_secs(1)),
    };
    let seen = facts.runs.get(&run);
    let is_of_another_kind = seen.is_some_and(|seen| seen.trigger != RunTrigger::Dispatch);
    if is_of_another_kind || made < begun.checked_sub(slack).unwrap_or(Timestamp::MIN) {
        return false;
    }
    if request.is_under_way() {
        return true;
    }
    // The request is over, and none of the runs reported by the forge was its own.
    let need = Need::RunsAt { sha: None, trigger: RunTrigger::Dispatch, purpose: id.to_owned() };
    let is_dispatch = match facts.answers.get(&need).map(|answered| &answered.answer) {
        Some(Answer::Runs(runs)) => seen.is_some() || runs.contains_key(&run),
        _ => true,
    };
    is_dispatch && made <= request.since
}
