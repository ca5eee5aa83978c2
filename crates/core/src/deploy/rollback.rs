//! Target of a rollback.
//!
//! That is the last commit that ran well: the running one if a newer deployment failed, otherwise
//! the one before it. Commits that failed after they had succeeded, were rolled back before, or saw
//! an incident while they ran are left out, and the reply says so.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::{
    context::EvalContext,
    domain::{
        event::DeployState,
        fact::{
            RepoFacts,
            deploy_request::{DeployRequest, RequestEnd, RequestKind},
        },
        id::Sha,
        policy::Policy,
        rule::EnvironmentRule,
    },
    environment::history::{History, Run, RunEnd},
    evidence::shipped::first,
    gate::target::{Basis, Refusal, permitted},
    text::message::{moment, quoted},
};

/// Limit on the left-out commits that are named.
const MOST_NAMED: usize = 5;

/// Possible targets of a rollback.
pub(crate) struct WayBack {
    /// Something has run in the environment at some time.
    pub(crate) has_run: bool,
    /// Running commit; `None`: nothing runs, or the commit is unknown.
    pub(crate) runs: Option<Sha>,
    /// Commits to go back to, nearest first.
    pub(crate) targets: Vec<Target>,
    /// Commits that are left out though newer than some target.
    passed: Vec<Passed>,
}

/// A commit that a rollback may go back to.
#[derive(Clone)]
pub(crate) struct Target {
    /// The commit.
    pub(crate) sha: Sha,
    /// It saw no incident while it ran.
    pub(crate) quiet: bool,
    /// The environment is known to accept it.
    pub(crate) permitted: bool,
    from: Timestamp,
    until: Option<Timestamp>,
}

/// A commit that is left out, with the reason.
struct Passed {
    sha: Option<Sha>,
    at: Timestamp,
    why: Why,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Why {
    Failed,
    FailedLater,
    RolledBack,
    Unknown,
    NotMerged,
}

impl WayBack {
    /// Describes `target` for people, and the commits that are left out on the way to it.
    pub(crate) fn tell(&self, environment: &str, target: &Target, policy: &Policy) -> String {
        let time = |at: Timestamp| moment(at, &policy.commands.zone);
        let ran = match target.until {
            Some(until) => format!("which ran from {} until {}", time(target.from), time(until)),
            None => format!("which has run since {}", time(target.from)),
        };
        let passed = self.passed.iter().filter(|passed| passed.at > target.from).map(|passed| {
            let why = match passed.why {
                Why::Failed => "failed",
                Why::FailedLater => "failed after it had succeeded",
                Why::RolledBack => "was rolled back before",
                Why::Unknown => "its commit is not known",
                Why::NotMerged => "is not merged",
            };
            (passed.at, passed.sha.as_ref(), why)
        });
        let loud = self.targets.iter().filter(|other| !other.quiet && other.from > target.from);
        let loud = loud.map(|other| (other.from, Some(&other.sha), "saw an incident"));
        let doubtful = self.targets.iter().filter(|other| other.quiet && !other.permitted && other.from > target.from);
        let doubtful = doubtful.map(|other| (other.from, Some(&other.sha), "not known to be merged"));
        let mut out: Vec<(Timestamp, Option<&Sha>, &str)> = passed.chain(loud).chain(doubtful).collect();
        out.sort_by(|a, b| b.cmp(a));
        let mut named: Vec<String> = Vec::new();
        for (_, sha, why) in out {
            let name = sha.map_or_else(|| "a deployment".to_owned(), Sha::code);
            let line = format!("{name} ({why})");
            if !named.contains(&line) {
                named.push(line);
            }
        }
        let more = named.len().saturating_sub(MOST_NAMED);
        named.truncate(MOST_NAMED);
        if more > 0 {
            named.push(format!("{more} more"));
        }
        let left_out = if named.is_empty() { String::new() } else { format!(" Left out: {}.", named.join(", ")) };
        format!("Rolling back {} to {}, {ran}.{left_out}", quoted(environment), target.sha.code())
    }
}

/// Returns the possible targets of a rollback.
pub(crate) fn way_back(
    facts: &RepoFacts,
    policy: &Policy,
    environment: &str,
    rule: &EnvironmentRule,
    now: Timestamp,
) -> WayBack {
    let eval = EvalContext::new(facts, policy, now);
    let history = eval.history(environment);
    let current = history.current();
    let (failed, first_failed) = failed_since(facts, history, environment, current);
    let left = rolled_back(facts, history, environment);
    let incidents = eval.disturbances().get(environment);
    let saw_incident = |run: &Run<'_>| {
        // An incident that began once the next deployment was being tried does not count against
        // this one.
        let until = if run.until.is_none() { first_failed } else { run.until };
        let during = |from: &Timestamp| *from >= run.from && until.is_none_or(|until| *from < until);
        incidents.into_iter().flatten().any(|(from, _)| during(from))
    };
    let runs_well = !failed.is_empty();
    let runs = current.and_then(|run| run.commit);
    let mut way = WayBack {
        has_run: history.backwards().next().is_some(),
        runs: runs.cloned(),
        targets: Vec::new(),
        passed: failed,
    };
    if let Some(current) = current.filter(|current| has_failed_request(facts, environment, current)) {
        way.passed.push(Passed { sha: runs.cloned(), at: current.from, why: Why::FailedLater });
    }
    for run in history.backwards() {
        if way.targets.len() >= usize::from(rule.rollback.last) {
            break;
        }
        let is_current = current.is_some_and(|current| current.deployment == run.deployment && run.until.is_none());
        if is_current && !runs_well {
            continue;
        }
        let mut pass = |why| way.passed.push(Passed { sha: run.commit.cloned(), at: run.from, why });
        let Some(sha) = run.commit else {
            pass(Why::Unknown);
            continue;
        };
        let is_known = way.targets.iter().any(|target| target.sha == *sha);
        if is_known || (runs == Some(sha) && !(runs_well && is_current)) {
            continue;
        }
        if run.end == Some(RunEnd::Failed) {
            pass(Why::FailedLater);
        } else if left.contains(sha) {
            pass(Why::RolledBack);
        } else if !way.passed.iter().any(|passed| passed.sha.as_ref() == Some(sha) && passed.why == Why::FailedLater) {
            let permitted = match permitted(&eval, environment, sha, Basis { goes_back: true, ..Basis::BARE }) {
                Ok(()) => true,
                Err(Refusal::Pending(_)) => false,
                Err(Refusal::No(_)) => {
                    way.passed.push(Passed { sha: Some(sha.clone()), at: run.from, why: Why::NotMerged });
                    continue;
                }
            };
            let (from, until) = (run.succeeded, run.until);
            way.targets.push(Target { sha: sha.clone(), quiet: !saw_incident(&run), permitted, from, until });
        }
    }
    way
}

/// Returns the failures since the running commit began to run, and when the first of them began.
fn failed_since(
    facts: &RepoFacts,
    history: History<'_>,
    environment: &str,
    current: Option<Run<'_>>,
) -> (Vec<Passed>, Option<Timestamp>) {
    let last = current.or_else(|| history.backwards().next());
    let Some(since) = last.map(|run| run.until.unwrap_or(run.from)) else { return (Vec::new(), None) };
    let mut failed: Vec<Passed> = Vec::new();
    let mut began: BTreeSet<Timestamp> = BTreeSet::new();
    for (at, id) in history.failures_since(since).filter(|(_, id)| current.is_none_or(|run| run.deployment != *id)) {
        let Some(deployment) = facts.deployments.get(&id) else { continue };
        let succeeded = first(deployment, DeployState::Success);
        began.extend(first(deployment, DeployState::InProgress).or(succeeded));
        let why = if succeeded.is_some() { Why::FailedLater } else { Why::Failed };
        failed.push(Passed { sha: history.commit_of(id).cloned(), at, why });
    }
    // A workflow may fail before any of its jobs creates a deployment.
    for (_, request) in facts.requests_for(environment) {
        let made_what_runs = current.is_some_and(|run| request.deployments().any(|id| id == run.deployment));
        let ended = request.end() == Some(RequestEnd::Failed) && request.since >= since && !made_what_runs;
        if let Some(started) = request.started_at.filter(|_| ended) {
            began.insert(started);
            failed.push(Passed { sha: request.sha.clone(), at: request.since, why: Why::Failed });
        }
    }
    (failed, began.first().copied())
}

/// Returns whether the request that brought the running commit failed after its deployment had
/// succeeded, in a later job of its workflow.
fn has_failed_request(facts: &RepoFacts, environment: &str, run: &Run<'_>) -> bool {
    let request = facts.request_of(run.deployment).map(|(_, request)| request);
    request.is_some_and(|request| request.environment == environment && request.end() == Some(RequestEnd::Failed))
}

/// Returns the commits that rollbacks replaced.
fn rolled_back(facts: &RepoFacts, history: History<'_>, environment: &str) -> BTreeSet<Sha> {
    let requests = facts.requests_for(environment);
    let rollbacks = requests.map(|(_, request)| request).filter(|request| {
        request.kind == RequestKind::Rollback
            && request.started_at.is_some()
            && !matches!(request.end(), Some(RequestEnd::Failed | RequestEnd::NotBegun))
    });
    let left = rollbacks.filter_map(|request: &DeployRequest| {
        let ran = || history.at(request.started_at?)?.commit.cloned();
        let left = request.from.clone().or_else(ran);
        // Going back from a failed commit to the one that kept running replaces nothing.
        left.filter(|left| request.sha.as_ref() != Some(left))
    });
    left.collect()
}
