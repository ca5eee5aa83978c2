//! Commits, comparisons, branches, tags.

use serde_json::{Value, json};

use super::{
    super::{git::hash, model::Repo, shape, state::State},
    Call, Reply, Route,
    reply::cut,
};

const READ: &[&str] = &["contents:read"];

pub(super) const ROUTES: &[Route] = &[
    Route::new("GET", "/repos/{owner}/{repo}/compare/{basehead}", READ, compare),
    Route::new("GET", "/repos/{owner}/{repo}/commits", READ, list),
    Route::new("GET", "/repos/{owner}/{repo}/commits/{commit_sha}/branches-where-head", READ, branches_where_head),
    Route::new("GET", "/repos/{owner}/{repo}/commits/{ref}", READ, get),
    Route::new("GET", "/repos/{owner}/{repo}/git/ref/{ref}", READ, git_ref),
    Route::new("GET", "/repos/{owner}/{repo}/git/tags/{tag_sha}", READ, tag_object),
    Route::new("GET", "/repos/{owner}/{repo}/git/matching-refs/{ref}", READ, matching),
    Route::new("GET", "/repos/{owner}/{repo}/tags", READ, tags),
];

/// Maximum commits that a comparison lists without `page` and `per_page`.
const COMPARED: usize = 250;

/// Resolves a name to a commit; otherwise returns GitHub's 422.
pub(super) fn resolve(state: &State, call: &Call, name: &str) -> Result<String, Reply> {
    let found = state.repo(call.repo)?.git.resolve(name);
    found.ok_or_else(|| Reply::invalid_message(&format!("No commit found for SHA: {name}")))
}

fn shown(state: &State, repo: &Repo, sha: &str) -> Option<Value> {
    repo.git.get(sha).map(|c| shape::commit(state, repo, c))
}

fn compare(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let (base_name, head_name) = call.param("basehead").split_once("...").ok_or_else(Reply::not_found)?;
    let repo = state.repo(call.repo)?;
    let at = |name: &str| {
        let own = name.strip_prefix(&format!("{}:", repo.owner)).unwrap_or(name);
        // As in Git, a tag comes before a branch of the same name.
        repo.git.tags.get(own).cloned().or_else(|| repo.git.resolve(own)).ok_or_else(Reply::not_found)
    };
    let (base, head) = (at(base_name)?, at(head_name)?);
    let none = || Reply::not_found_because(&format!("No common ancestor between {base_name} and {head_name}."));
    let found = repo.git.compare(&base, &head).ok_or_else(none)?;
    let status = match (found.ahead.len(), found.behind) {
        (0, 0) => "identical",
        (_, 0) => "ahead",
        (0, _) => "behind",
        _ => "diverged",
    };
    let paged = call.query("page").is_some() || call.query("per_page").is_some();
    let all = found.ahead.iter().filter_map(|s| shown(state, repo, s)).collect();
    let (commits, links) = if paged { cut(&state.api, call, all, COMPARED, COMPARED) } else { (last(all), Vec::new()) };
    let web = format!("{}/{}/compare/{}", state.api, repo.full_name(), shape::escape(call.param("basehead")));
    let body = json!({
        "url": format!("{}/repos/{}/compare/{}", state.api, repo.full_name(), shape::escape(call.param("basehead"))),
        "html_url": web,
        "permalink_url": web,
        "diff_url": format!("{web}.diff"),
        "patch_url": format!("{web}.patch"),
        "base_commit": shown(state, repo, &base),
        "merge_base_commit": shown(state, repo, &found.merge_base),
        "status": status,
        "ahead_by": found.ahead.len(),
        "behind_by": found.behind,
        "total_commits": found.ahead.len(),
        "commits": commits,
        "files": files(state, repo, &base, &head),
    });
    Ok(Reply { headers: links, ..Reply::ok(body) })
}

/// Returns the files that `head` changed since it left `base`.
pub(super) fn files(state: &State, repo: &Repo, base: &str, head: &str) -> Vec<Value> {
    let before = repo.git.compare(base, head).and_then(|c| repo.git.get(&c.merge_base).cloned());
    let shown = |(path, text): (String, Option<String>)| {
        let old = before.as_ref().and_then(|c| c.tree.get(&path));
        let status = match (old, &text) {
            (None, None) => return None,
            (Some(old), Some(text)) if old == text => return None,
            (None, Some(_)) => "added",
            (Some(_), None) => "removed",
            (Some(_), Some(_)) => "modified",
        };
        let place = format!("{}/{}", state.api, repo.full_name());
        let escaped = shape::escape(&path);
        Some(json!({
            "sha": hash(&["blob", &path, text.as_deref().unwrap_or("")]),
            "filename": path,
            "status": status,
            "additions": 1,
            "deletions": u8::from(old.is_some()),
            "changes": 1 + u8::from(old.is_some()),
            "blob_url": format!("{place}/blob/{head}/{escaped}"),
            "raw_url": format!("{place}/raw/{head}/{escaped}"),
            "contents_url": format!("{}/repos/{}/contents/{escaped}?ref={head}", state.api, repo.full_name()),
        }))
    };
    repo.git.changes(base, head).into_iter().filter_map(shown).collect()
}

/// Returns the part of a long comparison that is listed without pages: the newest commits.
fn last(mut all: Vec<Value>) -> Vec<Value> {
    let from = all.len().saturating_sub(COMPARED);
    all.split_off(from)
}

fn list(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let repo = state.repo(call.repo)?;
    let from = call.query("sha").unwrap_or(&repo.default_branch);
    let head = repo.git.resolve(from).ok_or_else(Reply::not_found)?;
    let all = repo.git.log(&head).iter().filter_map(|s| shown(state, repo, s)).collect();
    Ok(Reply::page(&state.api, call, all))
}

fn get(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let sha = resolve(state, call, call.param("ref"))?;
    let repo = state.repo(call.repo)?;
    let mut commit = shown(state, repo, &sha).ok_or_else(Reply::not_found)?;
    commit["stats"] = json!({ "additions": 0, "deletions": 0, "total": 0 });
    let parent = repo.git.get(&sha).and_then(|commit| commit.parents.first());
    let all = parent.map(|parent| files(state, repo, parent, &sha)).unwrap_or_default();
    let (shown, headers) = cut(&state.api, call, all, 300, 300);
    commit["files"] = shown.into();
    Ok(Reply { headers, ..Reply::ok(commit) })
}

/// Lists branches of this repository only; a fork's branches do not belong to it.
fn branches_where_head(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let sha = resolve(state, call, call.param("commit_sha"))?;
    let repo = state.repo(call.repo)?;
    let url = format!("{}/repos/{}/commits/{sha}", state.api, repo.full_name());
    let shown = |name: &str| {
        let protected = repo.protected.contains_key(name) || repo.required.contains_key(name);
        json!({ "name": name, "commit": { "sha": sha, "url": url }, "protected": protected })
    };
    Ok(Reply::ok(repo.git.branches_at(&sha).map(shown).collect()))
}

fn git_ref(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let repo = state.repo(call.repo)?;
    let name = call.param("ref");
    let found = match name.split_once('/') {
        Some(("heads", branch)) => repo.git.branches.get(branch),
        Some(("tags", tag)) => repo.git.tags.get(tag),
        _ => None,
    };
    let sha = found.ok_or_else(Reply::not_found)?;
    Ok(Reply::ok(shape::git_ref(state, repo, name, sha)))
}

fn tag_object(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let repo = state.repo(call.repo)?;
    let mut all = repo.git.annotated.iter();
    let found = all.find(|(_, object)| object.sha == call.param("tag_sha"));
    let (name, object) = found.ok_or_else(Reply::not_found)?;
    Ok(Reply::ok(shape::tag_object(state, repo, name, object)))
}

fn matching(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let repo = state.repo(call.repo)?;
    let branches = repo.git.branches.iter().filter(|(n, _)| !n.contains(':')).map(|(n, s)| (format!("heads/{n}"), s));
    let tags = repo.git.tags.iter().map(|(n, s)| (format!("tags/{n}"), s));
    let all = branches
        .chain(tags)
        .filter(|(name, _)| name.starts_with(call.param("ref")))
        .map(|(name, sha)| shape::git_ref(state, repo, &name, sha))
        .collect();
    Ok(Reply::ok(Value::Array(all)))
}

fn tags(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let repo = state.repo(call.repo)?;
    let place = format!("{}/repos/{}", state.api, repo.full_name());
    let all = repo
        .git
        .tags
        .iter()
        .map(|(name, sha)| {
            json!({
                "name": name,
                "node_id": shape::node("REF_kwDO", repo.id),
                "commit": { "sha": sha, "url": format!("{place}/commits/{sha}") },
                "zipball_url": format!("{place}/zipball/refs/tags/{}", shape::escape(name)),
                "tarball_url": format!("{place}/tarball/refs/tags/{}", shape::escape(name)),
            })
        })
        .collect();
    Ok(Reply::page(&state.api, call, all))
}
