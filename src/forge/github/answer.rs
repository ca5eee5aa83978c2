//! Asks GitHub what a decision needs to know.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    client::Client, commits, dispatch, evidence, graphql, identity::Identity, path, repo::Repo, required, watch,
};
use crate::{
    domain::{
        id::Sha,
        needs::{Answer, Need},
    },
    port::forge::{ForgeError, Target},
};

/// Pages of tags, at 100 each.
const MAX_TAG_PAGES: usize = 50;

/// Answers one question.
pub(super) async fn answer(
    client: &Client,
    identity: &Identity,
    target: &Target,
    need: &Need,
) -> Result<Answer, ForgeError> {
    let mut repo = Repo::new(client, target)?;
    match need {
        Need::Writer { login } => writer(&mut repo, login).await.map(Answer::Writer),
        Need::LinkedIssues { pull } => graphql::linked_issues(client, target, *pull).await.map(Answer::LinkedIssues),
        Need::Closer { issue, at } => graphql::closer(client, target, *issue, *at).await.map(Answer::Closer),
        Need::LinkedBranches { issue } => {
            graphql::linked_branches(client, target, *issue).await.map(Answer::LinkedBranches)
        }
        Need::Commits { base: Some(base), head } => commits::between(&mut repo, base, head).await,
        Need::Commits { base: None, head } => commits::before(&mut repo, head).await,
        Need::Named { name, default_branch, .. } => {
            watch::named(&mut repo, name, default_branch).await.map(Answer::Named)
        }
        Need::RunsAt { sha, trigger, .. } => {
            dispatch::runs_at(&mut repo, sha.as_ref(), trigger).await.map(Answer::Runs)
        }
        Need::TagCommit { tag } => commit_of(&mut repo, "tags", tag).await.map(Answer::TagCommit),
        Need::BranchHead { branch } => commit_of(&mut repo, "heads", branch).await.map(Answer::BranchHead),
        Need::Checks { sha } => evidence::checks(&mut repo, identity, sha).await,
        Need::OpenIssues { label, milestone } => {
            evidence::open_issues(&mut repo, label.as_deref(), milestone.as_deref()).await.map(Answer::OpenIssues)
        }
        Need::CommitAuthors { sha } => evidence::authors(&mut repo, sha).await.map(Answer::CommitAuthors),
        Need::TagSignature { tag } => evidence::signature(&mut repo, tag).await,
        Need::CommitPlace { sha, branch } => watch::place(&mut repo, sha, branch).await.map(Answer::CommitPlace),
        Need::PullsOf { sha } => evidence::pulls_of(&mut repo, sha).await.map(Answer::BroughtBy),
        Need::Reviews { pull } => evidence::reviews(&mut repo, *pull).await,
        Need::Tags => tags(&mut repo).await.map(Answer::Tags),
        Need::RequiredChecks { branch } => required::checks(&mut repo, branch).await.map(Answer::RequiredChecks),
    }
}

/// Whether an account may write. `permission` knows only the old four levels
/// (maintain shows as write, triage as read); custom roles inherit one of them.
async fn writer(repo: &mut Repo<'_>, login: &str) -> Result<bool, ForgeError> {
    #[derive(Deserialize)]
    struct Body {
        permission: Option<String>,
        role_name: Option<String>,
    }
    let route = "GET /repos/{owner}/{repo}/collaborators/{username}/permission";
    let tail = format!("/collaborators/{}/permission", path::segment(login)?);
    match repo.get(route, &tail).await {
        Ok(reply) => {
            let body: Body = reply.json()?;
            Ok(matches!(body.permission.as_deref(), Some("admin" | "write"))
                || matches!(body.role_name.as_deref(), Some("admin" | "maintain" | "write")))
        }
        // No such account, or no collaborator.
        Err(failure) => match failure.error {
            ForgeError::NotFound(_) => Ok(false),
            other => Err(other),
        },
    }
}

/// The commit that a tag names, through an annotated tag too. `tags/` keeps
/// a branch of the same name out.
pub(super) async fn tag_commit(repo: &mut Repo<'_>, tag: &str) -> Result<Sha, ForgeError> {
    commit_of(repo, "tags", tag).await
}

/// The commit that a tag (through an annotated one, too) or branch names. Its
/// kind keeps another of the same name out.
pub(super) async fn commit_of(repo: &mut Repo<'_>, kind: &str, name: &str) -> Result<Sha, ForgeError> {
    #[derive(Deserialize)]
    struct Body {
        sha: String,
    }
    // The page limits the list of changed files, which nobody reads.
    let tail = format!("/commits/{kind}/{}?per_page=1", path::segments(name)?);
    match repo.get("GET /repos/{owner}/{repo}/commits/{ref}", &tail).await {
        Ok(reply) => Ok(Sha::from(reply.json::<Body>()?.sha.as_str())),
        // GitHub's way of saying that there is no such ref.
        Err(failure) if failure.says(422, "no commit found") => Err(ForgeError::NotFound(failure.error.to_string())),
        Err(failure) => Err(failure.into()),
    }
}

/// Every tag with its commit. More than can be read are an error: the highest
/// might be among the rest.
async fn tags(repo: &mut Repo<'_>) -> Result<BTreeMap<String, Sha>, ForgeError> {
    #[derive(Deserialize)]
    struct Tag {
        name: String,
        commit: Commit,
    }
    #[derive(Deserialize)]
    struct Commit {
        sha: String,
    }
    let (tags, all) = repo.list::<Tag>("GET /repos/{owner}/{repo}/tags", "/tags", MAX_TAG_PAGES).await?;
    if !all {
        return Err(ForgeError::Permanent("more tags than can be read".to_owned()));
    }
    Ok(tags.into_iter().map(|tag| (tag.name, Sha::from(tag.commit.sha.as_str()))).collect())
}
