//! Commits and references.

use serde_json::{Value, json};

use super::{
    super::{
        git::{Commit, TagObject},
        model::Repo,
        state::State,
    },
    node, time, user,
};

/// Returns the address with which an account commits.
pub(crate) fn email(login: &str) -> String {
    let name: String = login.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("{name}@users.noreply.example.com")
}

/// Returns the JSON of a commit, as in the API and the status event.
pub(crate) fn commit(state: &State, repo: &Repo, of: &Commit) -> Value {
    let place = format!("{}/repos/{}", state.api, repo.full_name());
    let web = format!("{}/{}", state.api, repo.full_name());
    let url = format!("{place}/commits/{}", of.sha);
    let who = json!({ "name": of.author, "email": email(&of.author), "date": time(of.at) });
    // The author's address may belong to no account.
    let known = state.users.contains_key(&of.author.to_ascii_lowercase()).then(|| user(state, &of.author));
    let parents: Vec<Value> = of
        .parents
        .iter()
        .map(|p| json!({ "sha": p, "url": format!("{place}/commits/{p}"), "html_url": format!("{web}/commit/{p}") }))
        .collect();
    json!({
        "sha": of.sha,
        "node_id": format!("C_kwDO{}", of.sha),
        "commit": {
            "author": who,
            "committer": who,
            "message": of.message,
            "tree": { "sha": of.tree_sha, "url": format!("{place}/git/trees/{}", of.tree_sha) },
            "url": format!("{place}/git/commits/{}", of.sha),
            "comment_count": 0,
            "verification": { "verified": false, "reason": "unsigned", "signature": null, "payload": null, "verified_at": null },
        },
        "url": url,
        "html_url": format!("{web}/commit/{}", of.sha),
        "comments_url": format!("{url}/comments"),
        "author": known,
        "committer": known,
        "parents": parents,
    })
}

/// Returns the JSON of a commit in a push.
pub(crate) fn commit_of_push(state: &State, repo: &Repo, of: &Commit, distinct: bool) -> Value {
    let who = json!({ "name": of.author, "email": email(&of.author), "username": of.author });
    let parent = of.parents.first().and_then(|p| repo.git.get(p));
    let before = |path: &String| parent.is_some_and(|p| p.tree.contains_key(path));
    let paths = |wanted: &dyn Fn(&String, bool) -> bool| -> Vec<&String> {
        of.touched.iter().filter(|(path, there)| wanted(path, **there)).map(|(path, _)| path).collect()
    };
    json!({
        "id": of.sha,
        "tree_id": of.tree_sha,
        "distinct": distinct,
        "message": of.message,
        "timestamp": time(of.at),
        "url": format!("{}/{}/commit/{}", state.api, repo.full_name(), of.sha),
        "author": who,
        "committer": who,
        "added": paths(&|path, there| there && !before(path)),
        "removed": paths(&|_, there| !there),
        "modified": paths(&|path, there| there && before(path)),
    })
}

/// Returns the JSON of a commit in check suites, merge groups and workflow runs.
pub(crate) fn simple_commit(of: &Commit) -> Value {
    let who = json!({ "name": of.author, "email": email(&of.author) });
    json!({
        "id": of.sha,
        "tree_id": of.tree_sha,
        "message": of.message,
        "timestamp": time(of.at),
        "author": who,
        "committer": who,
    })
}

/// Returns the JSON of a branch or tag in the Git database; an annotated tag has its object.
pub(crate) fn git_ref(state: &State, repo: &Repo, name: &str, sha: &str) -> Value {
    let place = format!("{}/repos/{}/git", state.api, repo.full_name());
    let object = name.strip_prefix("tags/").and_then(|tag| repo.git.annotated.get(tag));
    let (kind, sha) = object.map_or(("commit", sha), |object| ("tag", &object.sha));
    json!({
        "ref": format!("refs/{name}"),
        "node_id": node("REF_kwDO", repo.id),
        "url": format!("{place}/refs/{}", super::escape(name)),
        "object": { "type": kind, "sha": sha, "url": format!("{place}/{kind}s/{sha}") },
    })
}

/// Returns the JSON of an annotated tag's object.
pub(crate) fn tag_object(state: &State, repo: &Repo, name: &str, object: &TagObject) -> Value {
    let place = format!("{}/repos/{}/git", state.api, repo.full_name());
    json!({
        "node_id": node("TA_kwDO", repo.id),
        "tag": name,
        "sha": object.sha,
        "url": format!("{place}/tags/{}", object.sha),
        "message": format!("{name}\n"),
        "tagger": {
            "name": object.tagger,
            "email": format!("{}@users.noreply.example.com", object.tagger),
            "date": time(object.at),
        },
        "object": { "type": "commit", "sha": object.commit, "url": format!("{place}/commits/{}", object.commit) },
        "verification": {
            "verified": object.verified,
            "reason": if object.verified { "valid" } else { "unsigned" },
            "signature": null,
            "payload": null,
            "verified_at": null,
        },
    })
}
