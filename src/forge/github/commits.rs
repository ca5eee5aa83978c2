//! Reads commits: the difference between two commits, or the history of one.

use serde::Deserialize;

use crate::{
    domain::{event::CommitSeen, id::Sha, needs::Answer},
    forge::github::repo::{PER_PAGE, Repo},
    port::forge::ForgeError,
};

/// Maximum number of pages of a comparison, at 100 commits each.
const MAX_COMPARE_PAGES: usize = 30;
/// Maximum number of pages of a commit's history, at 100 commits each.
const MAX_HISTORY_PAGES: usize = 10;

#[derive(Deserialize)]
struct Commit {
    sha: Sha,
    #[serde(rename = "commit")]
    git: Message,
    #[serde(default)]
    parents: Vec<Named>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
struct Named {
    sha: Sha,
}

impl From<Commit> for CommitSeen {
    fn from(commit: Commit) -> Self {
        Self {
            sha: commit.sha,
            message: commit.git.message,
            parents: Some(commit.parents.into_iter().map(|parent| parent.sha).collect()),
        }
    }
}

/// Returns the commits that `head` has and `base` has not, oldest first. Without common history,
/// these are all commits of `head`.
pub(super) async fn between(repo: &mut Repo<'_>, base: &Sha, head: &Sha) -> Result<Answer, ForgeError> {
    #[derive(Deserialize)]
    struct Comparison {
        merge_base_commit: Option<Named>,
        total_commits: Option<usize>,
        #[serde(default)]
        commits: Vec<Commit>,
    }
    let route = "GET /repos/{owner}/{repo}/compare/{basehead}";
    let tail = format!("/compare/{base}...{head}");
    let mut merge_base = None;
    let mut commits: Vec<CommitSeen> = Vec::new();
    for page in 1..=MAX_COMPARE_PAGES {
        let full = |found: &Comparison| found.commits.len() >= PER_PAGE;
        let (found, more) = match repo.page(route, &tail, page, full).await {
            Ok(found) => found,
            Err(failure) if failure.says(404, "no common ancestor") => return before(repo, head).await,
            Err(failure) => return Err(failure.into()),
        };
        merge_base = merge_base.or(found.merge_base_commit.map(|commit| commit.sha));
        commits.extend(found.commits.into_iter().map(CommitSeen::from));
        let all = found.total_commits.is_some_and(|total| commits.len() >= total);
        if all || !more {
            let complete = found.total_commits.is_none_or(|total| commits.len() >= total);
            return Ok(Answer::Commits { merge_base, commits, complete });
        }
    }
    Ok(Answer::Commits { merge_base, commits, complete: false })
}

/// Returns the recent history of `head`, oldest first.
pub(super) async fn before(repo: &mut Repo<'_>, head: &Sha) -> Result<Answer, ForgeError> {
    let tail = format!("/commits?sha={head}");
    let (commits, complete) =
        repo.list::<Commit>("GET /repos/{owner}/{repo}/commits", &tail, MAX_HISTORY_PAGES).await?;
    let commits = commits.into_iter().rev().map(CommitSeen::from).collect();
    Ok(Answer::Commits { merge_base: None, commits, complete })
}
