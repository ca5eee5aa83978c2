//! Automatic rollbacks: a deployment that an incident followed is undone, within narrow bounds.
//!
//! All of these have to hold, and an unknown is a no:
//!
//! - the policy says so for the environment (`rollback: { on: incident }`), and the incident has one
//!   of its severities;
//! - the incident names this environment, has fired for `hold`, still fires, shows in an open issue,
//!   and nobody has muted it or named its cause;
//! - it began after the deployment that runs now began, and within `within` of its success;
//! - that deployment is the only suspect, and nothing was deployed or begun since;
//! - a last good run exists, and the environment accepts its commit;
//! - nothing that the deployment brought has the label `migration`;
//! - this deployment was not rolled back automatically before.
//!
//! The rollback then goes through the environment's gate like one by a person, and locks the
//! environment. Otherwise the incident's issue proposes `/rollback`.

use jiff::Timestamp;

use crate::{
    context::EvalContext,
    deploy::{finish::finish, messages, rollback::way_back},
    domain::{
        effect::Effect,
        event::DeployState,
        fact::{
            DocumentKey, RepoFacts,
            deploy_request::{DeployRequest, Origin, RequestEnd, RequestKind},
        },
        id::{Account, ItemId, Sha},
        policy::{Mode, Policy},
        rule::{EnvironmentRule, RollbackOnIncident},
    },
    evidence::shipped::first,
    plan::{DecisionContext, PartialPlan, PlannedEffect},
    text::links::Links,
};

/// Label of a change that can't be undone by deploying the commit before it.
const MIGRATION: &str = "migration";

/// A rollback that is due.
struct Due {
    /// The deployment that is undone.
    deployment: u64,
    /// The incident.
    incident: String,
    /// The issue that shows it.
    issue: ItemId,
    since: Timestamp,
    target: Sha,
    /// The target and what is left out on the way to it, for people.
    words: String,
}

/// Records a request for every rollback that is due, and withdraws those that no longer are.
pub(super) fn ask(facts: &mut RepoFacts, terms: &DecisionContext<'_>, out: &mut PartialPlan) {
    if terms.policy.mode != Mode::Act || terms.writes_disabled.is_some() {
        return;
    }
    for (environment, rule) in &terms.policy.environments {
        let Some(bounds) = &rule.rollback.on_incident else { continue };
        if rule.deploy.is_none() {
            continue;
        }
        let due = due(facts, terms.policy, environment, rule, bounds, terms.now);
        withdraw_others(facts, environment, due.as_ref(), terms, out);
        let Some(due) = due else { continue };
        let id = id(environment, due.deployment);
        if facts.requests.contains_key(&id) {
            continue;
        }
        let request = DeployRequest {
            by: Account::login_only("phasebot"),
            since: terms.now,
            note: due.words.clone(),
            ..DeployRequest::new(
                environment,
                RequestKind::Rollback,
                Origin::Incident(due.incident.clone()),
                terms.now,
                Some(due.target.clone()),
            )
        };
        let announced =
            messages::rolls_back_automatically(&rule.name, due.deployment, due.since, &due.words, terms.policy);
        let body = Links::of(facts).dress(&format!("⏳ {}", announced.text("")));
        let effect = Effect::UpsertComment { item: due.issue, marker: format!("undo:{id}"), body, sticky: false };
        out.effects.push(PlannedEffect { key: format!("undo/{id}"), replaces: false, effect });
        out.notes.push(messages::asked(&request));
        facts.requests.insert(id.clone(), request);
        out.changed.insert(DocumentKey::Request(id));
    }
}

/// Returns phasebot's id of the request: one deployment is rolled back once.
fn id(environment: &str, deployment: u64) -> String {
    format!("pb-undo-{deployment}-{environment}")
}

/// Withdraws the automatic rollbacks of an environment that wait and are not due any more.
fn withdraw_others(
    facts: &mut RepoFacts,
    environment: &str,
    due: Option<&Due>,
    terms: &DecisionContext<'_>,
    out: &mut PartialPlan,
) {
    let waiting = facts.open_requests().filter(|(id, request)| {
        request.environment == environment
            && matches!(request.origin, Origin::Incident(_))
            && !request.is_under_way()
            && !due.is_some_and(|due| {
                **id == self::id(environment, due.deployment) && request.sha.as_ref() == Some(&due.target)
            })
    });
    let waiting: Vec<String> = waiting.map(|(id, _)| id.clone()).collect();
    for id in waiting {
        finish(facts, &id, RequestEnd::Withdrawn, &messages::not_due(), terms, out);
    }
}

/// Returns the rollback that is due in an environment.
fn due(
    facts: &RepoFacts,
    policy: &Policy,
    environment: &str,
    rule: &EnvironmentRule,
    bounds: &RollbackOnIncident,
    now: Timestamp,
) -> Option<Due> {
    let eval = EvalContext::new(facts, policy, now);
    let history = eval.history(environment);
    let run = history.current()?;
    let begun = first(run.facts, DeployState::InProgress).unwrap_or(run.facts.created_at).min(run.from);
    // What a rollback brought back is not taken away again.
    if facts.request_of(run.deployment).is_some_and(|(_, request)| request.kind == RequestKind::Rollback) {
        return None;
    }
    // It ran on after a later deployment failed: that one is the suspect.
    let is_fresh = run.from == run.succeeded;
    let latest = run.succeeded.checked_add(bounds.within).ok()?;
    let alone = history.attempts_since(begun).all(|attempt| attempt.deployment == run.deployment)
        && history.made_since(begun).all(|(id, _)| id == run.deployment)
        && facts.under_way(environment).is_none_or(|(_, request)| {
            // Its code is deployed; what it still drops waits for the rollback.
            let is_it = request.deployment == Some(run.deployment) || request.linked.contains(&run.deployment);
            matches!(request.origin, Origin::Incident(_)) || (request.deployed_at.is_some() && is_it)
        });
    let incident = eval.troubles_in(environment).into_iter().find(|incident| {
        let severity = incident.severity.as_ref();
        severity.is_some_and(|severity| bounds.severities.iter().any(|wanted| wanted.eq_ignore_ascii_case(severity)))
            && (begun..=latest).contains(&incident.since)
            && incident.suspects == [run.deployment]
    })?;
    if !is_fresh || !alone {
        return None;
    }
    let way = way_back(facts, policy, environment, rule, now);
    let target = way.targets.iter().find(|target| target.quiet)?;
    if !target.permitted || migrates(&eval, run.commit?, &target.sha) != Some(false) {
        return None;
    }
    Some(Due {
        deployment: run.deployment,
        incident: incident.id.clone(),
        issue: incident.issue,
        since: incident.since,
        target: target.sha.clone(),
        words: way.tell(environment, target, policy),
    })
}

/// Returns whether something that `runs` and a rollback to `target` takes back has the label of a
/// migration; `None` if it is not known what it takes back, or which labels that has.
fn migrates(eval: &EvalContext<'_>, runs: &Sha, target: &Sha) -> Option<bool> {
    let mut found = false;
    for pull in eval.every_pull_between(target, runs)? {
        let labels = eval.facts.item_labels(pull)?;
        found |= labels.iter().any(|label| label.eq_ignore_ascii_case(MIGRATION));
    }
    Some(found)
}

/// Rechecks an automatic rollback before it is sent: its incident still fires, and nobody has muted
/// it or named its cause.
pub(super) fn is_wanted(eval: &EvalContext<'_>, environment: &str, incident: &str) -> bool {
    eval.troubles_in(environment).iter().any(|trouble| trouble.id == incident)
}
