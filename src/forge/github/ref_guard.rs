//! Resolves names to commits, and detects that a name has moved.

use serde::Deserialize;

use crate::{
    domain::{
        effect::{ForgeResult, RefGuard},
        id::Sha,
        needs::{CommitPlace, ResolvedRef, ResolvedRefKind},
    },
    forge::github::{account, commit_ref, failure::Failure, repo::Repo},
    port::forge::ForgeError,
};

/// Prefix of a branch's full name.
pub(super) const BRANCHES: &str = "refs/heads/";
/// Prefix of a tag's full name.
pub(super) const TAGS: &str = "refs/tags/";
/// Minimum number of digits of an abbreviated commit name.
const FEWEST_DIGITS: usize = 7;

/// Resolves a name to a tag, a branch, or a commit of this repository. Looks nowhere else, so that
/// no name leads to a pull request's ref. `None` if there is no match, or if both a tag and a
/// branch match.
pub(super) async fn named(
    repo: &mut Repo<'_>,
    name: &str,
    default_branch: &str,
) -> Result<Option<ResolvedRef>, ForgeError> {
    // A full name can only be a branch or only a tag.
    if let Some(branch) = name.strip_prefix(BRANCHES) {
        return Ok(found(head(repo, branch).await)?.map(|sha| ResolvedRef { kind: ResolvedRefKind::Branch, sha }));
    }
    if let Some(tag) = name.strip_prefix(TAGS) {
        return Ok(
            found(commit_ref::tag_commit(repo, tag).await)?.map(|sha| ResolvedRef { kind: ResolvedRefKind::Tag, sha })
        );
    }
    let tag = found(commit_ref::tag_commit(repo, name).await)?;
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
    let Some(sha) = found(commit(repo, name).await)?.filter(|sha| sha.starts_with(name)) else {
        return Ok(None);
    };
    let landed = is_within(repo, &sha, default_branch).await?;
    Ok(Some(ResolvedRef { kind: if landed { ResolvedRefKind::Landed } else { ResolvedRefKind::Loose }, sha }))
}

fn found(result: Result<Sha, ForgeError>) -> Result<Option<Sha>, ForgeError> {
    match result {
        Ok(sha) => Ok(Some(sha)),
        // A name that can't be written in a path does not exist.
        Err(ForgeError::NotFound(_) | ForgeError::Permanent(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns the head commit of a branch. The prefix `heads/` excludes a tag of the same name.
pub(super) async fn head(repo: &mut Repo<'_>, branch: &str) -> Result<Sha, ForgeError> {
    commit_ref::commit_of(repo, "heads", branch).await
}

async fn commit(repo: &mut Repo<'_>, escaped: &str) -> Result<Sha, ForgeError> {
    #[derive(Deserialize)]
    struct Body {
        sha: Sha,
    }
    match repo.get("GET /repos/{owner}/{repo}/commits/{ref}", &format!("/commits/{escaped}?per_page=1")).await {
        Ok(reply) => Ok(reply.json::<Body>()?.sha),
        Err(failure) if failure.says(422, "no commit found") => Err(ForgeError::NotFound(failure.error.to_string())),
        Err(failure) => Err(failure.into()),
    }
}

/// Returns the position of a commit: on `branch`, at the head of another branch, or neither. GitHub
/// stores the objects of a repository and its forks together, so it also finds a fork's commit
/// under this repository's name.
pub(super) async fn place(repo: &mut Repo<'_>, sha: &Sha, branch: &str) -> Result<CommitPlace, ForgeError> {
    #[derive(Deserialize)]
    struct Head {}
    if is_within(repo, sha, branch).await? {
        return Ok(CommitPlace::OnBranch);
    }
    let tail = format!("/commits/{sha}/branches-where-head");
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

/// Returns whether a branch contains a commit. Compares the branch's head commit and not its name,
/// because a tag of the same name would take precedence.
async fn is_within(repo: &mut Repo<'_>, sha: &Sha, branch: &str) -> Result<bool, ForgeError> {
    let Some(head) = found(head(repo, branch).await)? else { return Ok(false) };
    is_below(repo, sha, &head).await
}

async fn is_below(repo: &mut Repo<'_>, sha: &Sha, head: &Sha) -> Result<bool, ForgeError> {
    #[derive(Deserialize)]
    struct Body {
        status: String,
    }
    let tail = format!("/compare/{sha}...{head}?per_page=1");
    let compared: Result<_, Failure> = repo.get("GET /repos/{owner}/{repo}/compare/{basehead}", &tail).await;
    match compared {
        Ok(reply) => Ok(matches!(reply.json::<Body>()?.status.as_str(), "ahead" | "identical")),
        Err(failure) => match failure.error {
            // There is no common history, or no such branch.
            ForgeError::NotFound(_) => Ok(false),
            error => Err(error),
        },
    }
}

/// Returns [`ForgeResult::NameMoved`] if the ref that named the commit has moved, in which case
/// nothing may be started; otherwise `None`.
pub(super) async fn moved(
    repo: &mut Repo<'_>,
    sha: &Sha,
    watched: &RefGuard,
) -> Result<Option<ForgeResult>, ForgeError> {
    let (now, still) = match watched {
        RefGuard::Commit => return Ok(None),
        RefGuard::Tag(tag) => {
            let now = found(commit_ref::tag_commit(repo, tag).await)?;
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
