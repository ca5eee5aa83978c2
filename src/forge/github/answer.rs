//! Asks GitHub what a decision needs to know.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::{client::Client, commits, dispatch, graphql, path, repo::Repo, watch};
use crate::{
    domain::{
        id::Sha,
        needs::{Answer, Need},
    },
    port::forge::{ForgeError, Target},
};

/// Pages of a branch's rules, at 100 each.
const MAX_RULE_PAGES: usize = 10;

/// Answers one question.
pub(super) async fn answer(client: &Client, target: &Target, need: &Need) -> Result<Answer, ForgeError> {
    let mut repo = Repo::new(client, target)?;
    match need {
        Need::Writer { login } => writer(&mut repo, login).await.map(Answer::Writer),
        Need::LinkedIssues { pull } => graphql::linked_issues(client, target, *pull).await.map(Answer::LinkedIssues),
        Need::LinkedBranches { issue } => {
            graphql::linked_branches(client, target, *issue).await.map(Answer::LinkedBranches)
        }
        Need::Commits { base: Some(base), head } => commits::between(&mut repo, base, head).await,
        Need::Commits { base: None, head } => commits::before(&mut repo, head).await,
        Need::TagCommit { tag } => tag_commit(&mut repo, tag).await.map(Answer::TagCommit),
        Need::Named { name, default_branch, .. } => {
            watch::named(&mut repo, name, default_branch).await.map(Answer::Named)
        }
        Need::RunsAt { sha, trigger, .. } => {
            dispatch::runs_at(&mut repo, sha.as_ref(), trigger).await.map(Answer::Runs)
        }
        Need::RequiredChecks { branch } => required_checks(&mut repo, branch).await.map(Answer::RequiredChecks),
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
    #[derive(Deserialize)]
    struct Body {
        sha: String,
    }
    // The page limits the list of changed files, which nobody reads.
    let tail = format!("/commits/tags/{}?per_page=1", path::segments(tag)?);
    match repo.get("GET /repos/{owner}/{repo}/commits/{ref}", &tail).await {
        Ok(reply) => Ok(Sha::from(reply.json::<Body>()?.sha.as_str())),
        // GitHub's way of saying that there is no such ref.
        Err(failure) if failure.says(422, "no commit found") => Err(ForgeError::NotFound(failure.error.to_string())),
        Err(failure) => Err(failure.into()),
    }
}

/// Names of the checks that the rulesets of a branch require. Classic branch
/// protection is not among them: reading it takes administration rights.
async fn required_checks(repo: &mut Repo<'_>, branch: &str) -> Result<BTreeSet<String>, ForgeError> {
    #[derive(Deserialize)]
    struct Rule {
        #[serde(rename = "type")]
        kind: String,
        parameters: Option<serde_json::Value>,
    }
    let tail = format!("/rules/branches/{}", path::segment(branch)?);
    let (rules, _) =
        repo.list::<Rule>("GET /repos/{owner}/{repo}/rules/branches/{branch}", &tail, MAX_RULE_PAGES).await?;
    let checks = rules.iter().filter(|rule| rule.kind == "required_status_checks").flat_map(|rule| {
        let list = rule.parameters.as_ref().and_then(|parameters| parameters.get("required_status_checks")?.as_array());
        list.into_iter().flatten().filter_map(|check| check.get("context")?.as_str())
    });
    Ok(checks.map(ToOwned::to_owned).collect())
}
