//! Comments and reactions.

use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::{
    domain::{effect::Reaction, id::ItemId},
    forge::github::{
        graphql, marker,
        own_account::{Identity, Written},
        repo::{PER_PAGE, Repo},
    },
    port::forge::{Applied, ApplyContext, ForgeError},
};

/// Maximum number of pages searched for our comment, at 100 comments each.
const MAX_PAGES: usize = 100;

/// Writes a comment, or updates the existing one. Looks for an existing comment if it should be
/// updated, or if an earlier attempt may have succeeded.
pub(super) async fn upsert(
    repo: &mut Repo<'_>,
    identity: &Identity,
    context: &ApplyContext,
    item: ItemId,
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
                // Someone has just deleted the comment; the next attempt will not find it.
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

/// Returns our oldest comment that carries the marker.
async fn find(
    repo: &mut Repo<'_>,
    identity: &Identity,
    item: ItemId,
    line: &str,
) -> Result<Option<Written>, ForgeError> {
    find_in(repo, identity, item, "", line).await
}

async fn find_in(
    repo: &mut Repo<'_>,
    identity: &Identity,
    item: ItemId,
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

/// Minimizes one of our comments, if it still exists.
pub(super) async fn fold(
    repo: &mut Repo<'_>,
    identity: &Identity,
    item: ItemId,
    marker: &str,
    since: Timestamp,
) -> Result<Applied, ForgeError> {
    // Comments written since then; the margin of 10 minutes covers the difference between GitHub's
    // clock and ours.
    let since = since.checked_sub(SignedDuration::from_mins(10)).unwrap_or(since);
    let query = format!("?since={}", since.strftime("%Y-%m-%dT%H:%M:%SZ"));
    if let Some(found) = find_in(repo, identity, item, &query, &marker::line(marker)?).await?
        && let Some(node) = &found.node_id
    {
        graphql::minimize(repo.client, repo.target, node).await?;
    }
    Ok(Applied::default())
}

/// Adds a reaction to a comment. Repeating it changes nothing.
pub(super) async fn react(repo: &mut Repo<'_>, comment: u64, reaction: Reaction) -> Result<Applied, ForgeError> {
    let route = "POST /repos/{owner}/{repo}/issues/comments/{comment_id}/reactions";
    let tail = format!("/issues/comments/{comment}/reactions");
    repo.send(Method::POST, route, &tail, Some(json!({ "content": content(reaction) }))).await?;
    Ok(Applied::default())
}

/// Returns REST's name of a reaction.
fn content(reaction: Reaction) -> &'static str {
    match reaction {
        Reaction::Taken => "eyes",
        Reaction::Done => "rocket",
        Reaction::Refused => "-1",
        Reaction::Puzzled => "confused",
    }
}
