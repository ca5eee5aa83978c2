//! Messages about deploys. Names from outside are quoted.

mod open;
mod outcome;

use crate::{
    domain::{
        decision::{ConditionState, Decision},
        event::DeployState,
        fact::deploy_request::{DeployRequest, Origin, RequestEnd, RequestKind, RequestState},
        id::Sha,
        needs::Answer,
        policy::{Mode, Policy},
    },
    gate::check_run,
    text::message::{command, commit, deployment_name, forge_words, moment, plain, quoted, unlinked},
};
use std::fmt::Write as _;

use jiff::Timestamp;

pub(super) use crate::deploy::messages::open::label_removed;
pub(crate) use crate::deploy::messages::open::requests_to as open_requests_to;
pub(crate) use crate::deploy::messages::outcome::run_link;
pub(super) use crate::deploy::messages::outcome::{
    failed, let_go, never_began, no_end, not_begun, pulls, rolled_back_to, skipped, step, succeeded, under_way,
};

/// Names a request: `deploy of `abc1234` to `staging``.
pub(crate) fn what(request: &DeployRequest) -> String {
    let name = match &request.sha {
        Some(sha) => sha.code(),
        None => quoted(&request.reference),
    };
    let environment = quoted(&request.environment);
    match request.kind {
        RequestKind::Deploy => format!("deploy of {name} to {environment}"),
        RequestKind::Promote => format!("promotion of {name} to {environment}"),
        RequestKind::Rollback => format!("rollback of {environment} to {name}"),
    }
}

fn kind(request: &DeployRequest) -> &'static str {
    match request.kind {
        RequestKind::Deploy => "deploy",
        RequestKind::Promote => "promotion",
        RequestKind::Rollback => "rollback",
    }
}

/// Returns who or what asked for a deploy.
pub(crate) fn asker(request: &DeployRequest) -> String {
    match &request.origin {
        Origin::Command(id) => format!("by {} (#{})", quoted(&request.by.login), id.item),
        Origin::Tag(tag) => format!("for the tag {}", quoted(tag)),
        Origin::Merge(branch) => format!("for {}", quoted(branch)),
        Origin::Incident(_) => "because of an incident".to_owned(),
        Origin::Label(pull) => format!("for the label on #{pull}"),
    }
}

/// Returns the one-line description for the forge.
pub(super) fn description(request: &DeployRequest, carries: &str) -> String {
    let carries = if carries.is_empty() { String::new() } else { format!(": {carries}") };
    plain(&format!("{} {}{carries}", what(request), asker(request)))
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
        RequestState::Ended { how, why } => {
            format!("{}: {}", end(*how), unlinked(why.lines().next().unwrap_or_default()))
        }
    };
    format!("{} {state}", what(request))
}

fn end(how: RequestEnd) -> &'static str {
    match how {
        RequestEnd::Succeeded => "succeeded",
        RequestEnd::Failed => "failed",
        RequestEnd::Refused => "refused",
        RequestEnd::Withdrawn => "withdrawn",
        RequestEnd::NotBegun => "not deployed",
        RequestEnd::DryRunEnded => "dry run ended",
    }
}

pub(super) fn asked(request: &DeployRequest) -> String {
    format!("{} requested {}", what(request), asker(request))
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
    if policy.environment(environment).is_none_or(|rule| rule.deploy.is_none()) {
        wants.push(format!("{} under `environments:` with its `deploy:`", quoted(environment)));
    }
    format!(
        "phasebot does not deploy to {}. It needs {} in `.github/phasebot.yml`.",
        quoted(environment),
        wants.join(" and ")
    )
}

pub(super) fn way_changed(environment: &str) -> String {
    format!("the policy deploys to {} in another way now", quoted(environment))
}

pub(super) fn not_acting(policy: &Policy) -> String {
    format!("the policy says `mode: {}` now, and gates apply in `mode: act` only", policy.mode.name())
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
    format!("the deployment's own status says that it {state}")
}

pub(super) fn no_auto(environment: &str) -> String {
    format!("The policy no longer deploys to {} by itself for this.", quoted(environment))
}

pub(super) fn input_gone(name: &str) -> String {
    format!("The policy no longer allows this value of the input {}.", quoted(name))
}

pub(super) fn silent(why: &str) -> String {
    format!("phasebot writes nothing to GitHub here: {why}")
}

pub(super) fn no_name(reference: &str) -> String {
    format!(
        "{} is not a branch, tag or commit of this repository, or it is both a branch and a tag. Give the full name, \
         such as `refs/heads/NAME`.",
        quoted(reference)
    )
}

pub(super) fn name_unknown(reference: &str, answer: Option<&Answer>) -> String {
    let why = match answer {
        Some(Answer::Unavailable { why }) => format!(" ({})", forge_words(why)),
        _ => String::new(),
    };
    format!(
        "GitHub did not say which commit {} names{why}, so nothing was done. Repeat the command later.",
        quoted(reference)
    )
}

pub(super) fn moved(reference: &str, found: Option<&Sha>) -> String {
    let name = if reference.is_empty() { "The head commit".to_owned() } else { quoted(reference) };
    match found {
        Some(found) => format!(
            "{name} has moved to {} since your command. Nothing was started. Repeat the command to deploy that commit.",
            found.code()
        ),
        None => format!("{name} is gone. Nothing was started."),
    }
}

pub(super) fn foreign_job(environment: &str) -> String {
    format!("it is a job of a pull request or a fork, and {} accepts only merged changes", quoted(environment))
}

pub(super) fn pull_job(environment: &str) -> String {
    format!(
        "it is a job of a pull request at a commit that is not the head of a pull request: {} accepts merged changes, \
         and heads of open pull requests",
        quoted(environment)
    )
}

pub(super) fn deployment_unknown() -> String {
    "the job's deployment is not known yet".to_owned()
}

pub(super) fn job_commit_unknown() -> String {
    "the job's commit is not known".to_owned()
}

pub(super) fn left_its_branch(sha: Option<&Sha>) -> String {
    format!("The branch that contained {} no longer contains it. Nothing was started.", commit(sha))
}

pub(super) fn waited_too_long(why: &str) -> String {
    if why.is_empty() {
        return "It waited for 24 hours, so it was given up. Repeat the command if you still want it.".to_owned();
    }
    format!(
        "It waited for 24 hours, so it was given up. The last reason was: {why}. Repeat the command if you still want it."
    )
}

pub(super) fn the_same(other: &DeployRequest, policy: &Policy) -> String {
    format!(
        "**The same {} is already waiting or running**, asked for {} at {}. Nothing for you to do: yours would be the same.",
        kind(other),
        asker(other),
        moment(other.at, &policy.commands.zone)
    )
}

pub(super) fn finding_out() -> &'static str {
    "GitHub is being asked about it"
}

pub(super) fn busy(other: &DeployRequest, policy: &Policy) -> String {
    format!("the {} ({}) is under way since {}", what(other), asker(other), moment(other.since, &policy.commands.zone))
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
        format!("**Dry run: the {} would start now.** Nothing was started.", what(request))
    } else {
        let turn = if decision.needs_person { "It would wait for people" } else { "It would wait" };
        let mut text = format!("**Dry run: the {} would not start yet.** {turn}:\n", what(request));
        for condition in check_run::blocking(decision) {
            let _ = write!(
                text,
                "\n- {} {}: {}",
                check_run::symbol(condition),
                quoted(&condition.name),
                condition.sentence
            );
        }
        text
    };
    if let Some(other) = busy {
        let _ = write!(text, "\n\n⏳ It would wait: {}.", self::busy(other, policy));
    }
    if !request.note.is_empty() {
        let _ = write!(text, "\n\nTarget: {}", request.note);
    }
    if !carries.is_empty() {
        let _ = write!(text, "\n\n{carries}");
    }
    if !decision.standing.is_open() {
        text.push_str("\n\nNothing was started.");
    }
    text
}

pub(super) fn rolled_back() -> &'static str {
    "The environment was rolled back in the meantime, and is locked."
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
        "The incident began at {}, and {} to {} is its only suspect, so phasebot asks \
         for a rollback, which passes the environment's gate like one by a person. {words}\n\nOnce it starts, the \
         environment is locked: {} ends that. Name the cause with `/cause REF`.",
        moment(since, &policy.commands.zone),
        deployment_name(deployment),
        quoted(environment),
        command(&["unlock", environment]),
    )
}

/// Returns how an automatic rollback ended, for its incident's issue.
pub(super) fn automatic_rollback_ended(how: RequestEnd, why: &str) -> String {
    match how {
        RequestEnd::Succeeded | RequestEnd::DryRunEnded => why.to_owned(),
        RequestEnd::Failed | RequestEnd::NotBegun => format!("**The rollback failed.** {why}"),
        RequestEnd::Refused | RequestEnd::Withdrawn => format!("**Not rolled back.** {why}"),
    }
}

pub(super) fn not_due() -> &'static str {
    "The incident is over, its cause was named, or something else was deployed."
}

pub(super) fn repeated() -> &'static str {
    "The command was repeated with `replace`."
}

pub(super) fn newer_came() -> &'static str {
    "A newer deploy replaces it."
}

pub(super) fn nothing_reported() -> String {
    "GitHub did not report what it created, so the deploy was given up and the environment is free again. Check the \
     environment before you repeat the command."
        .to_owned()
}

pub(super) fn not_started(why: &str) -> String {
    format!("Nothing was started: {}. Repeat the command when that is fixed.", forge_words(why))
}

pub(super) fn mismatch(wanted: Option<&Sha>, found: &Sha) -> String {
    format!("The run used {} instead of {}, so it was cancelled.", found.code(), commit(wanted))
}

// ── The status comment ──

/// Returns the state of a request in a word or two.
pub(crate) fn state_word(request: &DeployRequest) -> &'static str {
    match &request.state {
        RequestState::Asked => "starting",
        RequestState::Waiting(_) => "waiting",
        RequestState::Starting(_) | RequestState::Running => "running",
        RequestState::Ended { how, .. } => end(*how),
    }
}

/// Returns whether a request waits for something other than its gate: another deploy, or an answer.
pub(crate) fn waits_for_another(why: &str) -> bool {
    why == finding_out() || why.contains("is under way since")
}

pub(super) fn pull_closed() -> &'static str {
    "The pull request was closed."
}

/// Returns that an environment is to be torn down, and why.
pub(super) fn torn_down(environment: &str, is_closed: bool) -> String {
    let why = if is_closed { "its pull request is closed" } else { "its time is over" };
    format!("{} is to be torn down: {why}", quoted(environment))
}

/// Returns what to do about a teardown that failed.
pub(super) fn not_torn_down(environment: &str, workflow: &str, why: &str) -> String {
    format!(
        "**{} still exists.** phasebot could not start {} to tear it down: {why}. Run the workflow by hand.",
        quoted(environment),
        quoted(workflow),
    )
}
