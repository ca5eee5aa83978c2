//! Publishes draft releases at a fixed commit.

use http::Method;
use serde::Deserialize;
use serde_json::json;

use crate::{
    domain::{
        effect::{ForgeResult, RefGuard},
        id::Sha,
    },
    forge::github::{commit_ref, ref_guard, repo::Repo},
    port::forge::{Applied, ForgeError},
};

#[derive(Deserialize)]
struct Release {
    id: u64,
    draft: bool,
    tag_name: String,
    target_commitish: String,
}

fn with_result(result: ForgeResult) -> Applied {
    Applied { result: Some(result), ..Applied::default() }
}

/// Publishes a draft so that its tag points to `sha`, or fails. Repeating it changes nothing: a
/// published release stays as it is.
///
/// A draft may name a branch, which moves. Therefore the draft is first pinned to the commit, and
/// published only after GitHub has confirmed that.
pub(super) async fn publish(
    repo: &mut Repo<'_>,
    release: u64,
    tag: &str,
    sha: &Sha,
    branch: Option<&str>,
) -> Result<Applied, ForgeError> {
    let tail = format!("/releases/{release}");
    let draft: Release = repo.get("GET /repos/{owner}/{repo}/releases/{release_id}", &tail).await?.json()?;
    let tagged = match commit_ref::tag_commit(repo, tag).await {
        Ok(sha) => Some(sha),
        Err(ForgeError::NotFound(_)) => None,
        Err(error) => return Err(error),
    };
    if !draft.draft {
        return Ok(match tagged {
            Some(found) if found == *sha => Applied { made: Some(draft.id.to_string()), ..Applied::default() },
            found => with_result(ForgeResult::NameMoved { found }),
        });
    }
    if draft.tag_name != tag {
        return Ok(with_result(ForgeResult::NotStarted(format!(
            "the draft is for another tag now, {}",
            draft.tag_name
        ))));
    }
    // Publishing does not move an existing tag, but would release another commit than the one that
    // was decided about.
    if tagged.as_ref().is_some_and(|found| found != sha) {
        return Ok(with_result(ForgeResult::NameMoved { found: tagged }));
    }
    let known = branch.map_or_else(|| sha.to_string(), str::to_owned);
    let pinned = |draft: &Release| draft.target_commitish.parse().is_ok_and(|target: Sha| target == *sha);
    if tagged.is_none() && !pinned(&draft) {
        if draft.target_commitish != known {
            let why = format!("the draft is made from something else now, {}", draft.target_commitish);
            return Ok(with_result(ForgeResult::NotStarted(why)));
        }
        if let Some(branch) = branch
            && let Some(moved) = ref_guard::moved(repo, sha, &RefGuard::Branch(branch.to_owned())).await?
        {
            return Ok(with_result(moved));
        }
        let changed: Release = change(repo, &tail, json!({ "target_commitish": sha })).await?;
        if !pinned(&changed) {
            return Ok(with_result(ForgeResult::NotStarted("GitHub did not pin the draft to the commit".to_owned())));
        }
    }
    let published = change(repo, &tail, json!({ "draft": false })).await?;
    Ok(Applied { made: Some(published.id.to_string()), ..Applied::default() })
}

async fn change(repo: &mut Repo<'_>, tail: &str, body: serde_json::Value) -> Result<Release, ForgeError> {
    let route = "PATCH /repos/{owner}/{repo}/releases/{release_id}";
    let reply = repo.send(Method::PATCH, route, tail, Some(body)).await.map_err(|failure| {
        let used_up = failure.says(422, "immutable");
        if used_up {
            failure.advise("the name of that tag is used up for good: release a new version")
        } else {
            failure
        }
    })?;
    reply.made().ok_or_else(|| ForgeError::Doubt("the answer to a changed release broke off".to_owned()))
}
