//! Decodes check runs, check suites, commit statuses and workflow runs.

use jiff::Timestamp;

use crate::{
    domain::event::{CheckSeen, CheckSource, RunOutcome, Seen, StatusSeen, WorkflowSeen},
    forge::github::{
        decode::{Delivery, Understood, Useless, actor, needed},
        payload::{CheckRun, CheckSuite, StatusCommit, WorkflowRun},
        trigger,
    },
};

pub(super) fn check_run(delivery: &Delivery<'_>) -> Result<Understood, Useless> {
    delivery.repo()?;
    let run: CheckRun = needed(delivery.payload.get("check_run"), "check_run")?;
    let (mut seen, at) = check_seen(run, delivery.our_app_id, delivery.received_at).map_err(Useless::Lacks)?;
    seen.asked_again = delivery.action == "rerequested";
    Ok(Understood { seen: Seen::Check(seen), at })
}

/// Decodes a check suite event. Only "Re-run all checks" is used, which asks each App to run its
/// own suite again; all other changes also arrive as events of the suite's runs.
pub(super) fn check_suite(delivery: &Delivery<'_>) -> Result<Understood, Useless> {
    if delivery.action != "rerequested" {
        return Err(Useless::because("a suite's runs arrive as `check_run`"));
    }
    delivery.repo()?;
    let suite: CheckSuite = needed(delivery.payload.get("check_suite"), "check_suite")?;
    let app = suite.app.0.unwrap_or_default().id.0.unwrap_or(0);
    if app == 0 || app != delivery.our_app_id {
        return Err(Useless::because("the checks of another App are to run again"));
    }
    let sha = needed(suite.head_sha.0, "check_suite.head_sha")?;
    // The payload has the time of the suite's last change, but not of the request.
    Ok(Understood { seen: Seen::ChecksRerequested { sha }, at: None })
}

pub(super) fn status(delivery: &Delivery<'_>) -> Result<Understood, Useless> {
    delivery.repo()?;
    let payload = delivery.payload;
    let commit = || payload.get::<StatusCommit>("commit").and_then(|commit| commit.sha.0);
    let at: Option<Timestamp> = payload.get("updated_at").or_else(|| payload.get("created_at"));
    let state: Option<String> = payload.get("state");
    let seen = StatusSeen {
        id: needed(payload.get("id"), "id")?,
        sha: needed(payload.get("sha").or_else(commit), "sha")?,
        // GitHub's own name of a status that was set without one.
        context: payload.get("context").unwrap_or_else(|| "default".to_owned()),
        outcome: status_outcome(state.as_deref()),
        at: at.unwrap_or(delivery.received_at),
        url: check_page(payload.get("target_url")),
        ours: false,
    };
    Ok(Understood { seen: Seen::Status(seen), at })
}

pub(super) fn workflow_run(delivery: &Delivery<'_>) -> Result<Understood, Useless> {
    delivery.repo()?;
    let run: WorkflowRun = needed(delivery.payload.get("workflow_run"), "workflow_run")?;
    let seen = WorkflowSeen {
        id: needed(run.id.0, "workflow_run.id")?,
        sha: needed(run.head_sha.0, "workflow_run.head_sha")?,
        suite: run.check_suite_id.0,
        trigger: trigger::of_event(needed(run.event.0, "workflow_run.event")?),
        outcome: outcome(run.status.0.as_deref(), run.conclusion.0.as_deref()),
        attempt: run.run_attempt.0.unwrap_or(1),
        title: run.display_title.0.unwrap_or_default(),
        workflow: run.path.0.unwrap_or_default(),
        created_at: run.created_at.0,
        url: run.html_url.0.unwrap_or_default(),
        started_by: [run.actor.0, run.triggering_actor.0].into_iter().flatten().filter_map(actor).collect(),
    };
    Ok(Understood { seen: Seen::Workflow(seen), at: run.updated_at.0.or(run.created_at.0) })
}

/// Converts a check run, from an event or an answer; returns it with the time of its state, or the
/// name of a missing field.
pub(in crate::forge::github) fn check_seen(
    run: CheckRun,
    our_app_id: u64,
    received_at: Timestamp,
) -> Result<(CheckSeen, Option<Timestamp>), &'static str> {
    let suite = run.check_suite.0.unwrap_or_default();
    let app = run.app.0.unwrap_or_default();
    let (app_id, slug) = (app.id.0.unwrap_or(0), app.slug.0.unwrap_or_default());
    let outcome = outcome(run.status.0.as_deref(), run.conclusion.0.as_deref());
    let ended_at = run.completed_at.0.or(suite.updated_at.0).or(run.started_at.0);
    let at = if outcome == RunOutcome::Running { run.started_at.0.or(suite.updated_at.0) } else { ended_at };
    let seen = CheckSeen {
        id: run.id.0.ok_or("check_run.id")?,
        sha: run.head_sha.0.ok_or("check_run.head_sha")?,
        name: run.name.0.ok_or("check_run.name")?,
        source: CheckSource(app_id),
        source_name: slug,
        suite: suite.id.0,
        started_at: run.started_at.0.or(at).unwrap_or(received_at),
        completed: (outcome != RunOutcome::Running).then(|| (ended_at.unwrap_or(received_at), outcome)),
        ours: app_id != 0 && app_id == our_app_id,
        asked_again: false,
        url: check_page(run.html_url.0),
    };
    Ok((seen, at))
}

/// Maximum length of a stored page address, in bytes.
const LONGEST_PAGE: usize = 500;

/// Returns the address of a check's page; empty if it is too long, because a truncated address
/// would be wrong.
pub(in crate::forge::github) fn check_page(url: Option<String>) -> String {
    url.filter(|url| url.len() <= LONGEST_PAGE).unwrap_or_default()
}

/// Parses a commit status's state.
pub(in crate::forge::github) fn status_outcome(state: Option<&str>) -> RunOutcome {
    match state {
        Some("pending") => RunOutcome::Running,
        Some("success") => RunOutcome::Success,
        Some("failure" | "error") => RunOutcome::Failure,
        _ => RunOutcome::NoVerdict,
    }
}

/// Returns the outcome of a check run or workflow run.
pub(super) fn outcome(status: Option<&str>, conclusion: Option<&str>) -> RunOutcome {
    match (status, conclusion) {
        (Some("completed"), conclusion) | (None, conclusion @ Some(_)) => match conclusion {
            Some("success") => RunOutcome::Success,
            Some("failure" | "timed_out" | "action_required" | "startup_failure") => RunOutcome::Failure,
            Some("neutral" | "skipped") => RunOutcome::Skipped,
            Some("cancelled") => RunOutcome::Cancelled,
            _ => RunOutcome::NoVerdict,
        },
        _ => RunOutcome::Running,
    }
}
