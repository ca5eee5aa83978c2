//! Messages about deploys. Names from outside are quoted.

use crate::{
    domain::{
        decision::{ConditionState, Decision},
        event::{DeployState, RunOutcome},
        fact::{
            RepoFacts,
            deploy_request::{DeployRequest, Origin, RequestEnd, RequestKind, RequestState, RunFacts},
        },
        id::Sha,
        needs::Answer,
        policy::{Mode, Policy},
    },
    text::message::{command, commit, forge_reason, moment, quoted},
};
use std::fmt::Write as _;

use jiff::Timestamp;

fn what(request: &DeployRequest) -> String {
    let name = match &request.sha {
        Some(sha) => quoted(&sha.short()),
        None => quoted(&request.reference),
    };
    let environment = quoted(&request.environment);
    match request.kind {
        RequestKind::Deploy => format!("deploy of {name} to {environment}"),
        RequestKind::Promote => format!("promotion of {name} to {environment}"),
        RequestKind::Rollback => format!("rollback of {environment} to {name}"),
    }
}

/// Returns who or what asked for a deploy.
pub(crate) fn asker(request: &DeployRequest) -> String {
    match &request.origin {
        Origin::Command(id) => format!("by {} (#{})", quoted(&request.by.login), id.item),
        Origin::Tag(tag) => format!("for the tag {}", quoted(tag)),
        Origin::Merge(branch) => format!("for {}", quoted(branch)),
        Origin::Incident(_) => "because of an incident".to_owned(),
    }
}

/// Returns the one-line description for the forge.
pub(super) fn description(request: &DeployRequest, carries: &str) -> String {
    let carries = if carries.is_empty() { String::new() } else { format!(": {carries}") };
    format!("{} {}{carries}", what(request), asker(request)).replace('`', "")
}

/// Returns a request's state, for a delivery's notes.
pub(super) fn state(request: &DeployRequest) -> String {
    let state = match &request.state {
        RequestState::Asked => "asked for".to_owned(),
        RequestState::Waiting(why) if why.is_empty() => "asked for".to_owned(),
        RequestState::Waiting(why) => format!("waits: {why}"),
        RequestState::Starting(_) => "starts".to_owned(),
        RequestState::Running => "has begun".to_owned(),
        RequestState::Ended { how: RequestEnd::Succeeded, .. } => "succeeded".to_owned(),
        RequestState::Ended { how, why } => format!("{}: {}", end(*how), why.lines().next().unwrap_or_default()),
    };
    format!("{} {state}", what(request))
}

fn end(how: RequestEnd) -> &'static str {
    match how {
        RequestEnd::Succeeded => "succeeded",
        RequestEnd::Failed => "failed",
        RequestEnd::Refused => "refused",
        RequestEnd::Withdrawn => "withdrawn",
        RequestEnd::Told => "only told",
    }
}

pub(super) fn asked(request: &DeployRequest) -> String {
    format!("{} is wanted {}", what(request), asker(request))
}

pub(super) fn passed(request: &DeployRequest, decision: &Decision) -> String {
    let waived: Vec<String> = decision
        .conditions
        .iter()
        .filter(|condition| condition.standing == ConditionState::Waived)
        .map(|condition| quoted(&condition.name))
        .collect();
    let waived = if waived.is_empty() { String::new() } else { format!(", waived: {}", waived.join(", ")) };
    format!("the gate of {} is open{waived}", quoted(&request.environment))
}

// ── Reasons against a deploy ──

pub(super) fn not_ours(policy: &Policy, environment: &str) -> String {
    let mut wants = Vec::new();
    if policy.mode != Mode::Act {
        wants.push("`mode: act`".to_owned());
    }
    if policy.environments.get(environment).is_none_or(|rule| rule.deploy.is_none()) {
        wants.push(format!("{} under `environments:` with its `deploy:`", quoted(environment)));
    }
    format!("phasebot does not deploy there. It takes {} in `.github/phasebot.yml`.", wants.join(" and "))
}

pub(super) fn way_changed(environment: &str) -> String {
    format!("the policy deploys to {} in another way now", quoted(environment))
}

pub(super) fn not_acting(policy: &Policy) -> String {
    format!("the policy says `mode: {}` now, and gates apply in `mode: act` only", mode(policy.mode))
}

fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Observe => "observe",
        Mode::Label => "label",
        Mode::Act => "act",
    }
}

pub(super) fn no_gate(gate: &str, tag: &str) -> String {
    format!("the policy has no gate {} before a draft of {} any more", quoted(gate), quoted(tag))
}

pub(super) fn no_publish(gate: &str) -> String {
    format!("the gate {} no longer says `publish: true`", quoted(gate))
}

pub(super) fn no_notes(gate: &str) -> String {
    format!("the gate {} no longer says `notes: true`", quoted(gate))
}

pub(super) fn no_violations(gate: &str) -> String {
    format!("the policy no longer asks for issues about tags that break the gate {}", quoted(gate))
}

pub(super) fn draft_gone(tag: &str) -> String {
    format!("there is no draft of {} any more", quoted(tag))
}

pub(super) fn draft_commit_unknown(tag: &str) -> String {
    format!("it is not known which commit the draft of {} is of", quoted(tag))
}

pub(super) fn status_over(state: DeployState) -> String {
    let state = match state {
        DeployState::Waiting => "waits",
        DeployState::InProgress => "is in progress",
        DeployState::Success => "has succeeded",
        DeployState::Failure => "has failed",
        DeployState::Inactive => "is inactive",
    };
    format!("the deployment {state} by its own word")
}

pub(super) fn no_auto(environment: &str) -> String {
    format!("The policy no longer deploys to {} by itself for this.", quoted(environment))
}

pub(super) fn input_gone(name: &str) -> String {
    format!("The policy no longer allows this value of the input {}.", quoted(name))
}

pub(super) fn silent(why: &str) -> String {
    format!("nothing is written to the forge here: {why}")
}

pub(super) fn no_name(reference: &str) -> String {
    format!(
        "{} is no branch, tag or commit of this repository, or is both a branch and a tag: name another.",
        quoted(reference)
    )
}

pub(super) fn name_unknown(reference: &str, answer: Option<&Answer>) -> String {
    let why = match answer {
        Some(Answer::Unavailable { why }) => format!(" ({})", forge_reason(why)),
        _ => String::new(),
    };
    format!(
        "The forge did not say which commit {} names{why}, so nothing was done. Repeat the command later.",
        quoted(reference)
    )
}

pub(super) fn moved(reference: &str, found: Option<&Sha>) -> String {
    let name = if reference.is_empty() { "The head commit".to_owned() } else { quoted(reference) };
    match found {
        Some(found) => format!(
            "{name} has moved to {} since you said it. Nothing was started; say it again if you mean that one.",
            quoted(&found.short())
        ),
        None => format!("{name} is gone. Nothing was started."),
    }
}

pub(super) fn foreign_job(environment: &str) -> String {
    format!("it is a job of a pull request or a fork, and {} takes only what is merged", quoted(environment))
}

pub(super) fn pull_job(environment: &str) -> String {
    format!(
        "it is a job of a pull request at a commit that is no pull request's head: {} takes what was merged, and heads \
         of open pull requests",
        quoted(environment)
    )
}

pub(super) fn deployment_unknown() -> String {
    "the deployment that the job made is not known yet".to_owned()
}

pub(super) fn job_commit_unknown() -> String {
    "the job's commit is not known".to_owned()
}

pub(super) fn left_its_branch(sha: Option<&Sha>) -> String {
    format!("The branch that held {} holds it no more. Nothing was started.", commit(sha))
}

pub(super) fn waited_too_long(why: &str) -> String {
    if why.is_empty() {
        return "It waited for 24 hours and was given up.".to_owned();
    }
    format!("It waited for 24 hours and was given up; last it waited because: {why}")
}

pub(super) fn the_same(other: &DeployRequest, policy: &Policy) -> String {
    format!(
        "The same was asked for already {} at {}, and is not over.",
        asker(other),
        moment(other.at, &policy.commands.zone)
    )
}

pub(super) fn finding_out() -> &'static str {
    "the forge is asked how things stand"
}

pub(super) fn busy(other: &DeployRequest, policy: &Policy) -> String {
    format!("the {} is under way {}, since {}", what(other), asker(other), moment(other.since, &policy.commands.zone))
}

/// Returns the reasons why a gate is closed, condition by condition.
pub(crate) fn closed(decision: &Decision) -> String {
    let closed = decision.conditions.iter().filter(|condition| !condition.standing.is_open());
    let lines: Vec<String> = closed.map(|c| format!("{}: {}", quoted(&c.name), c.sentence)).collect();
    if lines.is_empty() { "the gate is not open".to_owned() } else { lines.join("; ") }
}

pub(super) fn would(
    request: &DeployRequest,
    decision: &Decision,
    busy: Option<&DeployRequest>,
    carries: &str,
    policy: &Policy,
) -> String {
    let mut text = if decision.standing.is_open() {
        format!("Nothing was done. The {} would start now", what(request))
    } else {
        format!("Nothing was done. The {} would not start now: {}", what(request), closed(decision))
    };
    if let Some(other) = busy {
        let _ = write!(text, "; {}", self::busy(other, policy));
    }
    format!("{text}.\n\n{carries}")
}

pub(super) fn rolled_back() -> &'static str {
    "The environment was rolled back meanwhile, and is locked."
}

/// Returns the comment on the incident's issue that announces an automatic rollback.
pub(super) fn rolls_back_automatically(
    environment: &str,
    deployment: u64,
    since: Timestamp,
    words: &str,
    policy: &Policy,
) -> String {
    format!(
        "The incident began at {}, and deployment {deployment} to {} is its only suspect, so phasebot rolls it back. \
         {words}\n\nThe rollback locks the environment: {} ends that. Name the cause with `/cause REF`.",
        moment(since, &policy.commands.zone),
        quoted(environment),
        command(&["unlock", environment]),
    )
}

pub(super) fn not_due() -> &'static str {
    "The incident is over, its cause was named, or something else was deployed."
}

pub(super) fn repeated() -> &'static str {
    "It was repeated with `replace`."
}

pub(super) fn newer_came() -> &'static str {
    "A newer one came."
}

pub(super) fn forge_failed(why: &str) -> String {
    format!("The request failed: {}.", forge_reason(why))
}

pub(super) fn not_started(why: &str) -> String {
    format!("Nothing was started: {}.", forge_reason(why))
}

pub(super) fn mismatch(wanted: Option<&Sha>, found: &Sha) -> String {
    format!("The run used {} instead of {}, so it was cancelled.", quoted(&found.short()), commit(wanted))
}

// ── Outcome ──

pub(super) fn under_way() -> &'static str {
    "A workflow run deploys it."
}

pub(super) fn succeeded(request: &DeployRequest) -> String {
    let carries = if request.carries.is_empty() { String::new() } else { format!(", with {}", request.carries) };
    format!("{} runs in {}{carries}", commit(request.sha.as_ref()), quoted(&request.environment))
}

pub(super) fn failed(request: &DeployRequest, run: Option<&RunFacts>) -> String {
    let run = run.map(|run| {
        let how = if run.outcome == RunOutcome::Cancelled { "was cancelled" } else { "did not succeed" };
        format!(" The run of {} {how}.", quoted(&run.workflow))
    });
    format!("The {} failed.{} See `/rollback`.", what(request), run.unwrap_or_default())
}

pub(super) fn skipped() -> String {
    "Every job of its workflow runs was skipped: nothing was deployed.".to_owned()
}

pub(super) fn never_began() -> String {
    "No workflow run began within 5 minutes, so it was given up and the environment is free again. Is there a workflow \
     that runs `on: deployment`, or one that takes the input `phasebot_request` and shows it in its `run-name`?"
        .to_owned()
}

pub(super) fn let_go() -> &'static str {
    "The environment was unlocked, so phasebot stopped tracking the deploy. The workflow keeps running."
}

pub(super) fn no_end() -> String {
    "The forge did not report its end within 24 hours, so it was given up and the environment is free again.".to_owned()
}

// ── The status comment ──

/// Returns lines about the open deploys that were requested on an item.
pub fn open_requests(facts: &RepoFacts, item: u64, policy: &Policy) -> Vec<String> {
    let open = facts.open_requests().map(|(_, request)| request).filter(|request| request.item() == Some(item));
    in_order(open.collect()).into_iter().map(|request| format!("- {}", open_request(request, policy))).collect()
}

/// Returns lines about the open deploys to an environment (lower case).
pub(crate) fn open_requests_to(facts: &RepoFacts, environment: &str, policy: &Policy) -> Vec<String> {
    let open = facts.open_requests().map(|(_, request)| request).filter(|r| r.environment == environment && !r.dry_run);
    in_order(open.collect()).into_iter().map(|request| open_request(request, policy)).collect()
}

fn in_order(mut open: Vec<&DeployRequest>) -> Vec<&DeployRequest> {
    open.sort_by_key(|request| request.at);
    open
}

fn open_request(request: &DeployRequest, policy: &Policy) -> String {
    let since = moment(request.since, &policy.commands.zone);
    let state = match &request.state {
        RequestState::Asked => "is looked up".to_owned(),
        RequestState::Waiting(why) if why.is_empty() => "waits".to_owned(),
        RequestState::Waiting(why) => format!("waits: {why}"),
        RequestState::Starting(_) => "starts".to_owned(),
        RequestState::Running | RequestState::Ended { .. } => "is under way".to_owned(),
    };
    format!("{} by {}, since {since}: {state}", what(request), quoted(&request.by.login))
}
