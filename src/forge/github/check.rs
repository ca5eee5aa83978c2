//! Creating and updating our own check runs.

use http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    domain::{
        effect::{Annotation, CheckVerdict},
        id::{ItemId, Sha},
    },
    forge::github::{comment, failure::Failure, own_account::Identity, path, repo::Repo},
    port::forge::{Applied, ApplyContext, ForgeError},
};

/// Maximum number of pages searched for our run, among a commit's runs of one name.
const MAX_PAGES: usize = 2;
/// GitHub accepts at most 50 annotations in a request, and a summary of 65 535 characters.
const MAX_ANNOTATIONS: usize = 50;
const MAX_SUMMARY: usize = 65_000;
const MAX_TITLE: usize = 250;

/// Content of a check run.
pub(super) struct Check<'a> {
    pub(super) name: &'a str,
    pub(super) sha: &'a Sha,
    pub(super) external_id: &'a str,
    pub(super) verdict: CheckVerdict,
    pub(super) title: &'a str,
    pub(super) summary: &'a str,
    pub(super) annotations: &'a [Annotation],
    pub(super) or_comment: Option<ItemId>,
}

/// Age at which an unfinished check run is replaced by a new one instead of updated.
///
/// An unfinished run becomes stale after 14 days (GitHub Docs, "Using the REST API to interact with
/// checks"). The core requests another run 12 days after its last request; both together stay below
/// 14 days.
const STALE_AFTER: SignedDuration = SignedDuration::from_hours(36);

#[derive(Deserialize)]
struct Run {
    id: u64,
    external_id: Option<String>,
    status: Option<String>,
    started_at: Option<Timestamp>,
}

impl Run {
    /// Returns whether the run can be updated to a verdict. A finished run is not reopened: of
    /// several runs with one name, forges count the newest.
    fn can_show(&self, verdict: CheckVerdict, now: Timestamp) -> bool {
        if verdict != CheckVerdict::InProgress {
            return true;
        }
        let old = self.started_at.is_some_and(|at| now.duration_since(at) >= STALE_AFTER);
        self.status.as_deref() != Some("completed") && !old
    }
}

/// Updates our check run, or creates one.
///
/// Without permission to write checks, writes the same content as a comment if the effect names an
/// item for it.
pub(super) async fn set(
    repo: &mut Repo<'_>,
    identity: &Identity,
    context: &ApplyContext,
    check: &Check<'_>,
) -> Result<Applied, ForgeError> {
    let failure = match put(repo, identity, context, check).await {
        Ok(id) => return Ok(Applied { made: id.map(|id| id.to_string()), ..Applied::default() }),
        Err(failure) => failure,
    };
    let forbidden = failure.status == Some(StatusCode::FORBIDDEN) && matches!(failure.error, ForgeError::Permanent(_));
    match check.or_comment.filter(|_| forbidden) {
        Some(item) => {
            let text = format!("**{}**\n\n{}", check.title, check.summary);
            comment::upsert(repo, identity, context, item, check.external_id, &text, true).await
        }
        None => Err(failure.into()),
    }
}

async fn put(
    repo: &mut Repo<'_>,
    identity: &Identity,
    context: &ApplyContext,
    check: &Check<'_>,
) -> Result<Option<u64>, Failure> {
    let mut body = body(check);
    let now = repo.client.now();
    let found = find(repo, identity, check).await?;
    if context.look_only {
        return Ok(found.map(|run| run.id));
    }
    if let Some(id) = found.filter(|run| run.can_show(check.verdict, now)).map(|run| run.id) {
        let route = "PATCH /repos/{owner}/{repo}/check-runs/{check_run_id}";
        repo.send(Method::PATCH, route, &format!("/check-runs/{id}"), Some(body)).await?;
        return Ok(Some(id));
    }
    body["head_sha"] = json!(check.sha);
    let reply = repo.send(Method::POST, "POST /repos/{owner}/{repo}/check-runs", "/check-runs", Some(body)).await?;
    Ok(reply.made::<Run>().map(|run| run.id))
}

fn body(check: &Check<'_>) -> Value {
    let (status, conclusion) = match check.verdict {
        CheckVerdict::InProgress => ("in_progress", None),
        CheckVerdict::Success => ("completed", Some("success")),
        CheckVerdict::Failure => ("completed", Some("failure")),
        CheckVerdict::ActionRequired => ("completed", Some("action_required")),
        CheckVerdict::Cancelled => ("completed", Some("cancelled")),
    };
    let annotations: Vec<Value> = check.annotations.iter().take(MAX_ANNOTATIONS).map(annotation).collect();
    let mut body = json!({
        "name": check.name,
        "external_id": check.external_id,
        "status": status,
        "output": {
            "title": cut(check.title, MAX_TITLE),
            "summary": cut(check.summary, MAX_SUMMARY),
            "annotations": annotations,
        },
    });
    if let Some(conclusion) = conclusion {
        body["conclusion"] = json!(conclusion);
    }
    body
}

fn annotation(annotation: &Annotation) -> Value {
    json!({
        "path": annotation.path,
        "start_line": annotation.line,
        "end_line": annotation.line,
        "annotation_level": "failure",
        "message": annotation.message,
    })
}

fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

/// Returns our run with this name and external id on the commit. Filters by App, because anyone can
/// give a run these values.
async fn find(repo: &mut Repo<'_>, identity: &Identity, check: &Check<'_>) -> Result<Option<Run>, Failure> {
    #[derive(Deserialize)]
    struct Found {
        check_runs: Vec<Run>,
    }
    let app = identity.app_id();
    let tail =
        format!("/commits/{}/check-runs?check_name={}&app_id={app}&filter=latest", check.sha, path::value(check.name));
    let route = "GET /repos/{owner}/{repo}/commits/{ref}/check-runs";
    for page in 1..=MAX_PAGES {
        let (found, more) = repo.page(route, &tail, page, |found: &Found| !found.check_runs.is_empty()).await?;
        let ours = |run: &Run| run.external_id.as_deref() == Some(check.external_id);
        if let Some(run) = found.check_runs.into_iter().find(ours) {
            return Ok(Some(run));
        }
        if !more {
            break;
        }
    }
    Ok(None)
}
