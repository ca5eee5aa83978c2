//! `deployed`: the same commit runs in another environment, for at least the soak time. Within a
//! service, a commit that differs only in changes of other services counts as the same.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::{
    commits::services::Touched,
    context::EvalContext,
    domain::{decision::GateName, event::DeployState, id::Sha, needs::Need, service::Scope, turn::Turn},
    environment::history::{Attempt, History, Run, RunEnd},
    gate::{ConditionContext, condition_result::ConditionResult, contents::Unknown},
    text::message::{self, deployment_name, quoted},
};

/// Time after which a deployment without a reported end no longer counts as under way.
const LONGEST_RUN: SignedDuration = SignedDuration::from_hours(24);
/// Limit on the deployments that are searched for a commit that no longer runs there.
const MOST_BACK: usize = 100;

pub(super) fn evaluate(ctx: ConditionContext<'_, '_>, environment: &str, soak: SignedDuration) -> ConditionResult {
    let history = ctx.eval.history(environment);
    let place = quoted(environment);
    let short = ctx.subject.sha.code();
    let deploy = || ctx.deploys(&ctx.subject.sha, environment);
    // A waiting or merely requested deployment has changed nothing there yet.
    if history.attempts_since(Timestamp::MIN).next().is_none() {
        return ConditionResult::wait("deployed_missing", format!("nothing is deployed to {place} yet"), deploy())
            .by_hand();
    }
    let current = history.current();
    let recently = ctx.eval.now.checked_sub(LONGEST_RUN).unwrap_or(Timestamp::MIN);
    let since = current.map_or(recently, |run| run.succeeded.min(recently));
    if let Some(finding) = history.attempts_since(since).find_map(|attempt| tried(ctx, environment, attempt, current)) {
        return finding;
    }
    match current {
        Some(run) => match run.commit {
            None => run_unknown(&place, run.deployment),
            Some(commit) if run.facts.source.is_some() && !history.is_evident(run.deployment) => {
                let words =
                    format!("only a report says that {place} runs {}, where phasebot deploys itself", commit.code());
                ConditionResult::wait("deployed_missing", words, deploy()).by_hand()
            }
            Some(commit) if *commit == ctx.subject.sha => soaked(ctx, &short, environment, soak, run.from),
            Some(commit) => match same_for_service(ctx, environment, commit) {
                Ok(Some(service)) => {
                    let runs = format!("{} (the same as {short} for {})", commit.code(), quoted(service));
                    soaked(ctx, &runs, environment, soak, run.from)
                }
                Ok(None) => missing(ctx, environment, history, &format!("{place} runs {}", commit.code())),
                Err(unknown) => unknown.finding(ctx, "deployed", "what else that commit brings"),
            },
        }
        .seen(Some(run.from)),
        None => gone(ctx, environment, history),
    }
}

/// Returns the result that another deployment than the running one implies, if any: one of the same
/// commit that failed since, or one that is under way.
fn tried(
    ctx: ConditionContext<'_, '_>,
    environment: &str,
    attempt: Attempt<'_>,
    current: Option<Run<'_>>,
) -> Option<ConditionResult> {
    if current.is_some_and(|run| run.deployment == attempt.deployment) {
        return None;
    }
    let place = &quoted(environment);
    let name = |commit: Option<&Sha>| commit.unwrap_or(&ctx.subject.sha).code();
    // What is not known to differ may be the same.
    let may_be_same =
        |commit: &Sha| *commit == ctx.subject.sha || !matches!(same_for_service(ctx, environment, commit), Ok(None));
    let is_the_same = || attempt.commit.is_some_and(may_be_same);
    let runs_here = || current.and_then(|run| run.commit).is_some_and(may_be_same);
    let status = attempt.facts.statuses.last()?;
    let is_newer = current.is_none_or(|run| status.at >= run.succeeded);
    let finding = match status.state {
        DeployState::Waiting | DeployState::InProgress if ctx.eval.now.duration_since(status.at) > LONGEST_RUN => {
            return None;
        }
        DeployState::Waiting | DeployState::InProgress if is_the_same() => {
            let words = format!("{} is being deployed to {place}", name(attempt.commit));
            ConditionResult::unknown("deployed_running", words, Turn::by_itself("phasebot waits for its end"))
        }
        DeployState::Waiting | DeployState::InProgress if runs_here() => {
            let other = attempt.commit.map_or_else(|| "another commit".to_owned(), Sha::code);
            ConditionResult::unknown(
                "deployed_replacing",
                format!(
                    "{place} runs {}, and {other} is being deployed there",
                    name(current.and_then(|run| run.commit))
                ),
                Turn::by_itself("phasebot waits for its end"),
            )
        }
        DeployState::Failure if is_newer && is_the_same() => {
            let words = format!("the deploy of {} to {place} failed", name(attempt.commit));
            ConditionResult::fail("deployed_failed", words, ctx.deploys(&ctx.subject.sha, environment))
        }
        DeployState::Failure if is_newer && attempt.commit.is_none() => run_unknown(place, attempt.deployment),
        DeployState::Waiting
        | DeployState::InProgress
        | DeployState::Success
        | DeployState::Failure
        | DeployState::Inactive => return None,
    };
    Some(finding.seen(Some(status.at)))
}

/// Returns the service to which both the subject and the environment belong, if another commit is
/// the same for it: everything in which they differ is known to belong to other services.
fn same_for_service<'f>(
    ctx: ConditionContext<'_, 'f>,
    environment: &str,
    commit: &Sha,
) -> Result<Option<&'f str>, Unknown> {
    let (eval, sha) = (ctx.eval, &ctx.subject.sha);
    let scope = match (&ctx.subject.gate, ctx.subject.tags.first()) {
        (GateName::Deploy(own), _) => eval.policy.scope_of_environment(own),
        (GateName::Release(_), Some(tag)) => eval.policy.scope_of_tag(tag),
        (GateName::Release(_), None) => return Ok(None),
    };
    if scope.service_name().is_none() || scope != eval.policy.scope_of_environment(environment) {
        return Ok(None);
    }
    for (base, head) in [(commit, sha), (sha, commit)] {
        let Some(commits) = eval.ask_commits_between(base, head) else {
            return Err(Unknown::Ask(Need::Commits { base: Some(base.clone()), head: head.clone() }));
        };
        // Files of no service may concern every one.
        let is_of_others = |services: &BTreeSet<&str>| {
            !services.is_empty() && !services.iter().any(|service| Scope::Service(service) == scope)
        };
        let mut is_told = true;
        for commit in commits {
            match eval.touched_by(commit) {
                Touched::Known(services) if !is_of_others(&services) => return Ok(None),
                Touched::Known(_) => {}
                Touched::Cut => return Ok(None),
                Touched::Unknown => is_told = false,
            }
        }
        if !is_told && !are_files_of_others(eval, base, head, is_of_others)? {
            return Ok(None);
        }
    }
    Ok(scope.service_name())
}

/// Returns whether each file of a comparison belongs to services that `is_of_others` accepts.
fn are_files_of_others(
    eval: &EvalContext<'_>,
    base: &Sha,
    head: &Sha,
    is_of_others: impl Fn(&BTreeSet<&str>) -> bool,
) -> Result<bool, Unknown> {
    if let Some(parts) = eval.parts_between(base, head) {
        return Ok(parts.iter().all(is_of_others));
    }
    let need = Need::FilesBetween { base: base.clone(), head: head.clone() };
    // A list that is cut, or that the forge does not give, shows no sameness.
    if eval.facts.answers.contains_key(&need) { Ok(false) } else { Err(Unknown::Ask(need)) }
}

fn run_unknown(place: &str, deployment: u64) -> ConditionResult {
    let words = format!("it is not known yet which commit {} deployed to {place}", deployment_name(deployment));
    let turn = Turn::by_itself("phasebot waits for the workflow run to report its commit");
    ConditionResult::unknown("deployed_run_unknown", words, turn)
}

/// Returns the result if another commit runs, or none.
fn missing(ctx: ConditionContext<'_, '_>, environment: &str, history: History<'_>, has: &str) -> ConditionResult {
    let (short, deploy) = (ctx.subject.sha.code(), ctx.deploys(&ctx.subject.sha, environment));
    let mut earlier = history.attempts_since(Timestamp::MIN).take(MOST_BACK);
    if earlier.any(|attempt| attempt.commit == Some(&ctx.subject.sha)) {
        ConditionResult::fail("deployed_replaced", format!("{has}, which replaced {short}"), deploy)
    } else {
        ConditionResult::wait("deployed_missing", format!("{has}, not {short}"), deploy).by_hand()
    }
}

/// Returns the result if nothing runs there any more, or nothing ever has.
fn gone(ctx: ConditionContext<'_, '_>, environment: &str, history: History<'_>) -> ConditionResult {
    let (short, place) = (ctx.subject.sha.code(), quoted(environment));
    let deploy = ctx.deploys(&ctx.subject.sha, environment);
    let last = history.backwards().next();
    let Some(last) = last.filter(|run| run.commit == Some(&ctx.subject.sha)) else {
        return ConditionResult::wait("deployed_missing", format!("nothing runs in {place}"), deploy).by_hand();
    };
    match last.end {
        Some(RunEnd::Failed) => {
            ConditionResult::fail("deployed_failed", format!("the deploy of {short} to {place} failed"), deploy)
        }
        _ => ConditionResult::fail("deployed_gone", format!("{short} no longer runs in {place}"), deploy),
    }
    .seen(last.until)
}

/// Returns the result while what `runs` names runs there since `success`.
fn soaked(
    ctx: ConditionContext<'_, '_>,
    runs: &str,
    environment: &str,
    soak: SignedDuration,
    success: Timestamp,
) -> ConditionResult {
    let eval = ctx.eval;
    let place = quoted(environment);
    if soak.is_zero() {
        return ConditionResult::pass("deployed", format!("{runs} runs in {place}"));
    }
    // An incident without an environment concerns this one, too.
    let times = [environment, ""].into_iter().filter_map(|name| eval.disturbances().get(name)).flatten();
    let incidents: Vec<_> =
        times.filter(|(from, until)| *from <= eval.now && until.is_none_or(|until| until > success)).collect();
    if incidents.iter().any(|(_, until)| until.is_none_or(|until| until > eval.now)) {
        let turn = Turn::people("whoever is on call", "end the incident");
        return ConditionResult::wait("deployed_incident", format!("an incident is open on {place}"), turn).by_hand();
    }
    let quiet_since = incidents.iter().filter_map(|(_, until)| *until).max().unwrap_or(success).max(success);
    let ripe = quiet_since.checked_add(soak).unwrap_or(Timestamp::MAX);
    let long = message::duration(soak);
    if eval.now >= ripe {
        return ConditionResult::pass("deployed", format!("{runs} has run in {place} for {long}"));
    }
    let turn = ctx.at("phasebot waits until", ripe);
    ConditionResult::wait("deployed_soaking", format!("{runs} has to run in {place} for {long}"), turn)
        .turns(Some(ripe))
}
