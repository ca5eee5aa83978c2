//! Queries GitHub for the facts that a decision needs.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{
    domain::{
        id::{Account, Sha},
        needs::{Answer, Need},
    },
    forge::github::{
        account, authors, client::Client, commit_ref, commits, dispatch, evidence, files, graphql, jobs,
        own_account::Identity, ref_guard, repo::Repo, required,
    },
    port::forge::{ForgeError, Target},
};

/// Maximum number of pages of tags, at 100 tags each.
const MAX_TAG_PAGES: usize = 50;

/// Answers one query.
pub(super) async fn answer(
    client: &Client,
    identity: &Identity,
    target: &Target,
    need: &Need,
) -> Result<Answer, ForgeError> {
    let mut repo = Repo::new(client, target)?;
    match need {
        Need::Writer { id, login } => {
            account::writes(client, target, &Account { id: *id, login: login.clone() }).await.map(Answer::Writer)
        }
        Need::Role { id, login } => {
            account::role(client, target, &Account { id: Some(*id), login: login.clone() }).await.map(Answer::Role)
        }
        Need::Member { id, login, team } => {
            let account = Account { id: Some(*id), login: login.clone() };
            account::is_member(client, target, team, &account).await.map(Answer::Member)
        }
        Need::Starters { run } => dispatch::starters(&mut repo, *run).await.map(Answer::Starters),
        Need::LinkedIssues { pull } => graphql::linked_issues(client, target, *pull).await.map(Answer::LinkedIssues),
        Need::Closer { issue, at } => graphql::closer(client, target, *issue, *at).await.map(Answer::Closer),
        Need::LinkedBranches { issue } => {
            graphql::linked_branches(client, target, *issue).await.map(Answer::LinkedBranches)
        }
        Need::Commits { base: Some(base), head } => commits::between(&mut repo, base, head).await,
        Need::Commits { base: None, head } => commits::before(&mut repo, head).await,
        Need::Named { name, default_branch, .. } => {
            ref_guard::named(&mut repo, name, default_branch).await.map(Answer::Named)
        }
        Need::RunsAt { sha, trigger, .. } => {
            dispatch::runs_at(&mut repo, sha.as_ref(), trigger).await.map(Answer::Runs)
        }
        Need::FailedJob { run, attempt } => jobs::failed(&mut repo, *run, *attempt).await.map(Answer::FailedJob),
        Need::FilesOfPull { pull } => files::of_pull(&mut repo, *pull).await.map(Answer::Files),
        Need::FilesOfCommit { sha } => files::of_commit(&mut repo, sha).await.map(Answer::Files),
        Need::FilesBetween { base, head } => files::between(&mut repo, base, head).await.map(Answer::Files),
        Need::AnyJobBegan { run, attempt } => jobs::any_began(&mut repo, *run, *attempt).await.map(Answer::AnyJobBegan),
        Need::TagCommit { tag } => commit_ref::commit_of(&mut repo, "tags", tag).await.map(Answer::TagCommit),
        Need::BranchHead { branch } => commit_ref::commit_of(&mut repo, "heads", branch).await.map(Answer::BranchHead),
        Need::Checks { sha } => evidence::checks(&mut repo, identity, sha).await,
        Need::OpenIssues { label, milestone } => {
            evidence::open_issues(&mut repo, label.as_deref(), milestone.as_deref()).await.map(Answer::OpenIssues)
        }
        Need::Authors { base, head } => {
            authors::authors(client, target, base.as_ref(), head).await.map(Answer::Authors)
        }
        Need::TagSignature { tag } => evidence::signature(&mut repo, tag).await,
        Need::CommitPlace { sha, branch } => ref_guard::place(&mut repo, sha, branch).await.map(Answer::CommitPlace),
        Need::PullsOf { sha } => evidence::pulls_of(&mut repo, sha).await.map(Answer::BroughtBy),
        Need::Reviews { pull } => evidence::reviews(&mut repo, *pull).await,
        Need::Tags => tags(&mut repo).await.map(Answer::Tags),
        Need::SchemaChanges { .. } | Need::SchemaChange { .. } => {
            Err(ForgeError::Permanent("GitHub knows no schema changes".to_owned()))
        }
        Need::RequiredChecks { branch } => required::checks(&mut repo, branch).await.map(Answer::RequiredChecks),
    }
}

/// Returns every tag with its commit. More than can be read are an error, because the highest
/// version could be among the rest.
async fn tags(repo: &mut Repo<'_>) -> Result<BTreeMap<String, Sha>, ForgeError> {
    #[derive(Deserialize)]
    struct Tag {
        name: String,
        commit: Commit,
    }
    #[derive(Deserialize)]
    struct Commit {
        sha: Sha,
    }
    let (tags, all) = repo.list::<Tag>("GET /repos/{owner}/{repo}/tags", "/tags", MAX_TAG_PAGES).await?;
    if !all {
        return Err(ForgeError::Permanent("more tags than can be read".to_owned()));
    }
    Ok(tags.into_iter().map(|tag| (tag.name, tag.commit.sha)).collect())
}
