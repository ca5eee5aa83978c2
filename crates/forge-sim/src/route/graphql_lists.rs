//! GraphQL lists of a repository: pull requests, issues, tags; and deployments by their global ids.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    super::{
        model::{Item, Repo},
        shape,
        state::State,
    },
    graphql_item::basics,
    query::Field,
};

/// Returns the requested page of the list that `field` names, if it names one.
pub(super) fn list(state: &State, repo: &Repo, field: &Field) -> Option<Value> {
    let all = match field.name.as_str() {
        "pullRequests" => items(repo, field, true).map(|item| pull(state, repo, item)).collect(),
        "issues" => items(repo, field, false).map(|item| issue(state, repo, item)).collect(),
        "refs" => tags(repo),
        _ => return None,
    };
    Some(page(field, all))
}

/// Returns deployments by their global ids, with null for ids that are unknown or not accessible.
pub(super) fn nodes(state: &State, reach: impl Fn(u64) -> bool, field: &Field) -> Value {
    let ids = field.arguments.get("ids").and_then(Value::as_array).cloned().unwrap_or_default();
    let seen = |id: &Value| {
        let repos = state.repos.values().filter(|repo| reach(repo.id));
        let mut all = repos.flat_map(|repo| repo.deployments.values());
        all.find(|d| id.as_str() == Some(shape::node("DE_kwDO", d.id).as_str()))
    };
    let shown = ids.iter().map(|id| {
        seen(id).map_or(Value::Null, |deployment| {
            let status = |s: &super::super::model::DeploymentStatus| {
                json!({ "state": s.state.to_uppercase(), "createdAt": shape::time(s.at) })
            };
            json!({
                "__typename": "Deployment",
                "databaseId": deployment.id,
                "statuses": { "nodes": deployment.statuses.iter().rev().map(status).collect::<Vec<_>>() },
            })
        })
    });
    shown.collect()
}

/// Returns one page of a connection. A cursor is the index after the page's last element.
fn page(field: &Field, all: Vec<Value>) -> Value {
    let first = field.arguments.get("first").and_then(Value::as_u64).map_or(100, |n| n.min(100));
    let first = usize::try_from(first).unwrap_or(100);
    let after =
        field.arguments.get("after").and_then(Value::as_str).and_then(|cursor| cursor.parse().ok()).unwrap_or(0);
    let (total, end) = (all.len(), (after + first).min(all.len()));
    let nodes: Vec<Value> = all.into_iter().skip(after).take(first).collect();
    let cursor = if nodes.is_empty() { Value::Null } else { end.to_string().into() };
    json!({
        "totalCount": total,
        "pageInfo": { "hasNextPage": end < total, "endCursor": cursor },
        "nodes": nodes,
    })
}

/// Returns issues or pull requests, the most recently updated first.
fn items<'a>(repo: &'a Repo, field: &Field, pulls: bool) -> impl Iterator<Item = &'a Item> {
    let since = field.arguments.get("filterBy").and_then(|filter| filter.get("since")).and_then(Value::as_str);
    let since: Option<Timestamp> = since.and_then(|since| since.parse().ok());
    let mut found: Vec<&Item> = repo
        .items
        .values()
        .filter(|i| i.pull.is_some() == pulls && !i.gone && since.is_none_or(|since| i.updated_at >= since))
        .collect();
    found.sort_by_key(|item| std::cmp::Reverse((item.updated_at, item.number)));
    found.into_iter()
}

pub(super) fn account(state: &State, login: &str) -> Value {
    let known = state.users.get(&login.to_ascii_lowercase());
    let (kind, id) = known.map_or(("User", None), |user| (user.kind, Some(user.id)));
    // GraphQL omits the suffix that REST adds to a bot's name.
    json!({ "__typename": kind, "login": login.trim_end_matches("[bot]"), "databaseId": id })
}

fn item(state: &State, repo: &Repo, item: &Item) -> Value {
    let labels = item.labels.iter().filter_map(|key| repo.labels.get(key));
    let mut out = basics(repo, item);
    out["body"] = item.body.as_str().into();
    out["author"] = account(state, &item.author);
    out["authorAssociation"] = shape::association(state, repo, &item.author).into();
    out["createdAt"] = shape::time(item.created_at).into();
    out["updatedAt"] = shape::time(item.updated_at).into();
    out["closedAt"] = item.closed_at.map(shape::time).into();
    out["locked"] = item.locked.into();
    out["labels"] = json!({ "nodes": labels.map(|label| json!({ "name": label.name })).collect::<Vec<_>>() });
    out
}

fn issue(state: &State, repo: &Repo, issue: &Item) -> Value {
    let mut out = item(state, repo, issue);
    out["stateReason"] = issue.state_reason.as_ref().map(|reason| reason.to_uppercase()).into();
    out
}

fn pull(state: &State, repo: &Repo, it: &Item) -> Value {
    let mut out = item(state, repo, it);
    let Some(pull) = &it.pull else { return out };
    let closing = state.closing_issues(repo.id, it.number).unwrap_or_default();
    let linked: Vec<Value> = closing.iter().filter_map(|n| repo.items.get(n)).map(|i| basics(repo, i)).collect();
    if pull.merged.is_some() {
        out["state"] = "MERGED".into();
    }
    out["isDraft"] = pull.draft.into();
    out["headRefName"] = pull.head_ref().into();
    out["headRefOid"] = pull.head_sha.as_str().into();
    out["isCrossRepository"] = pull.fork().is_some().into();
    out["baseRefName"] = pull.base.as_str().into();
    out["mergedAt"] = pull.merged.as_ref().map(|merged| shape::time(merged.at)).into();
    out["mergeCommit"] = pull.merged.as_ref().map(|merged| json!({ "oid": merged.sha })).into();
    out["mergedBy"] = pull.merged.as_ref().map(|merged| account(state, &merged.by)).into();
    out["closingIssuesReferences"] = json!({ "nodes": linked });
    out
}

/// Returns all tags, newest commit first. Each names its commit, also an annotated one.
fn tags(repo: &Repo) -> Vec<Value> {
    let mut found: Vec<(Timestamp, Value)> = repo
        .git
        .tags
        .iter()
        .filter_map(|(name, sha)| {
            let at = repo.git.get(sha)?.at;
            let target = json!({ "__typename": "Commit", "oid": sha, "committedDate": shape::time(at) });
            Some((at, json!({ "name": name, "target": target })))
        })
        .collect();
    found.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    found.into_iter().map(|(_, tag)| tag).collect()
}
