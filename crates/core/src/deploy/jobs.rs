//! Jobs of the runs that carry out a deploy: which one failed, and whether any began.

use std::collections::BTreeMap;

use crate::{
    context::EvalContext,
    domain::{
        event::{DeployState, RunOutcome},
        fact::{
            RepoFacts,
            deploy_request::{DeployRequest, RunFacts},
        },
        needs::{Answer, FailedJob, Need},
    },
};

/// Runs that carry out a deploy, by id.
type Runs<'f> = BTreeMap<u64, &'f RunFacts>;

/// Asks about the jobs of a deploy's runs, once.
pub(super) fn want(eval: &EvalContext<'_>, request: &DeployRequest, runs: &Runs<'_>) {
    let asked = failed_job_need(eval.facts, request, runs).into_iter().chain(began_needs(runs));
    for need in asked.filter(|need| !eval.facts.answers.contains_key(need)) {
        eval.want(need);
    }
}

/// Returns the question about the job that failed, if a run of a deploy failed.
fn failed_job_need(facts: &RepoFacts, request: &DeployRequest, runs: &Runs<'_>) -> Option<Need> {
    let made = request.deployment.and_then(|id| facts.deployments.get(&id));
    let status = made.and_then(|made| made.statuses.iter().next_back()).map(|status| status.state);
    let is_over = status == Some(DeployState::Failure) || runs.values().all(|run| run.outcome != RunOutcome::Running);
    let of = |outcome: RunOutcome| runs.iter().find(move |(_, run)| run.outcome == outcome);
    // A job fails before its run ends.
    let failed = of(RunOutcome::Failure).or_else(|| of(RunOutcome::Running)).filter(|_| is_over);
    failed.map(|(run, facts)| Need::FailedJob { run: *run, attempt: facts.attempt })
}

/// Returns the job that failed in a deploy's run, if the forge named it.
pub(super) fn failed<'f>(facts: &'f RepoFacts, request: &DeployRequest, runs: &Runs<'_>) -> Option<&'f FailedJob> {
    let answered = facts.answers.get(&failed_job_need(facts, request, runs)?)?;
    let Answer::FailedJob(job) = &answered.answer else { return None };
    job.as_ref()
}

/// Returns the questions about the jobs of a deploy's runs, if all of them were cancelled or skipped.
fn began_needs(runs: &Runs<'_>) -> Vec<Need> {
    if !runs.values().all(|run| matches!(run.outcome, RunOutcome::Cancelled | RunOutcome::Skipped)) {
        return Vec::new();
    }
    let cancelled = runs.iter().filter(|(_, run)| run.outcome == RunOutcome::Cancelled);
    cancelled.map(|(run, facts)| Need::AnyJobBegan { run: *run, attempt: facts.attempt }).collect()
}

/// Returns a cancelled run of a deploy, if the forge says that no job began in any of its runs.
pub(super) fn not_begun<'f>(facts: &RepoFacts, runs: &Runs<'f>) -> Option<&'f RunFacts> {
    let needs = began_needs(runs);
    let began = |need: &Need| facts.answers.get(need).is_none_or(|known| known.answer != Answer::AnyJobBegan(false));
    if needs.is_empty() || needs.iter().any(began) {
        return None;
    }
    runs.values().copied().find(|run| run.outcome == RunOutcome::Cancelled)
}
