//! Deployments.

use serde_json::{Value, json};

use super::{
    super::{change::NewDeployment, shape, state::State},
    Call, Reply, Route,
};

const WRITE: &[&str] = &["deployments:write"];
const READ: &[&str] = &["deployments:read"];

pub(super) const ROUTES: &[Route] = &[
    Route::new("GET", "/repos/{owner}/{repo}/deployments", READ, list),
    Route::new("POST", "/repos/{owner}/{repo}/deployments", WRITE, create),
    Route::new("GET", "/repos/{owner}/{repo}/deployments/{deployment_id}", READ, get),
    Route::new("GET", "/repos/{owner}/{repo}/deployments/{deployment_id}/statuses", READ, statuses),
    Route::new("POST", "/repos/{owner}/{repo}/deployments/{deployment_id}/statuses", WRITE, set_status),
];

/// Lists deployments, newest first.
fn list(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let repo = state.repo(call.repo)?;
    let is = |field: &str, value: &str| call.query(field).is_none_or(|wanted| wanted == value);
    let all = repo
        .deployments
        .values()
        .rev()
        .filter(|d| {
            is("sha", &d.sha) && is("ref", &d.reference) && is("environment", &d.environment) && is("task", &d.task)
        })
        .map(|d| shape::deployment(state, repo, d))
        .collect();
    Ok(Reply::page(&state.api, call, all))
}

/// Creates a deployment; 409 if it names required contexts that are missing or not successful.
fn create(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let reference = call.required("Deployment", "ref")?;
    let no_ref = || Reply::invalid_message(&format!("No ref found for: {reference}"));
    let sha = state.repo(call.repo)?.git.resolve(reference).ok_or_else(no_ref)?;
    if let Some(failed) = unmet(state, call, &sha)? {
        let message = format!("Conflict: Commit status checks failed for {reference}.");
        let body = json!({ "message": message, "errors": [{ "contexts": [{ "context": failed }] }] });
        return Err(Reply { status: 409, ..Reply::ok(body) });
    }
    let new = NewDeployment {
        reference: reference.to_owned(),
        environment: call.text("environment").unwrap_or("production").to_owned(),
        production: call.flag("production_environment"),
        transient: call.flag("transient_environment").unwrap_or(false),
        task: call.text("task").unwrap_or("").to_owned(),
        description: call.text("description").map(str::to_owned),
        payload: call.body.get("payload").cloned(),
    };
    let bot = state.bot();
    let id = state.create_deployment(call.repo, &bot, &new)?;
    Ok(Reply::created(shown(state, call, id)?))
}

/// Returns the first required status or check that is not successful. Without `required_contexts`,
/// all statuses and checks of the commit are required.
fn unmet(state: &State, call: &Call, sha: &str) -> Result<Option<String>, Reply> {
    let repo = state.repo(call.repo)?;
    let mut all = std::collections::BTreeMap::new();
    all.extend(repo.statuses.iter().filter(|s| s.sha == sha).map(|s| (s.context.as_str(), s.state == "success")));
    let good = |c: &str| matches!(c, "success" | "neutral" | "skipped");
    all.extend(
        repo.checks
            .values()
            .filter(|c| c.sha == sha)
            .map(|c| (c.name.as_str(), c.conclusion.as_deref().is_some_and(good))),
    );
    let wanted = call.body.get("required_contexts").and_then(Value::as_array);
    Ok(match wanted {
        Some(names) => {
            let mut names = names.iter().filter_map(Value::as_str);
            names.find(|n| all.get(n) != Some(&true)).map(str::to_owned)
        }
        None => all.iter().find(|(_, good)| !**good).map(|(n, _)| (*n).to_owned()),
    })
}

fn shown(state: &State, call: &Call, id: u64) -> Result<Value, Reply> {
    Ok(shape::deployment(state, state.repo(call.repo)?, state.deployment(call.repo, id)?))
}

fn get(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    Ok(Reply::ok(shown(state, call, call.number("deployment_id")?)?))
}

/// Lists a deployment's statuses, newest first.
fn statuses(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let repo = state.repo(call.repo)?;
    let deployment = state.deployment(call.repo, call.number("deployment_id")?)?;
    let all = deployment.statuses.iter().rev().map(|s| shape::deployment_status(state, repo, deployment, s)).collect();
    Ok(Reply::page(&state.api, call, all))
}

const STATES: [&str; 7] = ["error", "failure", "inactive", "in_progress", "queued", "pending", "success"];

fn set_status(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let id = call.number("deployment_id")?;
    state.deployment(call.repo, id)?;
    let set = call.required("DeploymentStatus", "state")?;
    if !STATES.contains(&set) {
        return Err(Reply::invalid("DeploymentStatus", "state", "invalid"));
    }
    let bot = state.bot();
    let mut status = state.new_deployment_status(set, &bot);
    call.text("description").unwrap_or("").clone_into(&mut status.description);
    call.text("log_url").or_else(|| call.text("target_url")).unwrap_or("").clone_into(&mut status.log_url);
    call.text("environment_url").unwrap_or("").clone_into(&mut status.environment_url);
    let auto_inactive = call.flag("auto_inactive").unwrap_or(true);
    let made = state.set_deployment_status(call.repo, id, &bot, &status, auto_inactive)?;
    let deployment = state.deployment(call.repo, id)?;
    let status = deployment.statuses.iter().find(|s| s.id == made).ok_or_else(Reply::not_found)?;
    Ok(Reply::created(shape::deployment_status(state, state.repo(call.repo)?, deployment, status)))
}
