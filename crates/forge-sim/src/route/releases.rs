//! Releases.

use serde_json::Value;

use super::{
    super::{change::NewRelease, shape, state::State},
    Call, Reply, Route,
};

const WRITE: &[&str] = &["contents:write"];
const READ: &[&str] = &["contents:read"];

pub(super) const ROUTES: &[Route] = &[
    Route::new("GET", "/repos/{owner}/{repo}/releases", READ, list),
    Route::content("/repos/{owner}/{repo}/releases", WRITE, create),
    Route::new("GET", "/repos/{owner}/{repo}/releases/tags/{tag}", READ, by_tag),
    Route::new("GET", "/repos/{owner}/{repo}/releases/{release_id}", READ, get),
    Route::new("PATCH", "/repos/{owner}/{repo}/releases/{release_id}", WRITE, edit),
];

fn shown(state: &State, call: &Call, id: u64) -> Result<Value, Reply> {
    Ok(shape::release(state, state.repo(call.repo)?, state.release(call.repo, id)?))
}

/// Lists releases, newest first.
fn list(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let repo = state.repo(call.repo)?;
    let all = repo.releases.values().rev().map(|r| shape::release(state, repo, r)).collect();
    Ok(Reply::page(&state.api, call, all))
}

fn create(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let tag = call.required("Release", "tag_name")?;
    let repo = state.repo(call.repo)?;
    if repo.releases.values().any(|r| r.tag == tag && !r.draft) {
        return Err(Reply::invalid("Release", "tag_name", "already_exists"));
    }
    let target = call.text("target_commitish").unwrap_or("");
    if !target.is_empty() && repo.git.resolve(target).is_none() {
        return Err(Reply::invalid("Release", "target_commitish", "invalid"));
    }
    let new = NewRelease {
        tag: tag.to_owned(),
        target: target.to_owned(),
        name: call.text("name").map(str::to_owned),
        body: call.text("body").map(str::to_owned),
        draft: call.flag("draft").unwrap_or(false),
        prerelease: call.flag("prerelease").unwrap_or(false),
    };
    let bot = state.bot();
    let id = state.create_release(call.repo, &bot, &new)?;
    Ok(Reply::created(shown(state, call, id)?))
}

fn get(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    Ok(Reply::ok(shown(state, call, call.number("release_id")?)?))
}

/// Finds a release by its tag. Drafts are not found.
fn by_tag(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let repo = state.repo(call.repo)?;
    let found = repo.releases.values().find(|r| !r.draft && r.tag == call.param("tag")).ok_or_else(Reply::not_found)?;
    Ok(Reply::ok(shape::release(state, repo, found)))
}

fn edit(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let id = call.number("release_id")?;
    state.release(call.repo, id)?;
    if let Some(release) = state.repo_mut(call.repo)?.releases.get_mut(&id) {
        if let Some(name) = call.text("name") {
            release.name = Some(name.to_owned());
        }
        if let Some(body) = call.text("body") {
            release.body = Some(body.to_owned());
        }
        if let Some(prerelease) = call.flag("prerelease") {
            release.prerelease = prerelease;
        }
        if let Some(target) = call.text("target_commitish").filter(|target| !target.is_empty()) {
            target.clone_into(&mut release.target);
        }
    }
    if call.flag("draft") == Some(false) {
        let bot = state.bot();
        state.publish_release(call.repo, id, &bot)?;
    }
    Ok(Reply::ok(shown(state, call, id)?))
}
