//! Environments that are made for pull requests: deployed on a label, and torn down.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::{
    context::{EvalContext, rights::WRITERS},
    deploy::{change, finish::finish, messages},
    domain::{
        effect::{Effect, RefGuard},
        fact::{
            DocumentKey, RepoFacts,
            deploy_request::{DeployRequest, Origin, RequestEnd, RequestKind},
            item::ItemFacts,
        },
        id::{Account, ItemId, Sha},
        instance::Instance,
        per_pull::PerPullRule,
        policy::{Mode, Policy},
        rule::name_key,
    },
    gate::target,
    plan::{DecisionContext, EffectOutcome, PartialPlan, PlannedEffect},
};

/// Asks whether reviewers may write, for the heads of forks that a label wants deployed.
pub(super) fn want_access(eval: &EvalContext<'_>) {
    for (instance, head) in labelled(eval.facts, eval.policy, eval.now) {
        let _ = is_permitted(eval, instance, &head);
    }
}

/// Tears down what is over, and deploys what a label asks for.
pub(super) fn advance(facts: &mut RepoFacts, terms: &DecisionContext<'_>, out: &mut PartialPlan) {
    if terms.policy.mode != Mode::Act || terms.writes_disabled.is_some() {
        return;
    }
    withdraw_closed(facts, terms, out);
    tear_down(facts, terms, out);
    for (instance, head) in labelled(facts, terms.policy, terms.now) {
        let environment = name_key(&instance.made.name_for(instance.pull));
        let eval = EvalContext::new(facts, terms.policy, terms.now);
        let is_permitted = is_permitted(&eval, instance, &head);
        drop(eval);
        if is_permitted && has_room(facts, terms.policy, instance.made, &environment) {
            record(facts, instance, &environment, head, terms, out);
        }
    }
}

/// Returns whether one more environment of a rule may be made, beside those that live and those that
/// are asked for.
pub(crate) fn has_room(facts: &RepoFacts, policy: &Policy, made: &PerPullRule, environment: &str) -> bool {
    let live = facts.requests.index().live.iter().filter_map(|id| facts.requests.get(id));
    let asked = facts.open_requests().map(|(_, request)| request).filter(|request| request.for_pull.is_some());
    let names: BTreeSet<&str> = live.chain(asked).map(|request| request.environment.as_str()).collect();
    let of_rule = |name: &&&str| **name != environment && policy.instance(name).is_some_and(|other| other.made == made);
    names.iter().filter(of_rule).count() < made.most
}

fn is_over(item: Option<&ItemFacts>, now: Timestamp) -> bool {
    item.is_none_or(|item| item.gone.is_some() || item.closed(now).is_some())
}

/// Withdraws deployments of closed pull requests that have not begun.
fn withdraw_closed(facts: &mut RepoFacts, terms: &DecisionContext<'_>, out: &mut PartialPlan) {
    let waiting = facts.open_requests().filter(|(_, request)| !request.is_under_way());
    let closed = |pull: ItemId| is_over(facts.items.get(&pull), terms.now);
    let closed = waiting.filter(|(_, request)| request.for_pull.is_some_and(closed));
    for id in closed.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
        finish(facts, &id, RequestEnd::Withdrawn, &messages::pull_closed(), terms, out);
    }
}

/// Tears down the environments whose pull request is closed, or that have lived for too long. A
/// deployment that is under way ends first.
fn tear_down(facts: &mut RepoFacts, terms: &DecisionContext<'_>, out: &mut PartialPlan) {
    let mut live: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for id in &facts.requests.index().live {
        let Some(request) = facts.requests.get(id) else { continue };
        live.entry(request.environment.clone()).or_default().push(id.clone());
    }
    for (environment, ids) in live {
        let Some(instance) = terms.policy.instance(&environment) else { continue };
        if facts.under_way(&environment).is_some() {
            continue;
        }
        let expires = expires_at(facts, &ids, instance.made);
        let is_closed = is_over(facts.items.get(&instance.pull), terms.now);
        if !is_closed && expires.is_none_or(|at| at > terms.now) {
            out.wake(expires);
            continue;
        }
        for id in &ids {
            change(facts, id, out, |request| request.torn_down = true);
        }
        let Some(last) = ids.iter().max_by_key(|id| facts.requests.get(*id).map(|request| request.at)) else {
            continue;
        };
        let effect = Effect::TearDown {
            request: format!("{last}-down"),
            environment: instance.made.name_for(instance.pull),
            pull: instance.pull,
            workflow: instance.made.teardown.clone(),
            reference: format!("refs/heads/{}", facts.default_branch()),
        };
        out.notes.push(messages::torn_down(&environment, is_closed));
        out.effects.push(PlannedEffect { key: format!("teardown/{last}"), replaces: false, effect });
    }
}

fn expires_at(facts: &RepoFacts, ids: &[String], made: &PerPullRule) -> Option<Timestamp> {
    let started = ids.iter().filter_map(|id| facts.requests.get(id)?.started_at).max()?;
    started.checked_add(made.ttl?).ok()
}

/// Rechecks a teardown before it is sent: the pull request may have been reopened.
pub(crate) fn recheck_teardown(
    facts: &RepoFacts,
    environment: &str,
    workflow: &str,
    terms: &DecisionContext<'_>,
) -> Result<(), String> {
    let environment = name_key(environment);
    let instance = terms.policy.instance(&environment).filter(|_| terms.policy.mode == Mode::Act);
    let Some(instance) = instance.filter(|instance| instance.made.teardown == workflow) else {
        return Err("the policy no longer describes how to tear it down".to_owned());
    };
    if facts.open_requests().any(|(_, request)| request.environment == environment) {
        return Err("it is deployed again".to_owned());
    }
    let of_it = facts.requests_for(&environment).map(|(id, _)| id.clone());
    let expires = expires_at(facts, &of_it.collect::<Vec<_>>(), instance.made);
    let is_due = is_over(facts.items.get(&instance.pull), terms.now) || expires.is_some_and(|at| at <= terms.now);
    if is_due { Ok(()) } else { Err(format!("#{} is open again", instance.pull)) }
}

/// Notes how a teardown ended. One that was not sent is due again later; one that failed is left to
/// people, who are told on the pull request.
pub(super) fn teardown_ended(
    facts: &mut RepoFacts,
    environment: &str,
    (pull, workflow): (ItemId, &str),
    outcome: EffectOutcome<'_>,
    out: &mut PartialPlan,
) {
    match outcome {
        EffectOutcome::Done { .. } => {}
        EffectOutcome::Withheld(_) => {
            let ids: Vec<String> = facts.requests_for(&name_key(environment)).map(|(id, _)| id.clone()).collect();
            for id in ids {
                change(facts, &id, out, |request| request.torn_down = false);
            }
        }
        EffectOutcome::Failed(why) => {
            let body = messages::not_torn_down(environment, workflow, why).text_for(WRITERS);
            let marker = format!("teardown:{}", name_key(environment));
            let effect = Effect::UpsertComment { item: pull, marker, body, sticky: true };
            let key = format!("teardown-failed/{}", name_key(environment));
            out.effects.push(PlannedEffect { key, replaces: true, effect });
            // An effect is stored beside a changed document only.
            let last = facts.requests_for(&name_key(environment)).next_back();
            out.changed.extend(last.map(|(id, _)| DocumentKey::Request(id.clone())));
        }
    }
}

/// Returns the environments that a label on an open pull request asks for, each with the head that is
/// not asked for yet.
fn labelled<'p>(facts: &RepoFacts, policy: &'p Policy, now: Timestamp) -> Vec<(Instance<'p>, Sha)> {
    let mut found = Vec::new();
    for number in &facts.about.labelled_pulls {
        let Some(item) = facts.items.get(number).filter(|item| !is_over(Some(item), now)) else { continue };
        let Some(shape) = facts.pull(*number).and_then(|pull| pull.shape.as_ref()) else { continue };
        let head = &shape.value.head_sha;
        for rule in policy.environments.values() {
            let Some(made) = rule.per_pull.as_ref().filter(|made| asks_for(item, made)) else { continue };
            let environment = name_key(&made.name_for(*number));
            let since = item.reopened_at(now);
            let mut known = facts.requests_for(&environment);
            let is_asked = known.any(|(_, request)| {
                request.sha.as_ref() == Some(head) && !request.dry_run && Some(request.at) >= since
            });
            if !is_asked {
                found.push((Instance { rule, made, pull: *number }, head.clone()));
            }
        }
    }
    found
}

/// Returns whether a pull request has the label that makes an environment.
fn asks_for(item: &ItemFacts, made: &PerPullRule) -> bool {
    let Some(label) = &made.label else { return false };
    item.labels.iter().flat_map(|labels| &labels.names).any(|name| name.eq_ignore_ascii_case(label))
}

fn is_permitted(eval: &EvalContext<'_>, instance: Instance<'_>, head: &Sha) -> bool {
    let access = |account: &Account| eval.may_write(account, None);
    let environment = name_key(&instance.made.name_for(instance.pull));
    target::unmerged_pull(eval.facts, eval.policy, &environment, instance.pull, head, &access).is_ok()
}

fn record(
    facts: &mut RepoFacts,
    instance: Instance<'_>,
    environment: &str,
    head: Sha,
    terms: &DecisionContext<'_>,
    out: &mut PartialPlan,
) {
    // An older head that has not begun is not wanted any more.
    let waiting = facts.open_requests();
    let older = waiting.filter(|(_, request)| request.environment == environment && !request.is_under_way());
    for id in older.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
        finish(facts, &id, RequestEnd::Withdrawn, &messages::newer_came(), terms, out);
    }
    let reopened = facts.items.get(&instance.pull).and_then(|item| item.reopened_at(terms.now));
    let digest = Sha256::digest(format!("{environment}\n{head}\n{reopened:?}"));
    let id = format!("pb-pull-{}", hex::encode(&digest[..8]));
    let origin = Origin::Label(instance.pull);
    let request = DeployRequest {
        by: Account::login_only("phasebot"),
        watched: RefGuard::Pull(instance.pull),
        for_pull: Some(instance.pull),
        ..DeployRequest::new(environment, RequestKind::Deploy, origin, terms.now, Some(head))
    };
    out.notes.push(messages::asked(&request));
    facts.requests.insert(id.clone(), request);
    out.changed.insert(DocumentKey::Request(id));
}
