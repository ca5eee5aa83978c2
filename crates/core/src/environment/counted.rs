//! Which deployments count where phasebot itself deploys.
//!
//! Forges make a deployment for every job that names an environment, also for
//! one that wants its secrets alone. Where phasebot deploys, such a job brings
//! nothing, unless it does the work of a request or belongs to the workflow
//! that deploys there. A deployment that somebody made through the API was made
//! on purpose, and counts.

use jiff::{SignedDuration, Timestamp};

use crate::domain::{
    fact::{
        RepoFacts,
        deploy_request::{DeployRequest, RunFacts},
        deployment::DeploymentFacts,
    },
    needs::{Answer, Need},
    policy::Policy,
    rule::{DeployRule, Via, name_key},
};

/// What starts the workflows that run a deployment.
const DEPLOYMENT: &str = "deployment";
/// What starts the workflow of a dispatch.
const DISPATCH: &str = "workflow_dispatch";
/// The forge's clock and ours differ by no more.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(10);

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
pub(crate) fn is_deploying_workflow(policy: &Policy, workflow: &str) -> bool {
    let ways = policy.environments.values().filter_map(|rule| rule.deploy.as_ref());
    ways.into_iter().any(|way| matches!(&way.via, Via::Workflow { file } if is_file(workflow, file)))
}

/// A workflow's file, without its folder and the ref that it was read from.
fn file_name(workflow: &str) -> &str {
    let path = workflow.split('@').next().unwrap_or(workflow);
    path.rsplit('/').next().unwrap_or(path)
}

/// Whether a workflow's deployment may belong to one of our dispatches and is
/// not tied to it yet: then nobody can tell what it deployed.
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

/// Whether a deployment that a run made may be the work of a dispatch whose run
/// is not known.
fn may_claim(facts: &RepoFacts, id: &str, request: &DeployRequest, run: u64, made: Timestamp) -> bool {
    // Until the forge has answered it can't have begun much before it was sent.
    let (begun, slack) = match request.started_at {
        Some(started) => (started, CLOCK_SKEW),
        None => (request.since, SignedDuration::from_secs(1)),
    };
    let seen = facts.runs.get(&run);
    let is_of_another_kind = seen.is_some_and(|seen| seen.trigger != DISPATCH);
    if is_of_another_kind || made < begun.checked_sub(slack).unwrap_or(Timestamp::MIN) {
        return false;
    }
    if request.is_under_way() {
        return true;
    }
    // It is over, and none of the runs that the forge has told of was its own.
    let need = Need::RunsAt { sha: None, trigger: DISPATCH.to_owned(), purpose: id.to_owned() };
    let is_dispatch = match facts.answers.get(&need).map(|answered| &answered.answer) {
        Some(Answer::Runs(runs)) => seen.is_some() || runs.contains_key(&run),
        _ => true,
    };
    is_dispatch && made <= request.since
}
