//! `/deploy`: deploys a commit to an environment.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    command::{
        Place, Row,
        grammar::{Given, Kind, Value, may, must},
        messages,
        run::{CommandResult, Invocation},
    },
    context::EvalContext,
    domain::{
        effect::RefGuard,
        fact::{deploy_request::RequestKind, lock::LockOwner},
        id::{Account, Sha},
        policy::{self, Mode},
        rule::{EnvironmentRule, name_key},
    },
    gate::target,
    text::headline::Headline,
};

pub(super) static ROW: Row = Row {
    name: policy::DEPLOY.0,
    forms: &[&[
        must("ENV", Kind::Word),
        may("ref", Kind::Key(Value::Ref)),
        may("key=value", Kind::Pairs),
        may("dry-run", Kind::Flag),
        may("replace", Kind::Flag),
    ]],
    least: policy::DEPLOY.1,
    place: Place::Anywhere,
    // A fork's head needs the environment's permission and a review by someone who may write.
    forks: true,
    help: "Deploys to an environment; `dry-run` shows what would happen, `replace` replaces the lock that you hold for another item",
    run,
};

fn run(turn: &mut Invocation<'_>, given: &Given) -> CommandResult {
    let (environment, rule) = match place(turn, given) {
        Ok(found) => found,
        Err(answer) => return answer,
    };
    // A dry run starts nothing, and its reply shows the lock.
    if !given.has("dry-run")
        && let Some(why) = locked_elsewhere(turn, given, &environment)
    {
        return CommandResult::Refused(why);
    }
    let inputs = match inputs(&rule, &given.pairs) {
        Ok(inputs) => inputs,
        Err(why) => return CommandResult::Misread(why),
    };
    let (reference, watched, sha) = match meant(turn, given, &environment) {
        Ok(found) => found,
        Err(why) => return CommandResult::Refused(why),
    };
    let mut request = turn.ask(&environment, RequestKind::Deploy, &reference, watched, sha);
    if let Some(made) = &rule.per_pull {
        if !given.has("dry-run") && !crate::deploy::has_room(turn.facts, turn.policy, made, &environment) {
            return CommandResult::Refused(messages::no_room(made));
        }
        request.for_pull = Some(turn.id.item);
        request.after_closing = turn.item().and_then(crate::domain::fact::item::ItemFacts::last_closing);
    }
    request.inputs = inputs;
    request.dry_run = given.has("dry-run");
    request.replace = given.has("replace");
    CommandResult::Deploy(Box::new(request))
}

/// Returns the environment that the command names, if phasebot deploys there.
pub(super) fn place(turn: &Invocation<'_>, given: &Given) -> Result<(String, EnvironmentRule), CommandResult> {
    let mut environment = turn.environment(given.text("ENV")).map_err(CommandResult::Misread)?;
    if let Some(name) = own_environment(turn, given, &environment)? {
        environment = name;
    }
    let rule = turn.policy.environment(&environment).filter(|rule| rule.deploy.is_some());
    match rule.filter(|_| turn.policy.mode == Mode::Act) {
        Some(rule) => Ok((environment, rule.clone())),
        None => Err(CommandResult::Refused(crate::deploy::no_deploys(turn.facts, turn.policy, &environment))),
    }
}

/// Returns the name of the environment that is made for the pull request on which the command is
/// written, if it names one that is.
fn own_environment(turn: &Invocation<'_>, given: &Given, named: &str) -> Result<Option<String>, CommandResult> {
    let number = turn.id.item;
    let (made, pull) = match (turn.policy.environments.get(named), turn.policy.instance(named)) {
        (Some(EnvironmentRule { per_pull: Some(made), .. }), _) => (made, number),
        (_, Some(instance)) => (instance.made, instance.pull),
        _ => return Ok(None),
    };
    let is_open = turn.item().is_some_and(|item| item.is_pull && item.closed(turn.now).is_none());
    if pull != number || !is_open || given.optional("ref").is_some() {
        return Err(CommandResult::Refused(messages::only_for_its_pull(made)));
    }
    Ok(Some(name_key(&made.name_for(number))))
}

/// Returns why a deploy from here needs `replace`, if it does and the command lacks it: its
/// requester holds the environment's lock for another item.
pub(super) fn locked_elsewhere(turn: &Invocation<'_>, given: &Given, environment: &str) -> Option<Headline> {
    let locks = turn.facts.locks(turn.now);
    let lock = locks.get(environment).filter(|_| !given.has("replace"))?;
    let owner = lock.owner(&turn.request.by, Some(turn.id.item));
    matches!(owner, LockOwner::OtherItem(_)).then(|| messages::locked_for_other_item(turn.verb, lock, turn.policy))
}

/// Returns the inputs, if the policy declares each and allows its value.
fn inputs(rule: &EnvironmentRule, given: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>, Headline> {
    let declared = rule.deploy.as_ref().map(|deploy| &deploy.inputs);
    for (name, value) in given {
        let Some(values) = declared.and_then(|declared| declared.get(name)) else {
            let known = declared.into_iter().flatten().map(|(name, _)| name.as_str());
            return Err(messages::no_input(name, &known.collect::<Vec<_>>()));
        };
        if !values.contains(value) {
            return Err(messages::no_value(name, value, values));
        }
    }
    Ok(given.clone())
}

/// Returns what is to be deployed: its name, the ref that must not move, and the commit if known.
fn meant(
    turn: &mut Invocation<'_>,
    given: &Given,
    environment: &str,
) -> Result<(String, RefGuard, Option<Sha>), Headline> {
    if let Some(name) = given.optional("ref") {
        return Ok((name.to_owned(), RefGuard::Commit, None));
    }
    let number = turn.id.item;
    if !turn.item().is_some_and(|item| item.is_pull) {
        let branch = turn.facts.default_branch().to_owned();
        return Ok((branch.clone(), RefGuard::Branch(branch), None));
    }
    if let Some(merge) = turn.facts.pull(number).and_then(|pull| pull.merged.as_ref()) {
        if turn.request.waited && merge.at > turn.request.at {
            return Err(messages::merged_meanwhile(number));
        }
        return Ok((String::new(), RefGuard::Commit, Some(merge.sha.clone())));
    }
    if turn.item().is_some_and(|item| item.closed(turn.now).is_some()) {
        return Err(messages::closed_unmerged());
    }
    let known = turn.request.commit(turn.facts).cloned();
    let Some(known) = known else {
        let found = turn.standing.head.as_ref().and_then(|head| head.as_ref().ok()).map(|head| head.sha.clone());
        if let Some(sha) = &found {
            turn.learn_head(sha);
        }
        return Err(messages::head_unknown(found.as_ref()));
    };
    let newest = turn.facts.pull(number).and_then(|facts| facts.shape.as_ref());
    if let Some(found) = newest.map(|shape| &shape.value.head_sha).filter(|found| **found != known) {
        return Err(messages::head_moved(&known, found));
    }
    let eval = EvalContext::new(turn.facts, turn.policy, turn.now);
    let access = |account: &Account| eval.may_write(account, None);
    let may = target::unmerged_pull(turn.facts, turn.policy, environment, number, &known, &access);
    match may {
        Ok(()) => Ok((String::new(), RefGuard::Pull(number), Some(known))),
        // A reviewer's write access is not known yet: it is asked along with the commit.
        Err(_) if !eval.take_wants().is_empty() => Ok((known.to_string(), RefGuard::Pull(number), None)),
        Err(refusal) => Err(refusal.why().with(format!("The commit is {}.", known.code()))),
    }
}

/// Returns the refusal if in one of these environments another commit runs than when a command that
/// had to wait was written: its author did not mean that one.
pub(super) fn changed_meanwhile<'e>(
    turn: &Invocation<'_>,
    environments: impl IntoIterator<Item = &'e String>,
) -> Option<Headline> {
    let eval = EvalContext::new(turn.facts, turn.policy, turn.now);
    let mut environments = environments.into_iter().filter(|_| turn.request.waited);
    let changed = environments
        .find(|environment| eval.history(environment).current().is_some_and(|run| run.from > turn.request.at));
    changed.map(|environment| messages::changed_meanwhile(environment))
}

impl Invocation<'_> {
    /// Returns the keys of the known environments.
    pub(super) fn environments(&self) -> BTreeSet<&str> {
        let recorded = self.facts.deployments.index().environments.keys();
        self.policy.environments.keys().chain(recorded).map(String::as_str).collect()
    }
}
