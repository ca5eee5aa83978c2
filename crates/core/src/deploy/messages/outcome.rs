//! Messages about how a deploy ended, and what to do then.

use jiff::{SignedDuration, Timestamp};

use crate::{
    context::rights::WRITERS,
    deploy::messages::what,
    domain::{
        event::RunOutcome,
        fact::{
            RepoFacts,
            deploy_request::{DeployRequest, RequestKind, RunFacts},
        },
        id::{ItemId, Sha},
        needs::FailedJob,
        turn::{Act, CommandPlace, Turn},
    },
    text::{
        headline::Headline,
        links::{run_link, run_page},
        message::{command_line, commit, duration, quoted, spoken},
        people, sanitize,
    },
};

pub(in crate::deploy) fn under_way() -> &'static str {
    "A workflow run is deploying it."
}

pub(in crate::deploy) fn succeeded(request: &DeployRequest) -> Headline {
    let carries = if request.carries.is_empty() { String::new() } else { format!(", with {}", request.carries) };
    let state = format!("{} runs in {}{carries}", commit(request.sha.as_ref()), quoted(&request.environment));
    Headline::new(state, Turn::Nobody)
}

/// Returns the end of a rollback: what runs again, what was taken back, and how to go on.
pub(in crate::deploy) fn rolled_back_to(
    facts: &RepoFacts,
    request: &DeployRequest,
    taken: &[ItemId],
    now: Timestamp,
) -> Headline {
    let environment = quoted(&request.environment);
    let took = duration(rounded(now.duration_since(request.at)));
    let run = run_link(facts, request).map(|run| format!(" · {run}")).unwrap_or_default();
    let sha = commit(request.sha.as_ref());
    let who = people::authors(facts, taken).unwrap_or_else(|| WRITERS.to_owned());
    let what = if taken.is_empty() { "it".to_owned() } else { numbers(taken) };
    let unlock = command_line(&["unlock", &request.environment]);
    let act = Act::from(format!("merge a fix for {what}, then comment ")).with(unlock.clone()).and(" here");
    let turn = Turn::people(who, act);
    let state =
        format!("{environment} is back on {sha}, {took} after {} asked, and stays locked", quoted(&request.by.login));
    let taken = if taken.is_empty() { String::new() } else { format!("Taken back: {}{run}", pulls(facts, taken)) };
    Headline::new(state, turn)
        .with(if taken.is_empty() { run.trim_start_matches(" · ") } else { &taken })
        .with("The lock keeps everything from redeploying it. When the fix is merged:")
        .with_command(&unlock)
}

/// Lists the numbers of the first few items.
fn numbers(items: &[ItemId]) -> String {
    const MOST: usize = 3;
    let names: Vec<String> = items.iter().take(MOST).map(|item| format!("#{item}")).collect();
    match items.len().saturating_sub(MOST) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
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
) -> Headline {
    let link = run.map(run_page).or_else(|| run_link(facts, request));
    let how = match run.map(|run| run.outcome) {
        Some(RunOutcome::Cancelled) => "was cancelled",
        _ => "failed",
    };
    let parts: Vec<String> = link.into_iter().chain(job.map(step)).collect();
    let parts = if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) };
    let state = format!("the {} {how}{parts}", what(request));
    let environment = &request.environment;
    let verb = match request.kind {
        RequestKind::Deploy => "deploy",
        RequestKind::Promote => "promote",
        RequestKind::Rollback => "rollback",
    };
    let place = request.item().map_or(CommandPlace::Here, CommandPlace::On);
    let (retry, back) = (command_line(&[verb, environment]), command_line(&["rollback", environment]));
    let is_rollback = request.kind == RequestKind::Rollback;
    match running.filter(|running| !is_rollback && Some(*running) != request.sha.as_ref()) {
        Some(running) => {
            let act = Act::comment(back).and(format!(" to go back to {}, or ", running.code()));
            let again = if how == "failed" { " if it failed by chance" } else { " to run it again" };
            let turn = Turn::asker(act.with(retry).and(again).placed(place));
            let warning = format!(
                "{} succeeded last in {}; the {} run may have changed what runs there.",
                running.code(),
                quoted(environment),
                how.trim_start_matches("was ")
            );
            Headline::new(state, turn).with(warning)
        }
        None => Headline::new(state, Turn::asker(Act::from("mend the cause, then comment ").with(retry).placed(place))),
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

/// Returns that a run was cancelled before a job began, and how to keep that from happening.
pub(in crate::deploy) fn not_begun(request: &DeployRequest, run: &RunFacts) -> Headline {
    let verb = match request.kind {
        RequestKind::Deploy => "deploy",
        RequestKind::Promote => "promote",
        RequestKind::Rollback => "rollback",
    };
    let line = command_line(&[verb, &request.environment]);
    Headline::new(
        format!(
            "the {} did not happen: the {} was cancelled before a job began, so {} is unchanged",
            what(request),
            run_page(run),
            quoted(&request.environment)
        ),
        Turn::asker(line),
    )
    .with("If the workflow's `concurrency` cancels waiting runs, add `queue: max` to it.")
}

pub(in crate::deploy) fn skipped() -> Headline {
    Headline::new(
        "every job of its workflow runs was skipped, so nothing was deployed",
        Turn::asker("look at the `if:` of the workflow's jobs, then repeat the command"),
    )
}

pub(in crate::deploy) fn never_began() -> Headline {
    Headline::new(
        "no workflow run started within 5 minutes, so the deploy was given up and the environment is free again",
        Turn::asker("check the workflow, then repeat the command"),
    )
    .with(
        "A workflow has to run `on: deployment`, or the dispatched one has to declare the input `phasebot_request` and \
         show it in its `run-name`.",
    )
}

pub(in crate::deploy) fn let_go() -> Headline {
    Headline::new(
        "the environment was unlocked, so phasebot stopped tracking the deploy",
        Turn::by_itself("the workflow keeps running"),
    )
}

pub(in crate::deploy) fn let_go_before_start() -> Headline {
    Headline::new(
        "the environment was unlocked, so phasebot gave the deploy up before its code was deployed",
        Turn::asker("look at the schema change at the database, then repeat the command if you still want it"),
    )
}

pub(in crate::deploy) fn no_end() -> Headline {
    Headline::new(
        "GitHub reported no end within 24 hours, so the deploy was given up and the environment is free again",
        Turn::asker("check what runs in the environment, then repeat the command"),
    )
}
