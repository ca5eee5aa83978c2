//! Check runs and commit statuses.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    super::{
        change::{CheckChange, NewStatus},
        model::Status,
        shape,
        state::State,
    },
    Call, Reply, Route,
    commits::resolve,
};

pub(super) const ROUTES: &[Route] = &[
    Route::new("POST", "/repos/{owner}/{repo}/check-runs", &["checks:write"], create),
    Route::new("GET", "/repos/{owner}/{repo}/check-runs/{check_run_id}", &["checks:read"], get),
    Route::new("PATCH", "/repos/{owner}/{repo}/check-runs/{check_run_id}", &["checks:write"], edit),
    Route::new("GET", "/repos/{owner}/{repo}/commits/{ref}/check-runs", &["checks:read"], list),
    Route::new("GET", "/repos/{owner}/{repo}/commits/{ref}/status", &["statuses:read"], combined),
    Route::new("GET", "/repos/{owner}/{repo}/commits/{ref}/statuses", &["statuses:read"], statuses),
    Route::new("POST", "/repos/{owner}/{repo}/statuses/{sha}", &["statuses:write"], set_status),
];

fn change(call: &Call) -> Result<CheckChange, Reply> {
    let conclusion = call.text("conclusion").map(str::to_owned);
    if call.text("status") == Some("completed") && conclusion.is_none() {
        return Err(Reply::invalid("CheckRun", "conclusion", "missing_field"));
    }
    Ok(CheckChange {
        status: call.text("status").map(str::to_owned),
        conclusion,
        external_id: call.text("external_id").map(str::to_owned),
        details_url: call.text("details_url").map(str::to_owned),
        output: call.body.get("output").cloned(),
    })
}

fn shown(state: &State, call: &Call, id: u64) -> Result<Value, Reply> {
    let repo = state.repo(call.repo)?;
    Ok(shape::check_run(state, repo, repo.checks.get(&id).ok_or_else(Reply::not_found)?))
}

fn create(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let name = call.required("CheckRun", "name")?;
    let sha = resolve(state, call, call.required("CheckRun", "head_sha")?)?;
    let app = state.app.slug.clone();
    let id = state.create_check(call.repo, &app, &sha, name, &change(call)?)?;
    Ok(Reply::created(shown(state, call, id)?))
}

fn get(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    Ok(Reply::ok(shown(state, call, call.number("check_run_id")?)?))
}

fn edit(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let id = call.number("check_run_id")?;
    let run = state.repo(call.repo)?.checks.get(&id).ok_or_else(Reply::not_found)?;
    if run.app != state.app.slug {
        return Err(Reply::forbidden(
            "Invalid app_id `0` - check run can only be modified by the GitHub App that created it.",
        ));
    }
    state.change_check(call.repo, id, &change(call)?)?;
    Ok(Reply::ok(shown(state, call, id)?))
}

/// Lists check runs, newest first: only the newest of each name and App, unless all are requested.
fn list(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let sha = resolve(state, call, call.param("ref"))?;
    let repo = state.repo(call.repo)?;
    let mut seen = Vec::new();
    let mut all = Vec::new();
    for run in repo.checks.values().rev().filter(|c| c.sha == sha) {
        let latest = !seen.contains(&(&run.app, &run.name));
        seen.push((&run.app, &run.name));
        if (latest || call.query("filter") == Some("all"))
            && call.query("check_name").is_none_or(|n| n == run.name)
            && call.query("status").is_none_or(|s| s == run.status)
            && call.query("app_id").is_none_or(|id| (run.app == state.app.slug) == (id == state.app.id.to_string()))
        {
            all.push(shape::check_run(state, repo, run));
        }
    }
    Ok(Reply::page_of(&state.api, call, "check_runs", all))
}

/// Returns the combined status. Only the newest status of each context counts.
fn combined(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let sha = resolve(state, call, call.param("ref"))?;
    let repo = state.repo(call.repo)?;
    let newest: BTreeMap<&str, &Status> =
        repo.statuses.iter().filter(|s| s.sha == sha).map(|s| (s.context.as_str(), s)).collect();
    let any = |wanted: &[&str]| newest.values().any(|s| wanted.contains(&s.state.as_str()));
    let verdict = if any(&["failure", "error"]) {
        "failure"
    } else if newest.is_empty() || any(&["pending"]) {
        "pending"
    } else {
        "success"
    };
    let mut shown: Vec<Value> = newest.values().map(|s| shape::status(state, repo, s)).collect();
    for status in &mut shown {
        if let Value::Object(fields) = status {
            fields.remove("creator");
        }
    }
    let place = format!("{}/repos/{}", state.api, repo.full_name());
    Ok(Reply::ok(json!({
        "state": verdict,
        "statuses": shown,
        "sha": sha,
        "total_count": shown.len(),
        "repository": shape::repository(state, repo),
        "commit_url": format!("{place}/commits/{sha}"),
        "url": format!("{place}/commits/{sha}/status"),
    })))
}

fn statuses(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let sha = resolve(state, call, call.param("ref"))?;
    let repo = state.repo(call.repo)?;
    let all = repo.statuses.iter().rev().filter(|s| s.sha == sha).map(|s| shape::status(state, repo, s)).collect();
    Ok(Reply::page(&state.api, call, all))
}

fn set_status(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let sha = resolve(state, call, call.param("sha"))?;
    let set = call.required("Status", "state")?;
    if !["error", "failure", "pending", "success"].contains(&set) {
        return Err(Reply::invalid("Status", "state", "invalid"));
    }
    let new = NewStatus {
        context: call.text("context").unwrap_or("default").to_owned(),
        state: set.to_owned(),
        description: call.text("description").map(str::to_owned),
        target_url: call.text("target_url").map(str::to_owned),
    };
    let bot = state.bot();
    let id = state.set_status(call.repo, &bot, &sha, &new)?;
    let repo = state.repo(call.repo)?;
    let status = repo.statuses.iter().find(|s| s.id == id).ok_or_else(Reply::not_found)?;
    Ok(Reply::created(shape::status(state, repo, status)))
}
