//! Issues, comments, labels.

use serde_json::{Value, json};

use super::{
    super::{
        model::{Comment, Item, Label, Reaction, Repo},
        state::State,
    },
    node, time, user,
};

/// Returns the JSON of a label.
pub(crate) fn label(state: &State, repo: &Repo, label: &Label) -> Value {
    json!({
        "id": label.id,
        "node_id": node("LA_kwDO", label.id),
        "url": format!("{}/repos/{}/labels/{}", state.api, repo.full_name(), super::escape(&label.name)),
        "name": label.name,
        "color": label.color,
        "default": false,
        "description": label.description,
    })
}

/// Returns the JSON of an item's labels.
pub(crate) fn labels(state: &State, repo: &Repo, item: &Item) -> Vec<Value> {
    item.labels.iter().filter_map(|name| repo.labels.get(name)).map(|l| label(state, repo, l)).collect()
}

/// Returns an account's author association with a repository.
pub(crate) fn association(state: &State, repo: &Repo, login: &str) -> &'static str {
    let organization = state.users.get(&repo.owner.to_ascii_lowercase()).is_some_and(|u| u.kind == "Organization");
    if login.eq_ignore_ascii_case(&repo.owner) {
        "OWNER"
    } else if repo.role(login).is_some_and(|r| r != "read") {
        if organization { "MEMBER" } else { "COLLABORATOR" }
    } else if repo
        .items
        .values()
        .any(|i| i.author.eq_ignore_ascii_case(login) && i.pull.as_ref().is_some_and(|p| p.merged.is_some()))
    {
        "CONTRIBUTOR"
    } else {
        "NONE"
    }
}

fn reactions(url: &str, of: &[Reaction]) -> Value {
    let count = |content: &str| of.iter().filter(|r| r.content == content).count();
    json!({
        "url": format!("{url}/reactions"),
        "total_count": of.len(),
        "+1": count("+1"),
        "-1": count("-1"),
        "laugh": count("laugh"),
        "hooray": count("hooray"),
        "confused": count("confused"),
        "heart": count("heart"),
        "rocket": count("rocket"),
        "eyes": count("eyes"),
    })
}

/// Returns the JSON of an open milestone.
pub(crate) fn milestone(state: &State, repo: &Repo, number: u64) -> Value {
    let url = format!("{}/repos/{}/milestones/{number}", state.api, repo.full_name());
    let items = repo.items.values().filter(|i| i.milestone == Some(number) && !i.gone);
    let open = items.clone().filter(|i| i.open).count();
    json!({
        "url": url,
        "html_url": format!("{}/{}/milestone/{number}", state.api, repo.full_name()),
        "labels_url": format!("{url}/labels"),
        "id": repo.id * 1000 + number,
        "node_id": node("MI_kwDO", number),
        "number": number,
        "title": repo.milestones.get(&number),
        "description": null,
        "creator": user(state, &repo.owner),
        "open_issues": open,
        "closed_issues": items.count() - open,
        "state": "open",
        "created_at": time(repo.created_at),
        "updated_at": time(repo.created_at),
        "closed_at": null,
        "due_on": null,
    })
}

/// Returns the JSON of an issue, or of a pull request as an issue.
pub(crate) fn issue(state: &State, repo: &Repo, item: &Item) -> Value {
    let place = format!("{}/repos/{}", state.api, repo.full_name());
    let url = format!("{place}/issues/{}", item.number);
    let web = format!("{}/{}/issues/{}", state.api, repo.full_name(), item.number);
    let comments = repo.comments.values().filter(|c| c.item == item.number).count();
    let assignees: Vec<Value> = item.assignees.iter().map(|a| user(state, a)).collect();
    let mut out = json!({
        "url": url,
        "repository_url": place,
        "labels_url": format!("{url}/labels{{/name}}"),
        "comments_url": format!("{url}/comments"),
        "events_url": format!("{url}/events"),
        "timeline_url": format!("{url}/timeline"),
        "html_url": web,
        "id": item.id,
        "node_id": node("I_kwDO", item.id),
        "number": item.number,
        "title": item.title,
        "user": user(state, &item.author),
        "labels": labels(state, repo, item),
        "state": if item.open { "open" } else { "closed" },
        "locked": item.locked,
        "assignee": assignees.first(),
        "assignees": assignees,
        "milestone": item.milestone.map(|number| milestone(state, repo, number)),
        "comments": comments,
        "created_at": time(item.created_at),
        "updated_at": time(item.updated_at),
        "closed_at": item.closed_at.map(time),
        "author_association": association(state, repo, &item.author),
        "active_lock_reason": null,
        "body": item.body,
        "reactions": reactions(&url, &[]),
        "performed_via_github_app": null,
        "state_reason": item.state_reason,
    });
    if let Some(by) = &item.closed_by {
        out["closed_by"] = user(state, by);
    }
    if let Some(pull) = &item.pull {
        let web = web.replace("/issues/", "/pull/");
        out["draft"] = pull.draft.into();
        out["pull_request"] = json!({
            "url": format!("{place}/pulls/{}", item.number),
            "html_url": web,
            "diff_url": format!("{web}.diff"),
            "patch_url": format!("{web}.patch"),
            "merged_at": pull.merged.as_ref().map(|m| time(m.at)),
        });
        out["html_url"] = web.into();
    }
    out
}

/// Returns the JSON of a comment.
pub(crate) fn comment(state: &State, repo: &Repo, comment: &Comment) -> Value {
    let place = format!("{}/repos/{}", state.api, repo.full_name());
    let url = format!("{place}/issues/comments/{}", comment.id);
    json!({
        "url": url,
        "html_url": format!("{}/{}/issues/{}#issuecomment-{}", state.api, repo.full_name(), comment.item, comment.id),
        "issue_url": format!("{place}/issues/{}", comment.item),
        "id": comment.id,
        "node_id": node("IC_kwDO", comment.id),
        "user": user(state, &comment.author),
        "created_at": time(comment.created_at),
        "updated_at": time(comment.updated_at),
        "body": comment.body,
        "author_association": association(state, repo, &comment.author),
        "reactions": reactions(&url, &comment.reactions),
        "performed_via_github_app": comment.via.as_ref().map(|slug| super::integration(state, slug)),
    })
}

/// Returns the JSON of a reaction.
pub(crate) fn reaction(state: &State, reaction: &Reaction) -> Value {
    json!({
        "id": reaction.id,
        "node_id": node("REA_lADO", reaction.id),
        "user": user(state, &reaction.user),
        "content": reaction.content,
        "created_at": time(reaction.at),
    })
}
