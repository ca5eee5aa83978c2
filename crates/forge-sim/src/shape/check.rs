//! Check runs, check suites, commit statuses, workflow runs.

use serde_json::{Value, json};

use super::{
    super::{
        model::{CheckRun, Repo, Status, WorkflowRun},
        state::State,
    },
    integration, minimal_pull, node, simple_commit, time, user,
};

/// Returns the open pull requests of the repository's own branches with this head.
fn pulls_at(state: &State, repo: &Repo, sha: &str) -> Vec<Value> {
    repo.items
        .values()
        .filter_map(|i| i.pull.as_ref().map(|p| (i, p)))
        .filter(|(i, p)| i.open && p.head_sha == sha && p.fork().is_none())
        .map(|(i, p)| minimal_pull(state, repo, i, p))
        .collect()
}

/// Returns the JSON of a check run.
pub(crate) fn check_run(state: &State, repo: &Repo, run: &CheckRun) -> Value {
    let place = format!("{}/repos/{}", state.api, repo.full_name());
    let url = format!("{place}/check-runs/{}", run.id);
    let web = format!("{}/{}/runs/{}", state.api, repo.full_name(), run.id);
    let text = |field: &str| run.output.get(field).and_then(Value::as_str);
    json!({
        "id": run.id,
        "name": run.name,
        "node_id": node("CR_kwDO", run.id),
        "head_sha": run.sha,
        "external_id": run.external_id,
        "url": url,
        "html_url": web,
        "details_url": run.details_url.as_ref().unwrap_or(&web),
        "status": run.status,
        "conclusion": run.conclusion,
        "started_at": time(run.started_at),
        "completed_at": run.completed_at.map(time),
        "output": {
            "title": text("title"),
            "summary": text("summary"),
            "text": text("text"),
            "annotations_count": 0,
            "annotations_url": format!("{url}/annotations"),
        },
        "check_suite": suite(state, repo, run),
        "app": integration(state, &run.app),
        "pull_requests": pulls_at(state, repo, &run.sha),
    })
}

/// Returns the status and conclusion of a suite, from its runs.
pub(crate) fn verdict(repo: &Repo, suite: u64) -> (&'static str, Option<&'static str>) {
    let runs: Vec<&CheckRun> = repo.checks.values().filter(|c| c.suite == suite).collect();
    if runs.iter().any(|r| r.status != "completed") {
        return ("in_progress", None);
    }
    let any = |wanted: &str| runs.iter().any(|r| r.conclusion.as_deref() == Some(wanted));
    let worst = ["failure", "timed_out", "action_required", "cancelled", "success"].into_iter().find(|c| any(c));
    ("completed", Some(worst.unwrap_or("neutral")))
}

fn suite(state: &State, repo: &Repo, run: &CheckRun) -> Value {
    let place = format!("{}/repos/{}", state.api, repo.full_name());
    let (status, conclusion) = verdict(repo, run.suite);
    let started = time(run.started_at);
    json!({
        "id": run.suite,
        "node_id": node("CS_kwDO", run.suite),
        "head_branch": repo.git.branches_at(&run.sha).next(),
        "head_sha": run.sha,
        "status": status,
        "conclusion": conclusion,
        "url": format!("{place}/check-suites/{}", run.suite),
        "before": super::super::git::ZERO,
        "after": run.sha,
        "pull_requests": pulls_at(state, repo, &run.sha),
        "app": integration(state, &run.app),
        "repository": super::repository(state, repo),
        "created_at": started,
        "updated_at": run.completed_at.map_or(started, time),
    })
}

/// Returns the full JSON of a check run's suite.
pub(crate) fn check_suite(state: &State, repo: &Repo, run: &CheckRun) -> Value {
    let mut out = suite(state, repo, run);
    let url = format!("{}/repos/{}/check-suites/{}", state.api, repo.full_name(), run.suite);
    // GitHub's description of this event does not know all events that an App can have.
    if let Some(app) = out["app"].as_object_mut() {
        app.remove("events");
    }
    out["latest_check_runs_count"] = repo.checks.values().filter(|c| c.suite == run.suite).count().into();
    out["check_runs_url"] = format!("{url}/check-runs").into();
    out["head_commit"] = repo.git.get(&run.sha).map_or(Value::Null, simple_commit);
    out
}

/// Returns the JSON of a commit status.
pub(crate) fn status(state: &State, repo: &Repo, status: &Status) -> Value {
    let at = time(status.at);
    json!({
        "url": format!("{}/repos/{}/statuses/{}", state.api, repo.full_name(), status.sha),
        "avatar_url": format!("{}/avatars/u/1", state.api),
        "id": status.id,
        "node_id": node("SC_kwDO", status.id),
        "state": status.state,
        "description": status.description,
        "target_url": status.target_url,
        "context": status.context,
        "created_at": at,
        "updated_at": at,
        "creator": user(state, &status.creator),
    })
}

/// Returns the JSON of a workflow.
pub(crate) fn workflow(state: &State, repo: &Repo, path: &str) -> Value {
    let id = repo.workflows.get(path).copied().unwrap_or_default();
    let web = format!("{}/{}", state.api, repo.full_name());
    json!({
        "id": id,
        "node_id": node("W_kwDO", id),
        "name": name_of(path),
        "path": path,
        "state": "active",
        "created_at": time(repo.created_at),
        "updated_at": time(repo.created_at),
        "url": format!("{}/repos/{}/actions/workflows/{id}", state.api, repo.full_name()),
        "html_url": format!("{web}/blob/{}/{}", repo.default_branch, super::escape(path)),
        "badge_url": format!("{web}/workflows/{}/badge.svg", super::escape(name_of(path))),
    })
}

fn name_of(path: &str) -> &str {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.split('.').next().unwrap_or(file)
}

/// Returns the JSON of a workflow run.
pub(crate) fn workflow_run(state: &State, repo: &Repo, run: &WorkflowRun) -> Value {
    let place = format!("{}/repos/{}", state.api, repo.full_name());
    let url = format!("{place}/actions/runs/{}", run.id);
    let workflow = repo.workflows.get(&run.path).copied().unwrap_or_default();
    let suite = format!("{place}/check-suites/{}", run.suite);
    json!({
        "id": run.id,
        "name": name_of(&run.path),
        "node_id": node("WFR_kwLO", run.id),
        "head_branch": run.branch.rsplit(':').next(),
        "head_sha": run.sha,
        "path": run.path,
        "display_title": run.title,
        "run_number": repo.runs.range(..=run.id).count(),
        "event": run.trigger,
        "status": run.status,
        "conclusion": run.conclusion,
        "workflow_id": workflow,
        "check_suite_id": run.suite,
        "check_suite_node_id": node("CS_kwDO", run.suite),
        "url": url,
        "html_url": format!("{}/{}/actions/runs/{}", state.api, repo.full_name(), run.id),
        "pull_requests": pulls_at(state, repo, &run.sha),
        "created_at": time(run.created_at),
        "updated_at": time(run.updated_at),
        "actor": user(state, &run.actor),
        "triggering_actor": user(state, &run.actor),
        "run_attempt": run.attempt,
        "run_started_at": time(run.created_at),
        "previous_attempt_url": null,
        "referenced_workflows": [],
        "jobs_url": format!("{url}/jobs"),
        "logs_url": format!("{url}/logs"),
        "check_suite_url": suite,
        "artifacts_url": format!("{url}/artifacts"),
        "cancel_url": format!("{url}/cancel"),
        "rerun_url": format!("{url}/rerun"),
        "workflow_url": format!("{place}/actions/workflows/{workflow}"),
        "head_commit": repo.git.get(&run.sha).map_or(Value::Null, simple_commit),
        "repository": super::repository(state, repo),
        "head_repository": head_repository(state, repo, &run.branch),
    })
}

/// Returns the JSON of a workflow run's job. Its last step ends as the run does; a job that never
/// began has none.
pub(crate) fn job(state: &State, repo: &Repo, run: &WorkflowRun) -> Value {
    let place = format!("{}/repos/{}", state.api, repo.full_name());
    let (id, page) = (run.id, format!("{}/{}/actions/runs/{}", state.api, repo.full_name(), run.id));
    let step = |number: u64, name: &str, status: &str, conclusion: Option<&str>| json!({ "name": name, "number": number, "status": status, "conclusion": conclusion });
    let steps = [
        step(1, "Set up job", "completed", Some("success")),
        step(2, "Deploy", &run.status, run.conclusion.as_deref()),
    ];
    json!({
        "id": id,
        "run_id": run.id,
        "run_url": format!("{place}/actions/runs/{}", run.id),
        "run_attempt": run.attempt,
        "node_id": node("CR_kwDO", id),
        "head_sha": run.sha,
        "url": format!("{place}/actions/jobs/{id}"),
        "html_url": format!("{page}/job/{id}"),
        "status": run.status,
        "conclusion": run.conclusion,
        "created_at": time(run.created_at),
        "started_at": time(run.created_at),
        "completed_at": run.conclusion.as_ref().map(|_| time(run.updated_at)),
        "name": "deploy",
        "steps": if run.begun { &steps[..] } else { &[] },
        "check_run_url": format!("{place}/check-runs/{id}"),
        "labels": ["ubuntu-latest"],
        "runner_id": null,
        "runner_name": null,
        "runner_group_id": null,
        "runner_group_name": null,
        "workflow_name": name_of(&run.path),
        "head_branch": run.branch,
    })
}

/// Returns the repository of a run's code: a fork if its branch is called `owner:branch`.
fn head_repository(state: &State, repo: &Repo, branch: &str) -> Value {
    match branch.split_once(':') {
        Some((owner, _)) => {
            super::place::described(state, repo, owner, repo.forks.get(owner).copied().unwrap_or_default(), true)
        }
        None => super::repository(state, repo),
    }
}
