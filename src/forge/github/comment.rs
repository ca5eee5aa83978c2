//! Comments and reactions.

use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::{
    domain::id::ItemNumber,
    forge::github::{
        graphql, marker,
        own_account::{Identity, Written},
        repo::{PER_PAGE, Repo},
    },
    port::forge::{Applied, ApplyContext, ForgeError},
};

/// Pages of comments to look through for our own, at 100 each.
const MAX_PAGES: usize = 100;

/// Writes a comment, or brings the one that is there up to date. Looks for it
/// where it is kept up to date anyway, or may exist after a doubt.
pub(super) async fn upsert(
    repo: &mut Repo<'_>,
    identity: &Identity,
    context: &ApplyContext,
    item: ItemNumber,
    marker: &str,
    text: &str,
    sticky: bool,
) -> Result<Applied, ForgeError> {
    let body = marker::mark(marker, text)?;
    let found =
        if sticky || context.in_doubt { find(repo, identity, item, &marker::line(marker)?).await? } else { None };
    let id = match found {
        found if context.look_only => found.map(|found| found.id),
        Some(found) if found.body.as_deref().is_some_and(|shown| marker::same(shown, &body)) => Some(found.id),
        Some(found) => {
            let route = "PATCH /repos/{owner}/{repo}/issues/comments/{comment_id}";
            let tail = format!("/issues/comments/{}", found.id);
            match repo.send(Method::PATCH, route, &tail, Some(json!({ "body": body }))).await {
                Ok(_) => Some(found.id),
                // Someone deleted it just now: the next attempt finds that out.
                Err(failure) => match failure.error {
                    ForgeError::NotFound(why) => return Err(ForgeError::Transient(why)),
                    other => return Err(other),
                },
            }
        }
        None => {
            let route = "POST /repos/{owner}/{repo}/issues/{issue_number}/comments";
            let tail = format!("/issues/{item}/comments");
            let reply = repo.send(Method::POST, route, &tail, Some(json!({ "body": body }))).await?;
            reply.made::<Written>().map(|made| made.id)
        }
    };
    Ok(Applied { made: id.map(|id| id.to_string()), ..Applied::default() })
}

/// Our comment that carries the marker, oldest first.
async fn find(
    repo: &mut Repo<'_>,
    identity: &Identity,
    item: ItemNumber,
    line: &str,
) -> Result<Option<Written>, ForgeError> {
    find_in(repo, identity, item, "", line).await
}

async fn find_in(
    repo: &mut Repo<'_>,
    identity: &Identity,
    item: ItemNumber,
    query: &str,
    line: &str,
) -> Result<Option<Written>, ForgeError> {
    let route = "GET /repos/{owner}/{repo}/issues/{issue_number}/comments";
    let tail = format!("/issues/{item}/comments{query}");
    for page in 1..=MAX_PAGES {
        let (comments, more) = repo.page(route, &tail, page, |found: &Vec<Written>| found.len() >= PER_PAGE).await?;
        for comment in comments {
            let marked = comment.body.as_deref().is_some_and(|body| marker::carries(body, line));
            if marked && identity.wrote(repo.client, &comment).await? {
                return Ok(Some(comment));
            }
        }
        if !more {
            return Ok(None);
        }
    }
    Err(ForgeError::Permanent(format!("#{item} has too many comments to look for ours among them")))
}

/// Folds one of our comments away, if it is still there.
pub(super) async fn fold(
    repo: &mut Repo<'_>,
    identity: &Identity,
    item: ItemNumber,
    marker: &str,
    since: Timestamp,
) -> Result<Applied, ForgeError> {
    // What was written then, by GitHub's clock and not by ours.
    let since = since.checked_sub(SignedDuration::from_mins(10)).unwrap_or(since);
    let query = format!("?since={}", since.strftime("%Y-%m-%dT%H:%M:%SZ"));
    if let Some(found) = find_in(repo, identity, item, &query, &marker::line(marker)?).await?
        && let Some(node) = &found.node_id
    {
        graphql::minimize(repo.client, repo.target, node).await?;
    }
    Ok(Applied::default())
}

/// Reacts to a comment; reacting twice is one reaction.
pub(super) async fn react(repo: &mut Repo<'_>, comment: u64, content: &str) -> Result<Applied, ForgeError> {
    let route = "POST /repos/{owner}/{repo}/issues/comments/{comment_id}/reactions";
    let tail = format!("/issues/comments/{comment}/reactions");
    repo.send(Method::POST, route, &tail, Some(json!({ "content": content }))).await?;
    Ok(Applied::default())
}
