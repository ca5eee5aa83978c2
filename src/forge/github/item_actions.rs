//! Actions of commands: assigning people, setting milestones, re-running jobs.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use serde::Deserialize;
use serde_json::json;

use crate::{
    domain::{
        effect::ForgeResult,
        id::{ItemId, Sha},
    },
    forge::github::{account, repo::Repo},
    port::forge::{Applied, ForgeError},
};

/// Maximum number of pages of a list, at 100 entries each.
const MAX_PAGES: usize = 3;
/// Maximum number of workflow runs of one commit that are re-run at once.
pub(super) const MOST_RUNS: usize = 20;
/// Slug of the App that runs GitHub Actions.
const ACTIONS: &str = "github-actions";

fn with_result(result: ForgeResult) -> Applied {
    Applied { result: Some(result), ..Applied::default() }
}

/// Assigns people. GitHub silently ignores accounts that can't be assigned.
pub(super) async fn assign(repo: &mut Repo<'_>, item: ItemId, logins: &[String]) -> Result<Applied, ForgeError> {
    #[derive(Deserialize)]
    struct Issue {
        assignees: Vec<User>,
    }
    #[derive(Deserialize)]
    struct User {
        login: String,
    }
    let route = "POST /repos/{owner}/{repo}/issues/{issue_number}/assignees";
    let reply = repo
        .send(Method::POST, route, &format!("/issues/{item}/assignees"), Some(json!({ "assignees": logins })))
        .await?;
    let Some(issue) = reply.made::<Issue>() else { return Ok(Applied::default()) };
    let assigned = |login: &String| issue.assignees.iter().any(|user| user.login.eq_ignore_ascii_case(login));
    let missing: Vec<String> = logins.iter().filter(|login| !assigned(login)).cloned().collect();
    Ok(if missing.is_empty() { Applied::default() } else { with_result(ForgeResult::NotAssignable(missing)) })
}

/// Sets an item's milestone to an open one with this title, or removes it.
pub(super) async fn set_milestone(
    repo: &mut Repo<'_>,
    item: ItemId,
    title: Option<&str>,
) -> Result<Applied, ForgeError> {
    #[derive(Deserialize)]
    struct Milestone {
        number: u64,
        title: String,
    }
    let number = match title {
        None => None,
        Some(title) => {
            let (open, _) = repo
                .list::<Milestone>("GET /repos/{owner}/{repo}/milestones", "/milestones?state=open", MAX_PAGES)
                .await?;
            let wanted = title.to_lowercase();
            match open.iter().find(|milestone| milestone.title.to_lowercase() == wanted) {
                Some(milestone) => Some(milestone.number),
                None => {
                    return Ok(with_result(ForgeResult::NoMilestone {
                        known: open.into_iter().map(|m| m.title).collect(),
                    }));
                }
            }
        }
    };
    let route = "PATCH /repos/{owner}/{repo}/issues/{issue_number}";
    repo.send(Method::PATCH, route, &format!("/issues/{item}"), Some(json!({ "milestone": number }))).await?;
    Ok(Applied::default())
}

#[derive(Deserialize)]
struct Run {
    id: u64,
    name: Option<String>,
    workflow_id: u64,
    event: String,
    status: Option<String>,
    conclusion: Option<String>,
}

/// Re-runs the failed jobs of a pull request's head, if that is still the commit `sha`.
pub(super) async fn rerun_failed(repo: &mut Repo<'_>, pull: ItemId, sha: &Sha) -> Result<Applied, ForgeError> {
    #[derive(Deserialize)]
    struct Runs {
        workflow_runs: Vec<Run>,
    }
    let found = account::head(repo, pull).await?.sha;
    if found != *sha {
        return Ok(with_result(ForgeResult::HeadMoved { known: sha.clone(), found }));
    }
    let tail = format!("/actions/runs?head_sha={sha}&per_page=100");
    let runs: Runs = repo.get("GET /repos/{owner}/{repo}/actions/runs", &tail).await?.json()?;
    // Newest first: of several runs of one workflow, only the last one counts.
    let mut seen = BTreeSet::new();
    let newest = runs.workflow_runs.into_iter().filter(|run| seen.insert((run.workflow_id, run.event.clone())));
    let failed: Vec<Run> = newest.filter(Run::has_failed).take(MOST_RUNS).collect();
    let mut workflows = Vec::new();
    for run in failed {
        let route = "POST /repos/{owner}/{repo}/actions/runs/{run_id}/rerun-failed-jobs";
        repo.send(Method::POST, route, &format!("/actions/runs/{}/rerun-failed-jobs", run.id), Some(json!({}))).await?;
        workflows.push(run.name.unwrap_or_else(|| format!("run {}", run.id)));
    }
    let others = failed_elsewhere(repo, sha).await?;
    Ok(with_result(ForgeResult::Reran { workflows, others }))
}

impl Run {
    fn has_failed(&self) -> bool {
        self.status.as_deref() == Some("completed")
            && matches!(self.conclusion.as_deref(), Some("failure" | "timed_out"))
    }
}

/// Returns failed checks and statuses that are not from GitHub Actions, each check with the name of
/// its App.
async fn failed_elsewhere(repo: &mut Repo<'_>, sha: &Sha) -> Result<BTreeMap<String, Option<String>>, ForgeError> {
    #[derive(Deserialize)]
    struct Checks {
        check_runs: Vec<Check>,
    }
    #[derive(Deserialize)]
    struct Check {
        name: String,
        conclusion: Option<String>,
        app: Option<App>,
    }
    #[derive(Deserialize)]
    struct App {
        slug: Option<String>,
        name: String,
    }
    #[derive(Deserialize)]
    struct Combined {
        statuses: Vec<Status>,
    }
    #[derive(Deserialize)]
    struct Status {
        context: String,
        state: String,
    }
    let mut others = BTreeMap::new();
    let tail = format!("/commits/{sha}/check-runs?per_page=100");
    let checks: Checks = repo.get("GET /repos/{owner}/{repo}/commits/{ref}/check-runs", &tail).await?.json()?;
    for check in checks.check_runs {
        let failed = matches!(check.conclusion.as_deref(), Some("failure" | "timed_out"));
        if let Some(app) = check.app.filter(|app| failed && app.slug.as_deref() != Some(ACTIONS)) {
            others.insert(check.name, Some(app.name));
        }
    }
    let tail = format!("/commits/{sha}/status?per_page=100");
    let combined: Combined = repo.get("GET /repos/{owner}/{repo}/commits/{ref}/status", &tail).await?.json()?;
    for status in combined.statuses {
        if matches!(status.state.as_str(), "failure" | "error") {
            others.insert(status.context, None);
        }
    }
    Ok(others)
}
