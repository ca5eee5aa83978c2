//! Messages about deploys. Names from outside are quoted.

mod gate;
mod job;
mod open;
mod outcome;

use crate::{
    context::rights::WRITERS,
    domain::{
        decision::{ConditionState, Decision},
        event::DeployState,
        fact::{
            RepoFacts,
            deploy_request::{DeployRequest, Origin, RequestEnd, RequestKind, RequestState},
        },
        id::Sha,
        needs::Answer,
        policy::{FILE, Mode, Policy},
        turn::Turn,
    },
    text::{
        headline::Headline,
        links::Links,
        message::{command, commit, deployment_name, forge_words, moment, plain, quoted, sentence, unlinked},
    },
};

use jiff::Timestamp;

pub(crate) use crate::deploy::messages::gate::gate_closed;
pub(super) use crate::deploy::messages::gate::would;
pub(super) use crate::deploy::messages::job::{
    deployment_unknown, foreign_job, job_blocked, job_commit_unknown, job_starts, job_waits, pull_job,
};
pub(super) use crate::deploy::messages::open::label_removed;
pub(crate) use crate::deploy::messages::open::requests_to as open_requests_to;
pub(super) use crate::deploy::messages::outcome::{
    failed, let_go, let_go_before_start, never_began, no_end, not_begun, pulls, rolled_back_to, skipped, step,
    succeeded, under_way,
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
            format!("{}: {}", end(*how), unlinked(&sentence(why.summary())).trim_end_matches('.'))
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

/// Returns what the policy lacks before phasebot deploys to an environment.
pub(crate) fn no_deploys(facts: &RepoFacts, policy: &Policy, environment: &str) -> Headline {
    let mut wants = Vec::new();
    if policy.mode != Mode::Act {
        wants.push("`mode: act`".to_owned());
    }
    if policy.environment(environment).is_none_or(|rule| rule.deploy.is_none()) {
        wants.push(format!("{} under `environments:` with its `deploy:`", quoted(environment)));
    }
    let file = Links::of(facts).edit_policy(&format!("`{FILE}`"));
    let turn = Turn::people(WRITERS, format!("add {} to {file}", wants.join(" and ")));
    let headline = Headline::new(format!("phasebot does not deploy to {}", quoted(environment)), turn);
    if policy.mode == Mode::Act { headline } else { headline.with("```yaml\nmode: act\n```") }
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

pub(super) fn no_auto(environment: &str) -> Headline {
    Headline::new(format!("the policy no longer deploys to {} by itself for this", quoted(environment)), Turn::Nobody)
}

pub(super) fn input_gone(name: &str) -> Headline {
    let state = format!("the policy no longer allows this value of the input {}", quoted(name));
    Headline::new(state, Turn::asker("repeat the command with another value"))
}

pub(super) fn silent(why: &str) -> String {
    format!("phasebot writes nothing to GitHub here: {why}")
}

pub(super) fn no_name(reference: &str) -> Headline {
    let name = quoted(reference);
    Headline::new(
        format!("{name} is not a branch, tag or commit of this repository, or it is both a branch and a tag"),
        Turn::asker("repeat the command with the full name, such as `refs/heads/NAME`"),
    )
}

pub(super) fn name_unknown(reference: &str, answer: Option<&Answer>) -> Headline {
    let why = match answer {
        Some(Answer::Unavailable { why }) => format!(" ({})", forge_words(why)),
        _ => String::new(),
    };
    let state = format!("GitHub did not say which commit {} names{why}, so nothing was done", quoted(reference));
    Headline::new(state, Turn::asker("repeat the command later"))
}

/// Returns that a name moved from a commit, if that is known, to another one, or is gone.
pub(super) fn moved(reference: &str, from: Option<&Sha>, found: Option<&Sha>) -> Headline {
    let name = if reference.is_empty() { "the head commit".to_owned() } else { quoted(reference) };
    match found {
        Some(found) => Headline::new(
            format!(
                "{name} has moved {}to {} since the command, so nothing was started",
                from.map_or_else(String::new, |from| format!("from {} ", from.code())),
                found.code()
            ),
            Turn::asker(format!("repeat the command to deploy {}", found.code())),
        ),
        None => {
            Headline::new(format!("{name} is gone, so nothing was started"), Turn::asker("name another with `ref=`"))
        }
    }
}

pub(super) fn left_its_branch(sha: Option<&Sha>) -> Headline {
    let state = format!("the branch that contained {} no longer contains it, so nothing was started", commit(sha));
    Headline::new(state, Turn::asker("name a branch or a tag with `ref=`"))
}

pub(super) fn waited_too_long(why: &str) -> Headline {
    let last = if why.is_empty() { String::new() } else { sentence(&format!("the last reason was: {why}")) };
    let again = Turn::asker("repeat the command if you still want it");
    Headline::new("it waited for 24 hours, so it was given up", again).with(last)
}

pub(super) fn the_same(other: &DeployRequest, policy: &Policy) -> Headline {
    Headline::new(
        format!(
            "the same {} is already waiting or running, asked for {} on {}",
            kind(other),
            asker(other),
            moment(other.at, &policy.commands.zone)
        ),
        Turn::by_itself("this one would be the same"),
    )
}

/// Refuses a deploy because another one is under way.
pub(super) fn is_busy(why: &str) -> Headline {
    Headline::new(why, Turn::asker("repeat the command when that has ended"))
}

pub(super) fn finding_out() -> &'static str {
    "GitHub is being asked about it"
}

pub(super) fn busy(other: &DeployRequest, policy: &Policy) -> String {
    format!("the {} ({}) is under way since {}", what(other), asker(other), moment(other.since, &policy.commands.zone))
}

pub(super) fn copy_made() -> &'static str {
    "GitHub may still start a run for this commit's deployment that another system reported"
}

/// Returns the reasons why a gate is closed, condition by condition.
pub(crate) fn closed(decision: &Decision) -> String {
    let closed = decision.conditions.iter().filter(|condition| !condition.standing.is_open());
    let lines: Vec<String> = closed.map(|c| format!("{}: {}", quoted(&c.name), c.sentence)).collect();
    if lines.is_empty() { "the gate is not open".to_owned() } else { lines.join("; ") }
}

pub(super) fn rolled_back() -> Headline {
    Headline::new(
        "the environment was rolled back in the meantime, and is locked",
        Turn::asker("repeat the command when the lock has ended, if you still want it"),
    )
}

/// Returns the comment on the incident's issue that announces an automatic rollback.
pub(super) fn rolls_back_automatically(
    environment: &str,
    deployment: u64,
    since: Timestamp,
    words: &str,
    policy: &Policy,
) -> Headline {
    let (zone, name) = (&policy.commands.zone, quoted(environment));
    let unlock = command(&["unlock", environment]);
    Headline::new(
        format!(
            "phasebot rolls {name} back, because {} is the only suspect of this incident",
            deployment_name(deployment)
        ),
        Turn::by_itself("phasebot reports the outcome here"),
    )
    .with(format!(
        "{} The incident began on {}. The rollback passes the environment's gate like one by a person. Once it starts, \
         the environment is locked: {unlock} ends that. Name the cause with `/cause REF`.",
        sentence(words),
        moment(since, zone),
    ))
}

/// Returns how an automatic rollback ended, for its incident's issue. `why` begins with a first line.
pub(super) fn automatic_rollback_ended(how: RequestEnd, why: &str) -> String {
    let mark = match how {
        RequestEnd::Succeeded | RequestEnd::DryRunEnded => "↩️",
        RequestEnd::Failed | RequestEnd::NotBegun => "❌",
        RequestEnd::Refused | RequestEnd::Withdrawn => "⏹️ Not rolled back:",
    };
    format!("{mark} {why}")
}

pub(super) fn not_due() -> Headline {
    let state = "the incident is over, its cause was named, or something else was deployed";
    Headline::new(state, Turn::Nobody)
}

pub(super) fn repeated() -> Headline {
    Headline::new("the command was repeated with `replace`", Turn::by_itself("phasebot carries out the newer command"))
}

pub(super) fn newer_came() -> Headline {
    Headline::new("a newer deploy replaces it", Turn::by_itself("phasebot carries out the newer one"))
}

pub(super) fn nothing_reported() -> Headline {
    Headline::new(
        "GitHub did not report what it created, so the deploy was given up and the environment is free again",
        Turn::asker("check what runs in the environment, then repeat the command"),
    )
}

pub(super) fn not_started(why: &str) -> Headline {
    let state = format!("nothing was started: {}", forge_words(why));
    Headline::new(state, Turn::asker("repeat the command when that is fixed"))
}

pub(super) fn mismatch(wanted: Option<&Sha>, found: &Sha) -> Headline {
    Headline::new(
        format!("the run used {} instead of {}, so it was cancelled", found.code(), commit(wanted)),
        Turn::asker("repeat the command"),
    )
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

pub(super) fn pull_closed() -> Headline {
    Headline::new("the pull request was closed", Turn::Nobody)
}

/// Returns that an environment is to be torn down, and why.
pub(super) fn torn_down(environment: &str, is_closed: bool) -> String {
    let why = if is_closed { "its pull request is closed" } else { "its time is over" };
    format!("{} is to be torn down: {why}", quoted(environment))
}

/// Returns what to do about a teardown that failed.
pub(super) fn not_torn_down(environment: &str, workflow: &str, why: &str) -> Headline {
    let name = quoted(workflow);
    let state = format!("{} still exists: phasebot could not start {name}: {}", quoted(environment), forge_words(why));
    Headline::new(state, Turn::people(WRITERS, format!("run {name} by hand")))
}
