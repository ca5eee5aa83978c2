//! A repository: its metadata, permissions, rules and files.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{
    super::{git::hash, model::Repo, shape, state::State},
    Call, Reply, Route,
};

const META: &[&str] = &["metadata:read"];

pub(super) const ROUTES: &[Route] = &[
    Route::new("GET", "/repos/{owner}/{repo}", META, get),
    Route::new("GET", "/repos/{owner}/{repo}/collaborators/{username}/permission", META, permission),
    Route::new("GET", "/repos/{owner}/{repo}/rules/branches/{branch}", META, rules),
    Route::new("GET", "/repos/{owner}/{repo}/branches/{branch}", &["contents:read"], branch),
    Route::new("GET", "/repos/{owner}/{repo}/contents/{path}", &["contents:read"], contents),
];

fn get(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    Ok(Reply::ok(shape::repository(state, state.repo(call.repo)?)))
}

/// Returns an account's permission. `permission` has only four roles: maintain shows as write,
/// triage as read.
fn permission(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let login = call.param("username");
    if !state.users.contains_key(&login.to_ascii_lowercase()) {
        return Err(Reply::not_found_because(&format!("{login} is not a user")));
    }
    let role = state.repo(call.repo)?.role(login).unwrap_or("none").to_owned();
    let coarse = match role.as_str() {
        "maintain" => "write",
        "triage" => "read",
        other => other,
    };
    let mut user = shape::user(state, login);
    user["role_name"] = role.clone().into();
    let rank = ["none", "read", "triage", "write", "maintain", "admin"].iter().position(|r| *r == role).unwrap_or(0);
    user["permissions"] =
        json!({ "pull": rank >= 1, "triage": rank >= 2, "push": rank >= 3, "maintain": rank >= 4, "admin": rank >= 5 });
    Ok(Reply::ok(json!({ "permission": coarse, "role_name": role, "user": user })))
}

fn contexts<'a>(repo: &'a Repo, branch: &str) -> &'a [String] {
    repo.required.get(branch).map_or(&[], Vec::as_slice)
}

fn rules(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let repo = state.repo(call.repo)?;
    let required: Vec<Value> = contexts(repo, call.param("branch")).iter().map(|c| json!({ "context": c })).collect();
    let mut all = Vec::new();
    if !required.is_empty() {
        all.push(json!({
            "type": "required_status_checks",
            "parameters": { "required_status_checks": required, "strict_required_status_checks_policy": false },
            "ruleset_source_type": "Repository",
            "ruleset_source": repo.full_name(),
            "ruleset_id": repo.id,
        }));
    }
    Ok(Reply::page(&state.api, call, all))
}

fn branch(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let repo = state.repo(call.repo)?;
    let name = call.param("branch");
    let missing = || Reply::not_found_because("Branch not found");
    let tip = repo.git.branches.get(name).and_then(|sha| repo.git.get(sha)).ok_or_else(missing)?;
    let protected = repo.protected.get(name);
    let required: Vec<&(String, Option<u64>)> = protected.into_iter().flatten().collect();
    let contexts: Vec<&String> = required.iter().map(|(context, _)| context).collect();
    let escaped = shape::escape(name);
    let url = format!("{}/repos/{}/branches/{escaped}", state.api, repo.full_name());
    let checks: Vec<Value> = required.iter().map(|(c, app)| json!({ "context": c, "app_id": app })).collect();
    Ok(Reply::ok(json!({
        "name": name,
        "commit": shape::commit(state, repo, tip),
        "_links": { "self": url, "html": format!("{}/{}/tree/{escaped}", state.api, repo.full_name()) },
        "protected": protected.is_some() || repo.required.contains_key(name),
        "protection": {
            "enabled": protected.is_some(),
            "required_status_checks": {
                "enforcement_level": if required.is_empty() { "off" } else { "non_admins" },
                "contexts": contexts,
                "checks": checks,
            },
        },
        "protection_url": format!("{url}/protection"),
    })))
}

/// Returns a file, or the entries of a folder.
fn contents(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let repo = state.repo(call.repo)?;
    let at = call.query("ref").unwrap_or(&repo.default_branch);
    let no_ref = || Reply::not_found_because(&format!("No commit found for the ref {at}"));
    let commit = repo.git.resolve(at).and_then(|sha| repo.git.get(&sha).cloned()).ok_or_else(no_ref)?;
    let path = call.param("path").trim_end_matches('/');
    if let Some(text) = commit.tree.get(path) {
        return Ok(Reply::ok(entry(state, repo, at, path, Some(text))));
    }
    let folder = format!("{path}/");
    let mut below: Vec<&str> =
        commit.tree.keys().filter_map(|p| p.strip_prefix(&folder)).filter_map(|p| p.split('/').next()).collect();
    below.dedup();
    if below.is_empty() {
        return Err(Reply::not_found());
    }
    let all = below
        .into_iter()
        .map(|name| {
            let path = format!("{path}/{name}");
            let mut shown = entry(state, repo, at, &path, commit.tree.get(&path));
            if let Value::Object(fields) = &mut shown {
                fields.remove("content");
                fields.remove("encoding");
            }
            shown
        })
        .collect();
    Ok(Reply::ok(Value::Array(all)))
}

fn entry(state: &State, repo: &Repo, at: &str, path: &str, text: Option<&String>) -> Value {
    let (escaped, at) = (shape::escape(path), shape::escape(at));
    let place = format!("{}/repos/{}", state.api, repo.full_name());
    let sha = hash(&["blob", path, text.map_or("", String::as_str)]);
    let url = format!("{place}/contents/{escaped}?ref={at}");
    let git = format!("{place}/git/blobs/{sha}");
    let web = format!("{}/{}/blob/{at}/{escaped}", state.api, repo.full_name());
    json!({
        "name": path.rsplit('/').next(),
        "path": path,
        "sha": sha,
        "size": text.map_or(0, String::len),
        "url": url,
        "html_url": web,
        "git_url": git,
        "download_url": text.map(|_| format!("{}/raw/{}/{at}/{escaped}", state.api, repo.full_name())),
        "type": if text.is_some() { "file" } else { "dir" },
        "content": text.map(|t| wrapped(&STANDARD.encode(t))),
        "encoding": "base64",
        "_links": { "self": url, "git": git, "html": web },
    })
}

/// Encodes Base64 as GitHub sends it: in lines of 60 characters.
fn wrapped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 60 + 1);
    for (at, character) in text.chars().enumerate() {
        if at > 0 && at % 60 == 0 {
            out.push('\n');
        }
        out.push(character);
    }
    out.push('\n');
    out
}
