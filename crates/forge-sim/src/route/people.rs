//! Assignees, milestones, teams.

use serde_json::{Value, json};

use super::{
    super::{shape, state::State},
    Call, Reply, Route,
    issues::present,
};

const WRITE: &[&str] = &["issues:write", "pull_requests:write"];
const READ: &[&str] = &["issues:read", "pull_requests:read"];

pub(super) const ROUTES: &[Route] = &[
    Route::new("POST", "/repos/{owner}/{repo}/issues/{issue_number}/assignees", WRITE, assign),
    Route::new("GET", "/repos/{owner}/{repo}/milestones", READ, milestones),
    Route::new("GET", "/user/{account_id}", &["metadata:read"], account),
    Route::new("GET", "/orgs/{org}/teams/{team_slug}/memberships/{username}", &["members:read"], membership),
];

/// Assigns accounts. Those that cannot be assigned are left out without an error.
fn assign(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let number = present(state, call)?;
    let logins = call.body.get("assignees").and_then(Value::as_array).cloned().unwrap_or_default();
    let logins: Vec<String> = logins.iter().filter_map(|l| l.as_str().map(str::to_owned)).collect();
    let bot = state.bot();
    state.assign(call.repo, number, &bot, &logins)?;
    let repo = state.repo(call.repo)?;
    Ok(Reply::created(shape::issue(state, repo, state.item(call.repo, number)?)))
}

/// Lists milestones. All of them are open here.
fn milestones(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let repo = state.repo(call.repo)?;
    let open = call.query("state").is_none_or(|s| s != "closed");
    let all = repo.milestones.keys().filter(|_| open).map(|n| shape::milestone(state, repo, *n)).collect();
    Ok(Reply::page(&state.api, call, all))
}

fn account(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let id = call.number("account_id")?;
    let login = state.user_by_id(id).map(|user| user.login.clone()).ok_or_else(Reply::not_found)?;
    Ok(Reply::ok(shape::public_user(state, &login)))
}

fn membership(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let (org, team, login) = (call.param("org"), call.param("team_slug"), call.param("username"));
    let reaches = state.installations.get(&call.installation).is_some_and(|i| i.owner.eq_ignore_ascii_case(org));
    let members = state.teams.get(&format!("{org}/{team}").to_lowercase()).filter(|_| reaches);
    if !members.is_some_and(|members| members.contains(&login.to_ascii_lowercase())) {
        return Err(Reply::not_found());
    }
    let url = format!("{}/orgs/{org}/teams/{team}/memberships/{login}", state.api);
    Ok(Reply::ok(json!({ "url": url, "role": "member", "state": "active" })))
}
