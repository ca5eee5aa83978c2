//! State of every environment: what runs there, what stands in the way, what waits. `/where` and
//! the web page of the environments show it.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::{
    command::{locks, messages},
    context::EvalContext,
    deploy,
    domain::{
        decision::{ConditionState, GateName},
        fact::{RepoFacts, command::ALL},
        id::Sha,
        policy::Policy,
    },
    incident::{self, OpenIncident},
    text::message::{deployment_name, quoted},
};

/// Limit on the tags that are named for a commit, and on what waits for an environment.
pub(super) const MOST_NAMED: usize = 3;

/// State of an environment. Its sentences are Markdown, with everything from outside neutralised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvironmentState {
    /// Name, as the policy or its deployments write it.
    pub name: String,
    /// The deployment that runs there; `None` if none was ever seen.
    pub running: Option<Running>,
    /// The lock and the freezes in force.
    pub guards: Vec<String>,
    /// Requests and deployments that wait.
    pub waiting: Vec<String>,
    /// The gate's newest decision that is still kept up to date, if it is not open.
    pub gate: Option<ClosedGate>,
    /// The open incidents that concern it, the oldest first.
    pub incidents: Vec<OpenIncident>,
}

/// The deployment that runs in an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// The deployment.
    pub deployment: u64,
    /// Its commit; `None` while it is unknown.
    pub commit: Option<Sha>,
    /// Tags of the commit.
    pub tags: Vec<String>,
    /// Time of its success.
    pub since: Timestamp,
    /// Who asked for it or created it; empty: unknown.
    pub by: String,
}

/// A gate that is not open for a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedGate {
    /// The commit.
    pub commit: Sha,
    /// State of its worst condition.
    pub state: ConditionState,
    /// The worst condition, in a sentence.
    pub sentence: String,
    /// Time since when the gate is in this state.
    pub since: Timestamp,
}

/// Returns the state of every environment that the policy names or that received a deployment, by
/// name. Needs the facts about deployments, requests, runs, commands, gates and incidents.
pub fn environments(facts: &RepoFacts, policy: &Policy, now: Timestamp) -> Vec<EnvironmentState> {
    let eval = EvalContext::new(facts, policy, now);
    names(&eval).into_iter().map(|name| state(&eval, name)).collect()
}

/// Returns the environments that the policy names or that received a deployment, in lower case.
pub(super) fn names<'a>(eval: &EvalContext<'a>) -> BTreeSet<&'a str> {
    let seen = eval.facts.deployments.index().environments.keys();
    let described = eval.policy.environments.iter().filter(|(_, rule)| rule.per_pull.is_none()).map(|(name, _)| name);
    let all = described.chain(seen).map(String::as_str);
    all.filter(|name| eval.policy.instance(name).is_none()).collect()
}

/// Returns the state of one environment.
pub(super) fn state(eval: &EvalContext<'_>, environment: &str) -> EnvironmentState {
    let (facts, policy) = (eval.facts, eval.policy);
    let running = eval.history(environment).current().map(|run| Running {
        deployment: run.deployment,
        commit: run.commit.cloned(),
        tags: run.commit.map_or_else(Vec::new, |sha| eval.tags_on(sha).into_iter().map(str::to_owned).collect()),
        since: run.from,
        by: match (facts.request_of(run.deployment), &run.facts.creator) {
            (Some((_, request)), _) => deploy::asker(request),
            (None, Some(creator)) => format!("by {}", quoted(&creator.login)),
            (None, None) => {
                run.facts.source.as_ref().map_or_else(String::new, |source| format!("reported by {}", quoted(source)))
            }
        },
    });
    let mut guards: Vec<String> = Vec::new();
    guards.extend(facts.lock(environment, eval.now).map(|lock| format!("locked: {}", messages::guard(&lock, policy))));
    let freezes = facts.freezes(eval.now);
    let freezes = freezes.iter().filter(|(name, _)| **name == ALL || **name == environment);
    guards.extend(freezes.map(|(_, freeze)| format!("frozen: {}", messages::guard(freeze, policy))));
    guards.extend(locks::calendar_freezes(policy, Some(environment), eval.now));
    let open = deploy::open_requests_to(facts, environment, policy);
    let more = open.len().saturating_sub(MOST_NAMED);
    let mut waiting: Vec<String> = open.into_iter().take(MOST_NAMED).collect();
    waiting.extend((more > 0).then(|| format!("{more} more wait")));
    for deployment in eval.history(environment).waiting().take(MOST_NAMED) {
        let sha = deployment.commit.map_or_else(String::new, |sha| format!(" of {}", sha.code()));
        let since = messages::time(deployment.begun, policy);
        waiting.push(format!("{}{sha} waits since {since}", deployment_name(deployment.deployment)));
    }
    EnvironmentState {
        name: policy.spelled(environment).unwrap_or_else(|| environment.to_owned()),
        running,
        guards,
        waiting,
        gate: closed_gate(facts, environment),
        incidents: incident::open_incidents(facts, policy, Some(environment), eval.now),
    }
}

fn closed_gate(facts: &RepoFacts, environment: &str) -> Option<ClosedGate> {
    let name = GateName::Deploy(environment.to_owned());
    let gate = facts.decided_at(&name).find(|gate| gate.live)?;
    let worst = gate.decision.worst()?;
    Some(ClosedGate {
        commit: gate.decision.sha.clone(),
        state: worst.standing,
        sentence: worst.sentence.clone(),
        since: gate.turns.last().map_or(gate.since, |turn| turn.at),
    })
}
