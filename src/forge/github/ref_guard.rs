//! What a name stands for, and whether it still does.

use serde::Deserialize;

use crate::{
    domain::{
        effect::{ForgeResult, RefGuard},
        id::Sha,
        needs::{CommitPlace, ResolvedRef, ResolvedRefKind},
    },
    forge::github::{account, answer, failure::Failure, path, repo::Repo},
    port::forge::ForgeError,
};

/// How the full name of a branch begins.
pub(super) const BRANCHES: &str = "refs/heads/";
/// How the full name of a tag begins.
pub(super) const TAGS: &str = "refs/tags/";
/// Fewest digits of a commit's name that are taken for one.
const FEWEST_DIGITS: usize = 7;

/// What a name stands for: a tag, a branch, or a commit of this
/// repository. Only these places are looked at, so that no name leads to a
/// pull request's ref. `None`: nothing, or both a tag and a branch.
pub(super) async fn named(
    repo: &mut Repo<'_>,
    name: &str,
    default_branch: &str,
) -> Result<Option<ResolvedRef>, ForgeError> {
    // A full name is of one kind only.
    if let Some(branch) = name.strip_prefix(BRANCHES) {
        return Ok(found(head(repo, branch).await)?.map(|sha| ResolvedRef { kind: ResolvedRefKind::Branch, sha }));
    }
    if let Some(tag) = name.strip_prefix(TAGS) {
        return Ok(
            found(answer::tag_commit(repo, tag).await)?.map(|sha| ResolvedRef { kind: ResolvedRefKind::Tag, sha })
        );
    }
    let tag = found(answer::tag_commit(repo, name).await)?;
    let branch = found(head(repo, name).await)?;
    match (tag, branch) {
        (Some(_), Some(_)) => return Ok(None),
        (Some(sha), None) => return Ok(Some(ResolvedRef { kind: ResolvedRefKind::Tag, sha })),
        (None, Some(sha)) => return Ok(Some(ResolvedRef { kind: ResolvedRefKind::Branch, sha })),
        (None, None) => {}
    }
    let digits = name.len() >= FEWEST_DIGITS && name.len() <= 40 && name.bytes().all(|b| b.is_ascii_hexdigit());
    if !digits {
        return Ok(None);
    }
    let Some(sha) = found(commit(repo, name).await)?.filter(|sha| sha.0.starts_with(&name.to_ascii_lowercase())) else {
        return Ok(None);
    };
    let landed = is_within(repo, &sha, default_branch).await?;
    Ok(Some(ResolvedRef { kind: if landed { ResolvedRefKind::Landed } else { ResolvedRefKind::Loose }, sha }))
}

fn found(result: Result<Sha, ForgeError>) -> Result<Option<Sha>, ForgeError> {
    match result {
        Ok(sha) => Ok(Some(sha)),
        // A name that can't be written in a path names nothing.
        Err(ForgeError::NotFound(_) | ForgeError::Permanent(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The commit at the head of a branch. `heads/` keeps a tag of the same name out.
pub(super) async fn head(repo: &mut Repo<'_>, branch: &str) -> Result<Sha, ForgeError> {
    answer::commit_of(repo, "heads", branch).await
}

async fn commit(repo: &mut Repo<'_>, escaped: &str) -> Result<Sha, ForgeError> {
    #[derive(Deserialize)]
    struct Body {
        sha: String,
    }
    match repo.get("GET /repos/{owner}/{repo}/commits/{ref}", &format!("/commits/{escaped}?per_page=1")).await {
        Ok(reply) => Ok(Sha::from(reply.json::<Body>()?.sha.as_str())),
        Err(failure) if failure.says(422, "no commit found") => Err(ForgeError::NotFound(failure.error.to_string())),
        Err(failure) => Err(failure.into()),
    }
}

/// Where a commit is: on a branch, at the head of another one, or on none that
/// GitHub names here. GitHub keeps the objects of a repository and its forks in
/// one store, so that it finds a fork's commit under this repository's name.
pub(super) async fn place(repo: &mut Repo<'_>, sha: &Sha, branch: &str) -> Result<CommitPlace, ForgeError> {
    #[derive(Deserialize)]
    struct Head {}
    if is_within(repo, sha, branch).await? {
        return Ok(CommitPlace::OnBranch);
    }
    let tail = format!("/commits/{}/branches-where-head", path::segment(&sha.0)?);
    let route = "GET /repos/{owner}/{repo}/commits/{commit_sha}/branches-where-head";
    match repo.get(route, &tail).await {
        Ok(reply) if reply.json::<Vec<Head>>()?.is_empty() => Ok(CommitPlace::Nowhere),
        Ok(_) => Ok(CommitPlace::Elsewhere),
        Err(failure) if failure.says(422, "no commit found") => Ok(CommitPlace::Nowhere),
        Err(failure) => match failure.error {
            ForgeError::NotFound(_) => Ok(CommitPlace::Nowhere),
            error => Err(error),
        },
    }
}

/// Whether a branch contains a commit. Its head is compared, not its name: a tag
/// of the same name would come before it.
async fn is_within(repo: &mut Repo<'_>, sha: &Sha, branch: &str) -> Result<bool, ForgeError> {
    let Some(head) = found(head(repo, branch).await)? else { return Ok(false) };
    is_below(repo, sha, &head).await
}

async fn is_below(repo: &mut Repo<'_>, sha: &Sha, head: &Sha) -> Result<bool, ForgeError> {
    #[derive(Deserialize)]
    struct Body {
        status: String,
    }
    let tail = format!("/compare/{}...{}?per_page=1", path::segment(&sha.0)?, path::segment(&head.0)?);
    let compared: Result<_, Failure> = repo.get("GET /repos/{owner}/{repo}/compare/{basehead}", &tail).await;
    match compared {
        Ok(reply) => Ok(matches!(reply.json::<Body>()?.status.as_str(), "ahead" | "identical")),
        Err(failure) => match failure.error {
            // No common history, or no such branch.
            ForgeError::NotFound(_) => Ok(false),
            error => Err(error),
        },
    }
}

/// Looks whether what a commit was named by has moved; `Some`: it has, and
/// nothing may be started.
pub(super) async fn moved(
    repo: &mut Repo<'_>,
    sha: &Sha,
    watched: &RefGuard,
) -> Result<Option<ForgeResult>, ForgeError> {
    let (now, still) = match watched {
        RefGuard::Commit => return Ok(None),
        RefGuard::Tag(tag) => {
            let now = found(answer::tag_commit(repo, tag).await)?;
            let still = now.as_ref() == Some(sha);
            (now, still)
        }
        RefGuard::Pull(number) => {
            let now = found(account::head(repo, *number).await.map(|head| head.sha))?;
            let still = now.as_ref() == Some(sha);
            (now, still)
        }
        RefGuard::Branch(branch) => {
            let now = found(head(repo, branch).await)?;
            let still = match &now {
                Some(head) if head == sha => true,
                Some(head) => is_below(repo, sha, head).await?,
                None => false,
            };
            (now, still)
        }
    };
    Ok(if still { None } else { Some(ForgeResult::NameMoved { found: now }) })
}
