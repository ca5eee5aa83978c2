//! Workflow runs: dispatch, lookup and cancellation.

use std::collections::{BTreeMap, BTreeSet};

use http::{Method, StatusCode};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use crate::{
    domain::{
        effect::{ForgeResult, RefGuard},
        event::RunTrigger,
        fact::deploy_request::RunFacts,
        id::{Account, Sha},
    },
    forge::github::{
        commit_ref, evidence::User, failure::Failure, file, path, ref_guard, repo::Repo, trigger, workflow,
    },
    port::forge::{Applied, ApplyContext, ForgeError},
};

/// Maximum number of pages of runs searched for one run, at 100 runs each.
const MAX_PAGES: usize = 3;
/// GitHub's limit for the number of inputs of one dispatch.
const MOST_INPUTS: usize = 25;

/// A workflow dispatch to send.
pub(super) struct Dispatch<'a> {
    pub(super) workflow: &'a str,
    pub(super) reference: &'a str,
    pub(super) sha: &'a Sha,
    pub(super) watched: &'a RefGuard,
    pub(super) environment: &'a str,
    pub(super) request: &'a str,
    pub(super) inputs: &'a BTreeMap<String, String>,
    pub(super) strict: bool,
}

fn with_result(result: ForgeResult) -> Applied {
    Applied { result: Some(result), ..Applied::default() }
}

/// Dispatches a workflow.
/// A dispatch can name a branch or tag but no commit, so the commit is sent as an input if the
/// workflow declares it. If an earlier attempt may have succeeded, looks for our request id in the
/// titles of the workflow's runs; never dispatches a second time.
pub(super) async fn dispatch(
    repo: &mut Repo<'_>,
    context: &ApplyContext,
    it: &Dispatch<'_>,
) -> Result<Applied, ForgeError> {
    if context.in_doubt {
        return match find(repo, it.workflow, it.request).await? {
            Some(run) => {
                let pinned = received_commit(repo, it, &run).await?;
                Ok(Applied { made: Some(run.id.to_string()), ..with_result(started(&run, pinned)) })
            }
            None => Err(ForgeError::Permanent(format!(
                "unproven: {} may have been started by request {} already, and is not started twice",
                it.workflow, it.request
            ))),
        };
    }
    if let Some(moved) = ref_guard::moved(repo, it.sha, it.watched).await? {
        return Ok(with_result(moved));
    }
    let inputs = match inputs(repo, it).await? {
        Ok(inputs) => inputs,
        Err(why) => return Ok(with_result(ForgeResult::NotStarted(why))),
    };
    let pinned = inputs.contains_key("phasebot_sha");
    let tail = format!("/actions/workflows/{}/dispatches", path::segment(it.workflow)?);
    let route = "POST /repos/{owner}/{repo}/actions/workflows/{workflow_id}/dispatches";
    let mut body = json!({ "ref": it.reference, "inputs": inputs, "return_run_details": true });
    let reply = match repo.send(Method::POST, route, &tail, Some(body.clone())).await {
        // An older server does not know this parameter. The 422 proves that nothing was started.
        Err(failure) if failure.says(422, "return_run_details") => {
            if let Some(fields) = body.as_object_mut() {
                fields.remove("return_run_details");
            }
            repo.send(Method::POST, route, &tail, Some(body)).await
        }
        other => other,
    };
    let reply = reply.map_err(|failure| advised(failure, it))?;
    #[derive(Deserialize)]
    struct Made {
        workflow_run_id: u64,
    }
    let Some(run) = reply.made::<Made>().map(|made| made.workflow_run_id) else {
        let started = ForgeResult::Started { run: None, sha: None, pinned };
        return Ok(Applied { made: Some(it.request.to_owned()), ..with_result(started) });
    };
    // The workflow has been started; a failure of this read does not change that.
    let sha = match one(repo, run).await {
        Ok(run) => Some(run.head_sha),
        Err(_) => None,
    };
    Ok(Applied { made: Some(run.to_string()), ..with_result(ForgeResult::Started { run: Some(run), sha, pinned }) })
}

/// Adds advice to GitHub's refusal of a dispatch.
fn advised(failure: Failure, it: &Dispatch<'_>) -> Failure {
    let file = format!(".github/workflows/{}", it.workflow);
    let advice = if failure.says(422, "workflow_dispatch' trigger") {
        format!("add workflow_dispatch to the events under on: in {file} at {}", it.reference)
    } else if failure.says(422, "disabled workflow") {
        format!("enable {file} under Actions")
    } else if failure.says(422, "no ref found") {
        format!("{} is gone: deploy another branch, tag or commit", it.reference)
    } else if failure.says(422, "input") {
        format!("let the inputs that {file} declares and those under deploy.inputs of {} agree", it.environment)
    } else if failure.status == Some(StatusCode::NOT_FOUND) {
        format!("{file} must be on the default branch, too, and the App needs the permission actions=write")
    } else {
        return failure;
    };
    failure.advise(&advice)
}

fn started(run: &Run, pinned: bool) -> ForgeResult {
    ForgeResult::Started { run: Some(run.id), sha: Some(run.head_sha.clone()), pinned }
}

/// Returns whether a run of ours received its commit as an input. This is always so with `strict`;
/// otherwise the workflow file at the run's commit must declare the input.
async fn received_commit(repo: &mut Repo<'_>, it: &Dispatch<'_>, run: &Run) -> Result<bool, ForgeError> {
    if it.strict {
        return Ok(true);
    }
    let place = format!(".github/workflows/{}", it.workflow);
    let seen = file::read(repo.client, repo.target, None, &place, Some(&run.head_sha.to_string())).await?;
    let declared = seen.and_then(|seen| workflow::declared_inputs(seen.text.as_deref().ok()?).ok());
    Ok(declared.is_some_and(|declared| declared.contains("phasebot_sha")))
}

/// Returns the inputs to send, based on those that the workflow declares at the ref it will run
/// from; the inner error says why the workflow can't be started.
async fn inputs(
    repo: &mut Repo<'_>,
    it: &Dispatch<'_>,
) -> Result<Result<BTreeMap<String, String>, String>, ForgeError> {
    let place = format!(".github/workflows/{}", it.workflow);
    let declared = match declared(repo, it.workflow, it.reference).await? {
        Ok(declared) => declared,
        Err(why) => return Ok(Err(why)),
    };
    let told_commit = declared.contains("phasebot_sha");
    if !told_commit && it.strict {
        return Ok(Err(format!(
            "{place} does not declare the input phasebot_sha, so that it can't be told which commit to deploy; declare \
             it, or set pin: best_effort for the environment"
        )));
    }
    // Without that input the run deploys the head of its branch or tag.
    if !told_commit && head_of(repo, it.reference).await?.as_ref() != Some(it.sha) {
        return Ok(Err(format!("{} does not stand at {}, and {place} can't be told a commit", it.reference, it.sha)));
    }
    let unknown: Vec<&str> = it.inputs.keys().filter(|name| !declared.contains(*name)).map(String::as_str).collect();
    if !unknown.is_empty() {
        return Ok(Err(format!("{place} does not declare the input {}", unknown.join(", "))));
    }
    Ok(gathered(&declared, it))
}

/// Returns the inputs that a workflow declares at a ref. `Err` inside: why it can't be started.
async fn declared(
    repo: &mut Repo<'_>,
    workflow: &str,
    reference: &str,
) -> Result<Result<BTreeSet<String>, String>, ForgeError> {
    let place = format!(".github/workflows/{workflow}");
    let Some(seen) = file::read(repo.client, repo.target, None, &place, Some(reference)).await? else {
        return Ok(Err(format!("there is no {place} at {reference}")));
    };
    let declared = seen.text.as_deref().map_err(Clone::clone).and_then(workflow::declared_inputs);
    Ok(declared.map_err(|why| format!("{place} can't be started: {why}")))
}

/// Starts the workflow that tears down an environment. It has to take the environment's name.
pub(super) async fn tear_down(
    repo: &mut Repo<'_>,
    workflow: &str,
    reference: &str,
    environment: &str,
    request: &str,
) -> Result<Applied, ForgeError> {
    let declared = declared(repo, workflow, reference).await?.map_err(ForgeError::Permanent)?;
    if !declared.contains("phasebot_environment") {
        let why = format!("{workflow} does not declare the input phasebot_environment, which names what to tear down");
        return Err(ForgeError::Permanent(why));
    }
    let ours = [("phasebot_request", request), ("phasebot_environment", environment)];
    let inputs: BTreeMap<&str, &str> = ours.into_iter().filter(|(name, _)| declared.contains(*name)).collect();
    let tail = format!("/actions/workflows/{}/dispatches", path::segment(workflow)?);
    let route = "POST /repos/{owner}/{repo}/actions/workflows/{workflow_id}/dispatches";
    repo.send(Method::POST, route, &tail, Some(json!({ "ref": reference, "inputs": inputs }))).await?;
    Ok(Applied { made: Some(request.to_owned()), ..Applied::default() })
}

fn gathered(declared: &BTreeSet<String>, it: &Dispatch<'_>) -> Result<BTreeMap<String, String>, String> {
    let sha = it.sha.to_string();
    let ours = [("phasebot_request", it.request), ("phasebot_sha", &sha), ("phasebot_environment", it.environment)];
    let mut inputs = it.inputs.clone();
    for (name, value) in ours.into_iter().filter(|(name, _)| declared.contains(*name)) {
        inputs.insert(name.to_owned(), value.to_owned());
    }
    if inputs.len() > MOST_INPUTS {
        return Err(format!("GitHub takes {MOST_INPUTS} inputs at most, and there would be {}", inputs.len()));
    }
    Ok(inputs)
}

/// Returns the commit that a branch or tag points to; `None` if it does not exist.
async fn head_of(repo: &mut Repo<'_>, reference: &str) -> Result<Option<Sha>, ForgeError> {
    // Effects that an earlier version queued have a branch name without `refs/heads/`.
    if let Some(tag) = reference.strip_prefix(ref_guard::TAGS) {
        return found(commit_ref::tag_commit(repo, tag).await);
    }
    let branch = reference.strip_prefix(ref_guard::BRANCHES).unwrap_or(reference);
    found(ref_guard::head(repo, branch).await)
}

fn found(result: Result<Sha, ForgeError>) -> Result<Option<Sha>, ForgeError> {
    match result {
        Ok(sha) => Ok(Some(sha)),
        Err(ForgeError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

#[derive(Deserialize)]
struct Run {
    id: u64,
    head_sha: Sha,
    #[serde(default)]
    display_title: String,
    #[serde(default)]
    path: String,
    event: String,
    status: Option<String>,
    conclusion: Option<String>,
    #[serde(rename = "run_attempt")]
    attempt: Option<u64>,
    created_at: Timestamp,
    updated_at: Timestamp,
    #[serde(default)]
    html_url: String,
    actor: Option<User>,
    triggering_actor: Option<User>,
}

#[derive(Deserialize)]
struct Runs {
    workflow_runs: Vec<Run>,
}

/// Returns whether a title contains exactly this id: one id may be the beginning of another.
fn names_request(title: &str, request: &str) -> bool {
    let goes_on = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    title.match_indices(request).any(|(at, _)| !title[at + request.len()..].starts_with(goes_on))
}

async fn one(repo: &mut Repo<'_>, run: u64) -> Result<Run, ForgeError> {
    repo.get("GET /repos/{owner}/{repo}/actions/runs/{run_id}", &format!("/actions/runs/{run}")).await?.json()
}

/// Returns the workflow's run whose title contains our request id.
async fn find(repo: &mut Repo<'_>, workflow: &str, request: &str) -> Result<Option<Run>, ForgeError> {
    let tail = format!("/actions/workflows/{}/runs?event=workflow_dispatch", path::segment(workflow)?);
    let route = "GET /repos/{owner}/{repo}/actions/workflows/{workflow_id}/runs";
    for page in 1..=MAX_PAGES {
        let (found, more) = repo.page(route, &tail, page, |found: &Runs| !found.workflow_runs.is_empty()).await?;
        if let Some(run) = found.workflow_runs.into_iter().find(|run| names_request(&run.display_title, request)) {
            return Ok(Some(run));
        }
        if !more {
            break;
        }
    }
    Ok(None)
}

/// Returns the newest runs that the event `trigger` started, at commit `sha` or at any commit; one
/// page.
pub(super) async fn runs_at(
    repo: &mut Repo<'_>,
    sha: Option<&Sha>,
    trigger: &RunTrigger,
) -> Result<BTreeMap<u64, RunFacts>, ForgeError> {
    let at = sha.map(|sha| format!("&head_sha={sha}")).unwrap_or_default();
    let tail = format!("/actions/runs?event={}{at}", path::value(trigger::event(trigger)));
    let route = "GET /repos/{owner}/{repo}/actions/runs";
    let (found, _) = repo.page(route, &tail, 1, |_: &Runs| false).await?;
    Ok(found.workflow_runs.into_iter().map(|run| (run.id, facts(run))).collect())
}

fn facts(run: Run) -> RunFacts {
    RunFacts {
        at: run.updated_at,
        attempt: run.attempt.unwrap_or(1),
        outcome: crate::forge::github::decode::run_outcome(run.status.as_deref(), run.conclusion.as_deref()),
        sha: run.head_sha,
        trigger: trigger::of_event(run.event),
        title: run.display_title,
        workflow: run.path,
        created_at: run.created_at,
        url: run.html_url,
        started_by: [run.actor, run.triggering_actor].into_iter().flatten().filter_map(User::account).collect(),
    }
}

/// Returns the accounts that started a run and that triggered its last attempt.
pub(super) async fn starters(repo: &mut Repo<'_>, run: u64) -> Result<BTreeSet<Account>, ForgeError> {
    #[derive(Deserialize)]
    struct Found {
        actor: Option<User>,
        triggering_actor: Option<User>,
    }
    let route = "GET /repos/{owner}/{repo}/actions/runs/{run_id}";
    let found: Found = repo.get(route, &format!("/actions/runs/{run}")).await?.json()?;
    Ok([found.actor, found.triggering_actor].into_iter().flatten().filter_map(User::account).collect())
}

/// Cancels a run. A run that has already ended (409) is not an error.
pub(super) async fn cancel(repo: &mut Repo<'_>, run: u64) -> Result<Applied, ForgeError> {
    let route = "POST /repos/{owner}/{repo}/actions/runs/{run_id}/cancel";
    match repo.send(Method::POST, route, &format!("/actions/runs/{run}/cancel"), None).await {
        Ok(_) => {}
        Err(failure) if failure.status == Some(StatusCode::CONFLICT) => {}
        Err(failure) => return Err(failure.into()),
    }
    Ok(Applied { made: Some(run.to_string()), ..Applied::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_begins_another_is_not_taken_for_it() {
        assert!(names_request("Deploy pb-comment-5-1", "pb-comment-5-1"));
        assert!(names_request("pb-comment-5-10, pb-comment-5-1: staging", "pb-comment-5-1"));
        assert!(!names_request("Deploy pb-comment-5-10", "pb-comment-5-1"));
        assert!(!names_request("Deploy", "pb-comment-5-1"));
    }
}
