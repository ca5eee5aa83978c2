//! Commits that tags and branches point to.

use serde::Deserialize;

use crate::{
    domain::id::Sha,
    forge::github::{path, repo::Repo},
    port::forge::ForgeError,
};

/// Returns the commit that a tag points to, also through an annotated tag. The prefix `tags/`
/// excludes a branch of the same name.
pub(super) async fn tag_commit(repo: &mut Repo<'_>, tag: &str) -> Result<Sha, ForgeError> {
    commit_of(repo, "tags", tag).await
}

/// Returns the commit that a tag (also an annotated one) or branch points to. `kind` (`tags` or
/// `heads`) excludes a ref of the other kind with the same name.
pub(super) async fn commit_of(repo: &mut Repo<'_>, kind: &str, name: &str) -> Result<Sha, ForgeError> {
    #[derive(Deserialize)]
    struct Body {
        sha: Sha,
    }
    // The page size limits the list of changed files, which is not needed.
    let tail = format!("/commits/{kind}/{}?per_page=1", path::segments(name)?);
    match repo.get("GET /repos/{owner}/{repo}/commits/{ref}", &tail).await {
        Ok(reply) => Ok(reply.json::<Body>()?.sha),
        // GitHub's answer if the ref does not exist.
        Err(failure) if failure.says(422, "no commit found") => Err(ForgeError::NotFound(failure.error.to_string())),
        Err(failure) => Err(failure.into()),
    }
}
