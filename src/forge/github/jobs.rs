//! Jobs of a workflow run.

use serde::Deserialize;

use crate::{domain::needs::FailedJob, forge::github::repo::Repo, port::forge::ForgeError};

/// Page of jobs; one page is read.
#[derive(Deserialize)]
struct Page {
    total_count: usize,
    jobs: Vec<Job>,
}

#[derive(Deserialize)]
struct Job {
    name: String,
    html_url: Option<String>,
    conclusion: Option<String>,
    #[serde(default)]
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    name: String,
    number: u64,
    conclusion: Option<String>,
}

async fn jobs(repo: &mut Repo<'_>, run: u64, attempt: u64) -> Result<Page, ForgeError> {
    let route = "GET /repos/{owner}/{repo}/actions/runs/{run_id}/attempts/{attempt_number}/jobs";
    let tail = format!("/actions/runs/{run}/attempts/{attempt}/jobs?per_page=100");
    repo.get(route, &tail).await?.json()
}

/// Returns whether a job of an attempt of a cancelled run began: it has steps, or ended otherwise
/// than by being cancelled or skipped. Jobs beyond the first page may have.
pub(super) async fn any_began(repo: &mut Repo<'_>, run: u64, attempt: u64) -> Result<bool, ForgeError> {
    let page = jobs(repo, run, attempt).await?;
    let never_began =
        |job: &Job| job.steps.is_empty() && matches!(job.conclusion.as_deref(), Some("cancelled" | "skipped"));
    Ok(page.total_count > page.jobs.len() || !page.jobs.iter().all(never_began))
}

/// Returns the first failed job of an attempt of a run, with its first failed step; `None`: no job
/// failed.
pub(super) async fn failed(repo: &mut Repo<'_>, run: u64, attempt: u64) -> Result<Option<FailedJob>, ForgeError> {
    let page = jobs(repo, run, attempt).await?;
    let is_failed = |conclusion: Option<&str>| matches!(conclusion, Some("failure" | "timed_out"));
    let job = page.jobs.into_iter().find(|job| is_failed(job.conclusion.as_deref()));
    Ok(job.map(|job| {
        let step = job.steps.into_iter().find(|step| is_failed(step.conclusion.as_deref()));
        let anchor = step.as_ref().map_or_else(String::new, |step| format!("#step:{}:1", step.number));
        let url = job.html_url.map_or_else(String::new, |page| format!("{page}{anchor}"));
        FailedJob { name: job.name, step: step.map(|step| step.name), url }
    }))
}
