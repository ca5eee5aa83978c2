//! Environments that are made for pull requests: deployed on a label, and torn down.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::{
    context::{
        EvalContext,
        rights::{PermissionState, WRITERS},
    },
    deploy::{change, finish::finish, messages},
    domain::{
        effect::{Effect, RefGuard},
        fact::{
            DocumentKey, RepoFacts,
            deploy_request::{DeployRequest, Origin, RequestEnd, RequestKind, Teardown},
            item::ItemFacts,
        },
        id::{Account, ItemId, Sha},
        instance::Instance,
        per_pull::PerPullRule,
        policy::{DEPLOY, Mode, Policy},
        rule::{EnvironmentRule, name_key},
    },
    gate::target::{self, Refusal},
    plan::{DecisionContext, EffectOutcome, PartialPlan, PlannedEffect},
};

/// Asks for the permissions of those who put a label on, and of those who approved a fork's head.
pub(super) fn want_access(eval: &EvalContext<'_>) {
    let mut rooms = Rooms::default();
    for (instance, head) in labelled(eval.facts, eval.policy, eval.now) {
        let environment = name_key(&instance.made.name_for(instance.pull));
        if rooms.has(eval.facts, eval.policy, instance.made, &environment) {
            let _ = is_permitted(eval, instance, &head);
            let _ = requester(eval, instance);
        }
    }
}

/// Tears down what is over, and deploys what a label asks for.
pub(super) fn advance(facts: &mut RepoFacts, terms: &DecisionContext<'_>, out: &mut PartialPlan) {
    if terms.policy.mode != Mode::Act || terms.writes_disabled.is_some() {
        return;
    }
    withdraw(facts, terms, out);
    tear_down(facts, terms, out);
    let wanted = labelled(facts, terms.policy, terms.now);
    // The others have what they ask for until they change.
    facts.index.previews_to_make = wanted.iter().map(|(instance, _)| instance.pull).collect();
    facts.index.previews_seen_under = Some(terms.policy.version.clone());
    let mut rooms = Rooms::default();
    for (instance, head) in wanted {
        let environment = name_key(&instance.made.name_for(instance.pull));
        if !rooms.has(facts, terms.policy, instance.made, &environment) {
            continue;
        }
        let eval = EvalContext::new(facts, terms.policy, terms.now);
        let by = requester(&eval, instance).filter(|_| is_permitted(&eval, instance, &head));
        drop(eval);
        if let Some(by) = by {
            record(facts, instance, &environment, (head, by), terms, out);
            rooms.take(instance.made, environment);
        }
    }
}

/// Names of the environments that live or are asked for, by the name in their rule.
#[derive(Default)]
struct Rooms(BTreeMap<String, BTreeSet<String>>);

impl Rooms {
    /// Returns whether one more environment of a rule may be made, or this one is there already.
    fn has(&mut self, facts: &RepoFacts, policy: &Policy, made: &PerPullRule, environment: &str) -> bool {
        let taken = self.0.entry(made.name.clone()).or_insert_with(|| names_of(facts, policy, made));
        taken.len() - usize::from(taken.contains(environment)) < made.most
    }

    /// Records that one is asked for.
    fn take(&mut self, made: &PerPullRule, environment: String) {
        self.0.entry(made.name.clone()).or_default().insert(environment);
    }
}

/// Returns whether one more environment of a rule may be made, beside those that live and those that
/// are asked for.
pub(crate) fn has_room(facts: &RepoFacts, policy: &Policy, made: &PerPullRule, environment: &str) -> bool {
    Rooms::default().has(facts, policy, made, environment)
}

/// Returns the environments of a rule that live or are asked for.
fn names_of(facts: &RepoFacts, policy: &Policy, made: &PerPullRule) -> BTreeSet<String> {
    let asked = facts.open_requests().map(|(_, request)| request).filter(|request| request.for_pull.is_some());
    let names = facts.requests.index().live.properties().chain(asked.map(|request| &request.environment));
    let of_rule = names.filter(|name| policy.instance(name).is_some_and(|other| other.made == made));
    of_rule.cloned().collect()
}

fn is_over(item: Option<&ItemFacts>, now: Timestamp) -> bool {
    item.is_none_or(|item| item.gone.is_some() || item.closed(now).is_some())
}

/// Checks whether a request for a pull request is still wanted: it is open, and has the label if that
/// asked for it.
pub(super) fn is_wanted(
    eval: &EvalContext<'_>,
    rule: &EnvironmentRule,
    request: &DeployRequest,
) -> Result<(), Refusal> {
    let Some(pull) = request.for_pull else { return Ok(()) };
    let Some(item) = eval.facts.items.get(&pull).filter(|item| !is_over(Some(item), eval.now)) else {
        return Err(Refusal::No(messages::pull_closed()));
    };
    let is_labelled = || rule.per_pull.as_ref().is_some_and(|made| asks_for(item, made));
    if matches!(request.origin, Origin::Label(_)) && !is_labelled() {
        return Err(Refusal::No(messages::label_removed()));
    }
    Ok(())
}

/// Withdraws deployments that have not begun and whose pull request is closed, or lost the label that
/// asked for them.
fn withdraw(facts: &mut RepoFacts, terms: &DecisionContext<'_>, out: &mut PartialPlan) {
    let mut ended = Vec::new();
    for (id, request) in facts.open_requests().filter(|(_, request)| !request.is_under_way()) {
        let Some(pull) = request.for_pull else { continue };
        let Some(item) = facts.items.get(&pull).filter(|item| !is_over(Some(item), terms.now)) else {
            ended.push((id.clone(), false));
            continue;
        };
        let made = terms.policy.instance(&request.environment).map(|instance| instance.made);
        let is_unlabelled = made.is_some_and(|made| made.label.is_some() && !asks_for(item, made));
        if matches!(request.origin, Origin::Label(_)) && is_unlabelled {
            ended.push((id.clone(), true));
        }
    }
    for (id, label_removed) in ended {
        let why = if label_removed { messages::label_removed() } else { messages::pull_closed() };
        change(facts, &id, out, |request| request.label_removed = label_removed);
        finish(facts, &id, RequestEnd::Withdrawn, &why, terms, out);
    }
}

/// Tears down the environments whose pull request is closed, or that have lived for too long. A
/// deployment that is under way ends first.
fn tear_down(facts: &mut RepoFacts, terms: &DecisionContext<'_>, out: &mut PartialPlan) {
    let live: Vec<String> = facts.requests.index().live.properties().cloned().collect();
    for environment in live {
        let Some(instance) = terms.policy.instance(&environment) else { continue };
        let is_closed = match teardown_due(facts, instance, &environment, terms.now) {
            Ok(is_closed) => is_closed,
            Err(NotDue { until, .. }) => {
                out.wake(until);
                continue;
            }
        };
        let ids: Vec<String> = facts.requests.index().live.of(&environment).cloned().collect();
        let states = || ids.iter().filter_map(|id| facts.requests.get(id)).map(|request| request.teardown);
        let queued = states().find(|state| matches!(state, Teardown::Queued(_)));
        let attempt = states().map(Teardown::attempts).max().unwrap_or(0) + 1;
        let last = ids.iter().max_by_key(|id| facts.requests.get(*id).map(|request| request.at)).cloned();
        // One that is queued still takes down what came since.
        let state = queued.unwrap_or(Teardown::Queued(attempt));
        for id in &ids {
            change(facts, id, out, |request| request.teardown = state);
        }
        let Some(last) = last.filter(|_| queued.is_none()) else { continue };
        let effect = Effect::TearDown {
            request: format!("{last}-down"),
            environment: instance.made.name_for(instance.pull),
            pull: instance.pull,
            workflow: instance.made.teardown.clone(),
            reference: format!("refs/heads/{}", facts.default_branch()),
        };
        out.notes.push(messages::torn_down(&environment, is_closed));
        // One that was withheld has used its key.
        out.effects.push(PlannedEffect { key: format!("teardown/{last}/{attempt}"), replaces: false, effect });
    }
}

/// Why an environment is not to be torn down now.
struct NotDue {
    why: String,
    until: Option<Timestamp>,
}

/// Returns whether an environment is due because its pull request is closed (`true`), or because its
/// time is over.
fn teardown_due(facts: &RepoFacts, instance: Instance<'_>, environment: &str, now: Timestamp) -> Result<bool, NotDue> {
    let mut open = facts.open_requests().filter(|(_, request)| request.environment == environment);
    if open.any(|(_, request)| !request.dry_run) {
        return Err(NotDue { why: "it is deployed again".to_owned(), until: None });
    }
    if is_over(facts.items.get(&instance.pull), now) {
        return Ok(true);
    }
    let live = facts.requests.index().live.of(environment).filter_map(|id| facts.requests.get(id));
    let started = || live.filter_map(|request| request.started_at).max();
    let until = instance.made.ttl.and_then(|ttl| started()?.checked_add(ttl).ok());
    match until {
        Some(at) if at <= now => Ok(false),
        _ => Err(NotDue { why: format!("#{} is open again", instance.pull), until }),
    }
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
    teardown_due(facts, instance, &environment, terms.now).map(drop).map_err(|not| not.why)
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
    let key = name_key(environment);
    let of_it = facts.requests_for(&key);
    let queued = of_it.filter(|(_, request)| matches!(request.teardown, Teardown::Queued(_)));
    for id in queued.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
        change(facts, &id, out, |request| {
            request.teardown = match outcome {
                EffectOutcome::Done { .. } => Teardown::Done,
                EffectOutcome::Withheld(_) => Teardown::Withheld(request.teardown.attempts()),
                EffectOutcome::Failed(_) => Teardown::Failed,
            };
        });
    }
    match outcome {
        EffectOutcome::Done { .. } | EffectOutcome::Withheld(_) => {}
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
/// not asked for yet. Looks only at what may have changed, unless the policy did.
fn labelled<'p>(facts: &RepoFacts, policy: &'p Policy, now: Timestamp) -> Vec<(Instance<'p>, Sha)> {
    let mut found = Vec::new();
    let is_same_policy = facts.index.previews_seen_under.as_ref() == Some(&policy.version);
    let pulls = if is_same_policy { &facts.index.previews_to_make } else { &facts.about.labelled_pulls };
    for number in pulls {
        let Some(item) = facts.items.get(number).filter(|item| !is_over(Some(item), now)) else { continue };
        let Some(shape) = facts.pull(*number).and_then(|pull| pull.shape.as_ref()) else { continue };
        let head = &shape.value.head_sha;
        for rule in policy.environments.values() {
            let Some(made) = rule.per_pull.as_ref().filter(|made| asks_for(item, made)) else { continue };
            let environment = name_key(&made.name_for(*number));
            if !is_asked(facts, item, &environment, head) {
                found.push((Instance { rule, made, pull: *number }, head.clone()));
            }
        }
    }
    found
}

/// Returns the newest request for an environment, dry runs aside.
fn newest<'f>(facts: &'f RepoFacts, environment: &str) -> Option<(&'f String, &'f DeployRequest)> {
    facts.requests_for(environment).rfind(|(_, request)| !request.dry_run)
}

/// Returns whether the newest request for an environment is for this head, since the last closing.
/// An earlier one does not count: the head may have been pushed away and back.
fn is_asked(facts: &RepoFacts, item: &ItemFacts, environment: &str, head: &Sha) -> bool {
    newest(facts, environment).is_some_and(|(_, request)| {
        let is_of_head = match &request.sha {
            Some(sha) => sha == head,
            None => request.is_open(),
        };
        is_of_head && !request.label_removed && request.after_closing == item.last_closing()
    })
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

/// Returns the person who put the label on, if they may deploy by command. Unknown means no.
fn requester(eval: &EvalContext<'_>, instance: Instance<'_>) -> Option<Account> {
    let label = instance.made.label.as_ref()?;
    let item = eval.facts.items.get(&instance.pull)?;
    let last = item.label_events.iter().rfind(|event| event.label.eq_ignore_ascii_case(label))?;
    if !last.on || last.bot {
        return None;
    }
    let by = Account { id: last.id, login: last.by.clone() };
    let grant = eval.policy.commands.grant(DEPLOY.0, DEPLOY.1).0;
    (eval.is_granted(&by, &grant, None) == PermissionState::Held).then_some(by)
}

fn record(
    facts: &mut RepoFacts,
    instance: Instance<'_>,
    environment: &str,
    (head, by): (Sha, Account),
    terms: &DecisionContext<'_>,
    out: &mut PartialPlan,
) {
    let after_closing = facts.items.get(&instance.pull).and_then(ItemFacts::last_closing);
    let previous = newest(facts, environment).map(|(id, _)| id.as_str()).unwrap_or_default();
    let digest = Sha256::digest(format!("{environment}\n{head}\n{after_closing:?}\n{previous}"));
    let id = format!("pb-pull-{}", hex::encode(&digest[..8]));
    if facts.requests.contains_key(&id) {
        return;
    }
    // An older head that has not begun is not wanted any more.
    let waiting = facts.open_requests();
    let older = waiting.filter(|(_, request)| request.environment == environment && !request.is_under_way());
    for id in older.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
        finish(facts, &id, RequestEnd::Withdrawn, &messages::newer_came(), terms, out);
    }
    let origin = Origin::Label(instance.pull);
    let request = DeployRequest {
        by,
        watched: RefGuard::Pull(instance.pull),
        for_pull: Some(instance.pull),
        after_closing,
        ..DeployRequest::new(environment, RequestKind::Deploy, origin, terms.now, Some(head))
    };
    out.notes.push(messages::asked(&request));
    facts.requests.insert(id.clone(), request);
    out.changed.insert(DocumentKey::Request(id));
}
