//! State of every environment: what runs there, what stands in the way, what waits. `/where` and
//! the web page of the environments show it.

use std::collections::{BTreeMap, BTreeSet};

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
        rule::name_key,
    },
    incident::{self, OpenIncident},
    insight::standing::{self, EnvironmentRow},
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
    /// Environments, lower case, that commits run in before they come here: those that the policy names.
    /// Production without such a rule has the one that is listed before it.
    pub after: Vec<String>,
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

/// Returns the state of the environments that the policy names or that received a deployment, those
/// before production first, from the rows of a repository. Needs the documents that the rows name, those of the live gates, and
/// the facts about open incidents.
pub fn environments(
    rows: &[EnvironmentRow],
    facts: &RepoFacts,
    policy: &Policy,
    now: Timestamp,
) -> Vec<EnvironmentState> {
    let eval = EvalContext::new(facts, policy, now);
    let described = policy.environments.iter().filter(|(_, rule)| rule.per_pull.is_none());
    let described = described.map(|(name, _)| (name.as_str(), EnvironmentRow::nothing(name)));
    let mut all: BTreeMap<&str, EnvironmentRow> = described.collect();
    for row in rows {
        if row.seen || all.contains_key(row.environment.as_str()) {
            all.insert(&row.environment, row.clone());
        }
    }
    let mut all: Vec<&EnvironmentRow> = all.values().collect();
    all.sort_by_key(|row| (steps_before(policy, &row.environment), is_production(&eval, &row.environment)));
    let mut states: Vec<EnvironmentState> = Vec::new();
    for row in all {
        let mut state = of_row(&eval, row);
        if let Some(before) = states.last().filter(|_| state.after.is_empty())
            && is_production(&eval, &row.environment)
            && !is_production(&eval, &name_key(&before.name))
        {
            state.after.push(name_key(&before.name));
        }
        states.push(state);
    }
    states
}

/// Returns the length of the longest way by which a commit comes to an environment, by the policy.
fn steps_before(policy: &Policy, environment: &str) -> usize {
    let (mut before, mut steps): (BTreeSet<&str>, usize) = (BTreeSet::from([environment]), 0);
    // A way that comes back to itself ends, too.
    while steps <= policy.environments.len() {
        let rules = before.iter().filter_map(|name| policy.environments.get(*name));
        before = rules.flat_map(|rule| &rule.after).map(String::as_str).collect();
        if before.is_empty() {
            break;
        }
        steps += 1;
    }
    steps
}

fn is_production(eval: &EvalContext<'_>, environment: &str) -> bool {
    let index = eval.facts.deployments.index().environments.get(environment);
    match index {
        Some(index) => eval.is_production_environment(environment, index),
        None => eval.policy.production(environment).unwrap_or(false),
    }
}

/// Returns the environments that the policy names or that received a deployment, in lower case.
pub(super) fn names<'a>(eval: &EvalContext<'a>) -> BTreeSet<&'a str> {
    standing::environment_names(eval)
}

/// Returns the state of one environment.
pub(super) fn state(eval: &EvalContext<'_>, environment: &str) -> EnvironmentState {
    of_row(eval, &standing::environment_row(eval, environment))
}

fn of_row(eval: &EvalContext<'_>, row: &EnvironmentRow) -> EnvironmentState {
    let (facts, policy, environment) = (eval.facts, eval.policy, row.environment.as_str());
    let running = row.running.as_ref().map(|run| {
        let made = facts.deployments.get(&run.deployment);
        Running {
            deployment: run.deployment,
            commit: run.commit.clone(),
            tags: run.tags.clone(),
            since: run.since,
            by: match (facts.request_of(run.deployment), made.and_then(|made| made.creator.as_ref())) {
                (Some((_, request)), _) => deploy::asker(request),
                (None, Some(creator)) => format!("by {}", quoted(&creator.login)),
                (None, None) => made
                    .and_then(|made| made.source.as_ref())
                    .map_or_else(String::new, |source| format!("reported by {}", quoted(source))),
            },
        }
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
    for deployment in row.waiting.iter().take(MOST_NAMED) {
        let sha = deployment.commit.as_ref().map_or_else(String::new, |sha| format!(" of {}", sha.code()));
        let since = messages::time(deployment.since, policy);
        waiting.push(format!("{}{sha} waits since {since}", deployment_name(deployment.deployment)));
    }
    EnvironmentState {
        name: policy.spelled(environment).unwrap_or_else(|| environment.to_owned()),
        running,
        guards,
        waiting,
        gate: closed_gate(facts, environment),
        incidents: incident::open_incidents(facts, policy, Some(environment), eval.now),
        after: policy.environments.get(environment).map_or_else(Vec::new, |rule| rule.after.clone()),
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
