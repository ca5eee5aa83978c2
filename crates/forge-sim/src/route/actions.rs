//! Workflows and deployment protection rules.

use serde_json::{Value, json};

use super::{
    super::{
        model::{ProtectionAnswer, Repo, WorkflowRun},
        shape,
        state::State,
    },
    Call, Reply, Route,
};

const READ: &[&str] = &["actions:read"];

pub(super) const ROUTES: &[Route] = &[
    Route::new(
        "POST",
        "/repos/{owner}/{repo}/actions/workflows/{workflow_id}/dispatches",
        &["actions:write"],
        dispatch,
    ),
    Route::new("GET", "/repos/{owner}/{repo}/actions/workflows/{workflow_id}/runs", READ, runs_of),
    Route::new("GET", "/repos/{owner}/{repo}/actions/runs", READ, runs),
    Route::new("GET", "/repos/{owner}/{repo}/actions/runs/{run_id}", READ, run),
    Route::new("GET", "/repos/{owner}/{repo}/actions/runs/{run_id}/attempts/{attempt_number}/jobs", READ, jobs),
    Route::new("POST", "/repos/{owner}/{repo}/actions/runs/{run_id}/rerun-failed-jobs", &["actions:write"], rerun),
    Route::new("POST", "/repos/{owner}/{repo}/actions/runs/{run_id}/cancel", &["actions:write"], cancel),
    Route::new(
        "POST",
        "/repos/{owner}/{repo}/actions/runs/{run_id}/deployment_protection_rule",
        &["deployments:write"],
        answer,
    ),
];

/// Returns the path of the workflow that the request names by id or file name.
fn workflow(repo: &Repo, name: &str) -> Result<String, Reply> {
    let id = name.parse::<u64>().ok();
    let file = format!("/{name}");
    let found = repo.workflows.iter().find(|(path, known)| id == Some(**known) || path.ends_with(&file));
    found.map(|(path, _)| path.clone()).ok_or_else(Reply::not_found)
}

fn dispatch(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let repo = state.repo(call.repo)?;
    let path = workflow(repo, call.param("workflow_id"))?;
    let name = call.required("Workflow", "ref")?;
    let branch =
        name.strip_prefix("refs/heads/").or_else(|| name.strip_prefix("refs/tags/")).unwrap_or(name).to_owned();
    if repo.workers.iter().any(|worker| worker.path == path && worker.moves) {
        state.push(call.repo, "somebody", &branch, &["At the last moment".into()])?;
    }
    let repo = state.repo(call.repo)?;
    let no_ref = || Reply::invalid_message(&format!("No ref found for: {name}"));
    let sha = repo.git.resolve(name).ok_or_else(no_ref)?;
    let inputs = call.body.get("inputs").cloned().unwrap_or_else(|| json!({}));
    let bot = state.bot();
    if repo_worker_is_dead(state, call.repo, &path) {
        return Ok(Reply::no_content());
    }
    let id = state.start_run(call.repo, &bot, &path, &branch, &sha, "workflow_dispatch", inputs)?;
    if call.flag("return_run_details") != Some(true) {
        return Ok(Reply::no_content());
    }
    let full = state.repo(call.repo)?.full_name();
    Ok(Reply::ok(json!({
        "workflow_run_id": id,
        "run_url": format!("{}/repos/{full}/actions/runs/{id}", state.api),
        "html_url": format!("{}/{full}/actions/runs/{id}", state.api),
    })))
}

/// Returns whether a workflow accepts the request and never runs.
fn repo_worker_is_dead(state: &State, repo: u64, path: &str) -> bool {
    state.repo(repo).is_ok_and(|repo| repo.workers.iter().any(|worker| worker.path == path && worker.dead))
}

/// Lists workflow runs, newest first.
fn page(state: &State, call: &Call, wanted: impl Fn(&WorkflowRun) -> bool) -> Result<Reply, Reply> {
    let repo = state.repo(call.repo)?;
    let is = |field: &str, value: &str| call.query(field).is_none_or(|w| w == value);
    let all = repo
        .runs
        .values()
        .rev()
        .filter(|r| wanted(r))
        .filter(|r| is("head_sha", &r.sha) && is("event", &r.trigger) && is("branch", &r.branch))
        .filter(|r| is("status", &r.status) || call.query("status") == r.conclusion.as_deref())
        .map(|r| shape::workflow_run(state, repo, r))
        .collect();
    Ok(Reply::page_of(&state.api, call, "workflow_runs", all))
}

fn runs_of(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let path = workflow(state.repo(call.repo)?, call.param("workflow_id"))?;
    page(state, call, |r| r.path == path)
}

fn runs(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    page(state, call, |_| true)
}

fn run(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let repo = state.repo(call.repo)?;
    let run = repo.runs.get(&call.number("run_id")?).ok_or_else(Reply::not_found)?;
    Ok(Reply::ok(shape::workflow_run(state, repo, run)))
}

/// Lists the jobs of an attempt: one, with the conclusion of its run.
fn jobs(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let repo = state.repo(call.repo)?;
    let run = repo.runs.get(&call.number("run_id")?).ok_or_else(Reply::not_found)?;
    if !(1..=run.attempt).contains(&call.number("attempt_number")?) {
        return Err(Reply::not_found());
    }
    Ok(Reply::page_of(&state.api, call, "jobs", vec![shape::job(state, repo, run)]))
}

fn rerun(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let id = call.number("run_id")?;
    let run = state.repo(call.repo)?.runs.get(&id).ok_or_else(Reply::not_found)?;
    if !matches!(run.conclusion.as_deref(), Some("failure" | "timed_out" | "cancelled")) {
        return Err(Reply::forbidden("This workflow run cannot be retried"));
    }
    let bot = state.bot();
    state.rerun(call.repo, id, &bot)?;
    Ok(Reply::created(json!({})))
}

fn cancel(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let id = call.number("run_id")?;
    let bot = state.bot();
    if state.cancel_run(call.repo, id, &bot)? {
        Ok(Reply::accepted())
    } else {
        Err(Reply::conflict("Cannot cancel a workflow run that is completed."))
    }
}

fn answer(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let run = call.number("run_id")?;
    if !state.repo(call.repo)?.runs.contains_key(&run) {
        return Err(Reply::not_found());
    }
    let environment = call.required("DeploymentProtectionRule", "environment_name")?.to_owned();
    let given = call.body.get("state").and_then(Value::as_str).map(str::to_owned);
    if given.as_deref().is_some_and(|s| !["approved", "rejected"].contains(&s)) {
        return Err(Reply::invalid("DeploymentProtectionRule", "state", "invalid"));
    }
    let comment = call.text("comment").unwrap_or("").to_owned();
    state.repo_mut(call.repo)?.answers.push(ProtectionAnswer { run, environment, state: given, comment });
    Ok(Reply::no_content())
}
