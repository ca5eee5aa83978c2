//! Pull requests and reviews.

use serde_json::{Value, json};

use super::{
    super::{
        model::{Item, Pull, Repo, Review},
        state::State,
    },
    item::{association, labels},
    node,
    place::described,
    time, user,
};

/// Returns the full JSON of a pull request.
pub(crate) fn pull(state: &State, repo: &Repo, item: &Item, pull: &Pull) -> Value {
    let mut out = pull_of_review(state, repo, item, pull);
    let more = json!({
        "merged": pull.merged.is_some(),
        "mergeable": if item.open { Some(true) } else { None },
        "rebaseable": if item.open { Some(true) } else { None },
        "mergeable_state": if item.open { "clean" } else { "unknown" },
        "merged_by": pull.merged.as_ref().map(|m| user(state, &m.by)),
        "comments": repo.comments.values().filter(|c| c.item == item.number).count(),
        "review_comments": 0,
        "maintainer_can_modify": false,
        "commits": repo.git.between(Some(&pull.base_sha), &pull.head_sha).len(),
        "additions": 1,
        "deletions": 0,
        "changed_files": 1,
        "stack": stack(repo, item.number, pull),
    });
    if let (Value::Object(out), Value::Object(more)) = (&mut out, more) {
        out.extend(more);
    }
    out
}

fn stack(repo: &Repo, number: u64, pull: &Pull) -> Value {
    pull.stack.as_ref().map_or(Value::Null, |stack| {
        json!({
            "id": stack.number,
            "number": stack.number,
            "size": stack.pulls.len(),
            "position": stack.pulls.iter().position(|of| *of == number).map(|index| index + 1),
            "base": { "ref": stack.base, "sha": repo.git.branches.get(&stack.base) },
        })
    })
}

/// Returns the JSON of a pull request in a review event, which has no fields about its merge.
pub(crate) fn pull_of_review(state: &State, repo: &Repo, item: &Item, pull: &Pull) -> Value {
    let place = format!("{}/repos/{}", state.api, repo.full_name());
    let (n, url) = (item.number, format!("{place}/pulls/{}", item.number));
    let issue = format!("{place}/issues/{n}");
    let web = format!("{}/{}/pull/{n}", state.api, repo.full_name());
    let statuses = format!("{place}/statuses/{}", pull.head_sha);
    let assignees: Vec<Value> = item.assignees.iter().map(|a| user(state, a)).collect();
    let head_owner = pull.fork().unwrap_or(&repo.owner);
    let head_repo = match pull.fork() {
        Some(owner) => described(state, repo, owner, repo.forks.get(owner).copied().unwrap_or_default(), true),
        None => super::repository(state, repo),
    };
    // Before the merge, this is the commit of a trial merge.
    let merge_sha = match (&pull.merged, item.open) {
        (Some(merged), _) => Some(merged.sha.clone()),
        (None, true) => Some(super::super::git::hash(&["trial", &pull.base_sha, &pull.head_sha])),
        (None, false) => None,
    };
    let link = |href: &str| json!({ "href": href });
    json!({
        "url": url,
        "id": pull.id,
        "node_id": node("PR_kwDO", pull.id),
        "html_url": web,
        "diff_url": format!("{web}.diff"),
        "patch_url": format!("{web}.patch"),
        "issue_url": issue,
        "number": n,
        "state": if item.open { "open" } else { "closed" },
        "locked": item.locked,
        "title": item.title,
        "user": user(state, &item.author),
        "body": item.body,
        "created_at": time(item.created_at),
        "updated_at": time(item.updated_at),
        "closed_at": item.closed_at.map(time),
        "merged_at": pull.merged.as_ref().map(|m| time(m.at)),
        "merge_commit_sha": merge_sha,
        "assignee": assignees.first(),
        "assignees": assignees,
        "requested_reviewers": [],
        "requested_teams": [],
        "labels": labels(state, repo, item),
        "milestone": null,
        "draft": pull.draft,
        "commits_url": format!("{url}/commits"),
        "review_comments_url": format!("{url}/comments"),
        "review_comment_url": format!("{place}/pulls/comments{{/number}}"),
        "comments_url": format!("{issue}/comments"),
        "statuses_url": statuses,
        "head": {
            "label": format!("{head_owner}:{}", pull.head_ref()),
            "ref": pull.head_ref(),
            "sha": pull.head_sha,
            "user": user(state, head_owner),
            "repo": head_repo,
        },
        "base": {
            "label": format!("{}:{}", repo.owner, pull.base),
            "ref": pull.base,
            "sha": pull.base_sha,
            "user": user(state, &repo.owner),
            "repo": super::repository(state, repo),
        },
        "_links": {
            "self": link(&url),
            "html": link(&web),
            "issue": link(&issue),
            "comments": link(&format!("{issue}/comments")),
            "review_comments": link(&format!("{url}/comments")),
            "review_comment": link(&format!("{place}/pulls/comments{{/number}}")),
            "commits": link(&format!("{url}/commits")),
            "statuses": link(&statuses),
        },
        "author_association": association(state, repo, &item.author),
        "auto_merge": null,
        "active_lock_reason": null,
    })
}

/// Returns the JSON of a pull request in checks and workflow runs.
pub(crate) fn minimal_pull(state: &State, repo: &Repo, item: &Item, pull: &Pull) -> Value {
    let url = format!("{}/repos/{}", state.api, repo.full_name());
    let at = json!({ "id": repo.id, "url": url, "name": repo.name });
    json!({
        "url": format!("{url}/pulls/{}", item.number),
        "id": pull.id,
        "number": item.number,
        "head": { "ref": pull.head_ref(), "sha": pull.head_sha, "repo": at },
        "base": { "ref": pull.base, "sha": pull.base_sha, "repo": at },
    })
}

/// Returns the JSON of a review in its event.
pub(crate) fn review(state: &State, repo: &Repo, review: &Review) -> Value {
    let (id, number) = (review.id, review.pull);
    let url = format!("{}/repos/{}/pulls/{number}", state.api, repo.full_name());
    let web = format!("{}/{}/pull/{number}#pullrequestreview-{id}", state.api, repo.full_name());
    let at = time(review.at);
    json!({
        "id": id,
        "node_id": node("PRR_kwDO", id),
        "user": user(state, &review.by),
        "body": if review.body.is_empty() { None } else { Some(&review.body) },
        "commit_id": review.commit,
        "submitted_at": at,
        "updated_at": at,
        "state": review.verdict,
        "html_url": web,
        "pull_request_url": url,
        "author_association": association(state, repo, &review.by),
        "_links": { "html": { "href": web }, "pull_request": { "href": url } },
    })
}

/// Returns the JSON of a review in the API: its state in capitals, its body never null.
pub(crate) fn listed_review(state: &State, repo: &Repo, found: &Review) -> Value {
    let mut shown = review(state, repo, found);
    shown["state"] = found.verdict.to_uppercase().into();
    shown["body"] = found.body.clone().into();
    shown
}
