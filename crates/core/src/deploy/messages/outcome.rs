//! Messages about how a deploy ended, and what to do then.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};

use crate::{
    deploy::messages::what,
    domain::{
        event::RunOutcome,
        fact::{
            RepoFacts,
            deploy_request::{DeployRequest, RequestKind, RunFacts},
        },
        id::{ItemId, Sha},
        needs::FailedJob,
    },
    text::{
        message::{command, commit, duration, quoted, spoken},
        sanitize,
    },
};

pub(in crate::deploy) fn under_way() -> &'static str {
    "A workflow run is deploying it."
}

pub(in crate::deploy) fn succeeded(request: &DeployRequest) -> String {
    let carries = if request.carries.is_empty() { String::new() } else { format!(", with {}", request.carries) };
    format!("{} runs in {}{carries}", commit(request.sha.as_ref()), quoted(&request.environment))
}

/// Returns the end of a rollback: what runs again, what was taken back, and how to go on.
pub(in crate::deploy) fn rolled_back_to(
    facts: &RepoFacts,
    request: &DeployRequest,
    taken: &[ItemId],
    now: Timestamp,
) -> String {
    let environment = quoted(&request.environment);
    let took = duration(rounded(now.duration_since(request.at)));
    let run = run_link(facts, request).map(|run| format!(" · {run}")).unwrap_or_default();
    let sha = commit(request.sha.as_ref());
    let mut text = format!(
        "**{environment} is back on {sha}**, {took} after {} asked, and stays locked until whoever fixes it unlocks it{run}",
        quoted(&request.by.login)
    );
    if !taken.is_empty() {
        let _ = write!(text, "\n\nTaken back: {}", pulls(facts, taken));
    }
    let unlock = command(&["unlock", &request.environment]);
    let _ = write!(
        text,
        "\n\nThe lock keeps everything from redeploying it. When the fix is in:\n\n```text\n{}\n```",
        unlock.trim_matches('`')
    );
    text
}

/// Lists pull requests with their titles.
pub(in crate::deploy) fn pulls(facts: &RepoFacts, numbers: &[ItemId]) -> String {
    const MOST: usize = 5;
    let title = |number: &ItemId| {
        let title = facts.items.get(number).and_then(|item| item.title.as_ref());
        title.map_or_else(String::new, |title| format!(" *{}*", sanitize::inline(&title.value, 80)))
    };
    let mut names: Vec<String> =
        numbers.iter().take(MOST).map(|number| format!("#{number}{}", title(number))).collect();
    if numbers.len() > MOST {
        names.push(format!("{} more", numbers.len() - MOST));
    }
    names.join(", ")
}

/// Rounds a duration to what people care about: minutes from two minutes on.
fn rounded(span: SignedDuration) -> SignedDuration {
    if span.as_secs() < 120 { span } else { SignedDuration::from_mins(span.as_mins()) }
}

/// Returns what failed, with the run, and what to do now.
pub(in crate::deploy) fn failed(
    facts: &RepoFacts,
    request: &DeployRequest,
    run: Option<&RunFacts>,
    job: Option<&FailedJob>,
    running: Option<&Sha>,
) -> String {
    let link = run.map(run_page).or_else(|| run_link(facts, request));
    let how = match run.map(|run| run.outcome) {
        Some(RunOutcome::Cancelled) => "was cancelled",
        _ => "failed",
    };
    let parts: Vec<String> = link.into_iter().chain(job.map(step)).collect();
    let parts = if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) };
    let text = format!("**The {} {how}**{parts}.", what(request));
    let environment = &request.environment;
    if request.kind == RequestKind::Rollback {
        return format!("{text} Retry: {}", command(&["rollback", environment]));
    }
    let verb = if request.kind == RequestKind::Promote { "promote" } else { "deploy" };
    let retry = command(&[verb, environment]);
    match running.filter(|running| Some(*running) != request.sha.as_ref()) {
        Some(running) => format!(
            "{text} Retry it or go back:\n\n- retry: {retry}\n- go back to {}, which succeeded last: {}\n\nThe failed run may \
             have changed {}.",
            running.code(),
            command(&["rollback", environment]),
            quoted(environment),
        ),
        None => format!("{text} Retry: {retry}"),
    }
}

/// Returns the step that failed, or the job, with a link to its log.
pub(in crate::deploy) fn step(job: &FailedJob) -> String {
    let name = spoken(&job.name);
    let words = match &job.step {
        Some(step) => format!("step {} of job {name}", spoken(step)),
        None => format!("job {name}"),
    };
    sanitize::link(&job.url).map_or_else(|| words.clone(), |page| format!("[{words}]({page})"))
}

/// Returns a link to the workflow run that carries out a request.
pub(crate) fn run_link(facts: &RepoFacts, request: &DeployRequest) -> Option<String> {
    facts.runs.get(&request.run?).map(run_page).filter(|page| !page.is_empty())
}

fn run_page(run: &RunFacts) -> String {
    let file = run.workflow.rsplit('/').next().unwrap_or_default();
    let words = format!("run of {}", quoted(file));
    sanitize::link(&run.url).map_or_else(|| words.clone(), |page| format!("[{words}]({page})"))
}

/// Returns that a run was cancelled before a job began, and how to keep that from happening.
pub(in crate::deploy) fn not_begun(request: &DeployRequest, run: &RunFacts) -> String {
    let verb = match request.kind {
        RequestKind::Deploy => "deploy",
        RequestKind::Promote => "promote",
        RequestKind::Rollback => "rollback",
    };
    format!(
        "**The {} did not happen**: the {} was cancelled before a job began, so {} is unchanged. Retry: {}. If the \
         workflow's `concurrency` cancels waiting runs, add `queue: max` to it.",
        what(request),
        run_page(run),
        quoted(&request.environment),
        command(&[verb, &request.environment]),
    )
}

pub(in crate::deploy) fn skipped() -> String {
    "Every job of its workflow runs was skipped, so nothing was deployed.".to_owned()
}

pub(in crate::deploy) fn never_began() -> String {
    "No workflow run started within 5 minutes, so the deploy was given up and the environment is free again. Check that \
     a workflow runs `on: deployment`, or that the dispatched one declares the input `phasebot_request` and shows it in \
     its `run-name`."
        .to_owned()
}

pub(in crate::deploy) fn let_go() -> &'static str {
    "The environment was unlocked, so phasebot stopped tracking the deploy. The workflow keeps running."
}

pub(in crate::deploy) fn no_end() -> String {
    "GitHub reported no end within 24 hours, so the deploy was given up and the environment is free again.".to_owned()
}
