//! New issues.

use http::Method;
use serde::Deserialize;
use serde_json::json;

use super::{
    identity::{Identity, Written},
    label, marker, path,
    repo::Repo,
};
use crate::{
    domain::effect::LabelLook,
    port::forge::{Applied, ApplyContext, ForgeError},
};

/// After a doubt this many pages of our own newest issues are looked through.
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

/// Opens an issue; after a doubt only if none of ours carries the marker.
pub(super) async fn open(
    repo: &mut Repo<'_>,
    identity: &Identity,
    context: &ApplyContext,
    marker: &str,
    title: &str,
    text: &str,
    labels: &[LabelLook],
) -> Result<Applied, ForgeError> {
    let body = marker::mark(marker, text)?;
    if context.in_doubt
        && let Some(found) = find(repo, identity, &marker::line(marker)?).await?
    {
        return Ok(Applied { made: Some(found.to_string()), ..Applied::default() });
    }
    let mut applied = Applied::default();
    for look in labels {
        label::ensure(repo, context, look, &mut applied).await?;
    }
    let names: Vec<&str> = labels.iter().map(|look| look.name.as_str()).collect();
    let issue = json!({ "title": title, "body": body, "labels": names });
    let reply = repo.send(Method::POST, "POST /repos/{owner}/{repo}/issues", "/issues", Some(issue)).await?;
    if let Some(opened) = reply.made::<Opened>() {
        applied.made = Some(opened.number.to_string());
        let names = opened.labels.into_iter().map(|label| label.name).collect();
        applied.labels = Some((opened.number, names));
    }
    Ok(applied)
}

/// The number of our issue that carries the marker. Lists rather than
/// searches: GitHub's search lags behind.
async fn find(repo: &mut Repo<'_>, identity: &Identity, line: &str) -> Result<Option<u64>, ForgeError> {
    let me = identity.actor(repo.client).await?.login;
    let tail = format!("/issues?creator={}&state=all&sort=created&direction=desc", path::value(&me));
    let route = "GET /repos/{owner}/{repo}/issues";
    let (issues, _) = repo.list::<Written>(route, &tail, MAX_PAGES).await?;
    for issue in issues {
        let marked = issue.body.as_deref().is_some_and(|body| marker::carries(body, line));
        if marked && identity.wrote(repo.client, &issue).await? {
            return Ok(issue.number);
        }
    }
    Ok(None)
}
