//! Creating, editing and closing our own issues.

use http::Method;
use serde::Deserialize;
use serde_json::json;

use crate::{
    domain::{effect::LabelSpec, id::ItemId},
    forge::github::{
        label, marker,
        own_account::{Identity, Written},
        path,
        repo::Repo,
    },
    port::forge::{Applied, ApplyContext, ForgeError},
};

/// Maximum number of pages of our newest issues searched for one that may already exist.
const MAX_PAGES: usize = 2;

#[derive(Deserialize)]
struct Opened {
    number: u64,
    #[serde(default)]
    labels: Vec<Label>,
}

#[derive(Deserialize)]
struct Label {
    name: String,
}

/// Opens an issue. If an earlier attempt may have succeeded, looks for our issue with the marker
/// first.
pub(super) async fn open(
    repo: &mut Repo<'_>,
    identity: &Identity,
    context: &ApplyContext,
    marker: &str,
    title: &str,
    text: &str,
    labels: &[LabelSpec],
) -> Result<Applied, ForgeError> {
    let body = marker::mark(marker, text)?;
    if context.in_doubt
        && let Some(found) = find(repo, identity, &marker::line(marker)?).await?.and_then(|issue| issue.number)
    {
        return Ok(Applied { made: Some(found.to_string()), issue: Some(found), ..Applied::default() });
    }
    let mut applied = Applied::default();
    if context.look_only {
        return Ok(applied);
    }
    for look in labels {
        label::ensure(repo, context, look, &mut applied).await?;
    }
    let names: Vec<&str> = labels.iter().map(|look| look.name.as_str()).collect();
    let issue = json!({ "title": title, "body": body, "labels": names });
    let reply = repo.send(Method::POST, "POST /repos/{owner}/{repo}/issues", "/issues", Some(issue)).await?;
    // The issue's number is needed: if the answer is unreadable, the next attempt looks it up.
    let Some(opened) = reply.made::<Opened>() else {
        return Err(ForgeError::Doubt("the answer does not tell the new issue's number".to_owned()));
    };
    applied.made = Some(opened.number.to_string());
    applied.issue = Some(opened.number);
    let names = opened.labels.into_iter().map(|label| label.name).collect();
    applied.labels = Some((opened.number, names));
    Ok(applied)
}

/// Returns the text of an issue.
pub(super) async fn text(repo: &mut Repo<'_>, item: ItemId) -> Result<String, ForgeError> {
    #[derive(Deserialize)]
    struct Issue {
        body: Option<String>,
    }
    let reply = repo.get("GET /repos/{owner}/{repo}/issues/{issue_number}", &format!("/issues/{item}")).await?;
    let Issue { body } = reply.json()?;
    Ok(body.unwrap_or_default())
}

/// Replaces the title and body of an issue of ours.
pub(super) async fn edit(
    repo: &mut Repo<'_>,
    item: ItemId,
    marker: &str,
    title: &str,
    text: &str,
) -> Result<Applied, ForgeError> {
    patch(repo, item, json!({ "title": title, "body": marker::mark(marker, text)? })).await
}

/// Closes an issue as completed, or reopens it.
pub(super) async fn set_state(repo: &mut Repo<'_>, item: ItemId, open: bool) -> Result<Applied, ForgeError> {
    let change = if open {
        json!({ "state": "open", "state_reason": "reopened" })
    } else {
        json!({ "state": "closed", "state_reason": "completed" })
    };
    patch(repo, item, change).await
}

async fn patch(repo: &mut Repo<'_>, item: ItemId, change: serde_json::Value) -> Result<Applied, ForgeError> {
    let route = "PATCH /repos/{owner}/{repo}/issues/{issue_number}";
    repo.send(Method::PATCH, route, &format!("/issues/{item}"), Some(change)).await?;
    Ok(Applied::default())
}

/// Updates the title, body and state of our issue with the marker; creates it if it is missing and
/// should be open.
pub(super) async fn upsert(
    repo: &mut Repo<'_>,
    identity: &Identity,
    context: &ApplyContext,
    marker: &str,
    title: &str,
    text: &str,
    open: bool,
) -> Result<Applied, ForgeError> {
    let body = marker::mark(marker, text)?;
    let line = marker::line(marker)?;
    let mut found = match context.issue {
        Some(number) => known(repo, identity, number, &line).await?,
        None => None,
    };
    if found.is_none() {
        found = find(repo, identity, &line).await?;
    }
    let state = if open { "open" } else { "closed" };
    let Some((number, issue)) = found.and_then(|issue| Some((issue.number?, issue))) else {
        if !open || context.look_only {
            return Ok(Applied::default());
        }
        let issue = json!({ "title": title, "body": body });
        let reply = repo.send(Method::POST, "POST /repos/{owner}/{repo}/issues", "/issues", Some(issue)).await?;
        let number = reply.made::<Opened>().map(|opened| opened.number);
        return Ok(Applied { made: number.map(|n| n.to_string()), issue: number, ..Applied::default() });
    };
    let shown = issue.state.as_deref() == Some(state)
        && issue.title.as_deref() == Some(title)
        && issue.body.as_deref().is_some_and(|shown| marker::same(shown, &body));
    if !shown && !context.look_only {
        let route = "PATCH /repos/{owner}/{repo}/issues/{issue_number}";
        let mut change = json!({ "title": title, "body": body, "state": state });
        if !open {
            change["state_reason"] = json!("completed");
        }
        repo.send(Method::PATCH, route, &format!("/issues/{number}"), Some(change)).await?;
    }
    Ok(Applied { made: Some(number.to_string()), issue: Some(number), ..Applied::default() })
}

/// Returns the issue with this number if it exists, is ours and carries the marker.
async fn known(
    repo: &mut Repo<'_>,
    identity: &Identity,
    number: u64,
    line: &str,
) -> Result<Option<Written>, ForgeError> {
    let reply = repo.get("GET /repos/{owner}/{repo}/issues/{issue_number}", &format!("/issues/{number}")).await;
    let issue: Written = match reply {
        Ok(reply) => reply.json()?,
        Err(failure) => match failure.error {
            ForgeError::NotFound(_) | ForgeError::Deleted(_) => return Ok(None),
            other => return Err(other),
        },
    };
    let marked = issue.body.as_deref().is_some_and(|body| marker::carries(body, line));
    Ok(if marked && identity.wrote(repo.client, &issue).await? { Some(issue) } else { None })
}

/// Returns the newest issue of ours that carries the marker. Uses the list and not the search,
/// because GitHub's search lags behind.
async fn find(repo: &mut Repo<'_>, identity: &Identity, line: &str) -> Result<Option<Written>, ForgeError> {
    let me = identity.actor(repo.client).await?.login;
    let tail = format!("/issues?creator={}&state=all&sort=created&direction=desc", path::value(&me));
    let route = "GET /repos/{owner}/{repo}/issues";
    let (issues, _) = repo.list::<Written>(route, &tail, MAX_PAGES).await?;
    for issue in issues {
        let marked = issue.body.as_deref().is_some_and(|body| marker::carries(body, line));
        if marked && identity.wrote(repo.client, &issue).await? {
            return Ok(Some(issue));
        }
    }
    Ok(None)
}
