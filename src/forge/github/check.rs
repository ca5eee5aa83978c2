//! Check runs of ours.

use http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    domain::{
        effect::{Annotation, CheckVerdict},
        id::{ItemNumber, Sha},
    },
    forge::github::{comment, failure::Failure, own_account::Identity, path, repo::Repo},
    port::forge::{Applied, ApplyContext, ForgeError},
};

/// Pages of a commit's runs of one name to look through for ours.
const MAX_PAGES: usize = 2;
/// GitHub takes at most 50 annotations in a request, and a summary of 65 535 characters.
const MAX_ANNOTATIONS: usize = 50;
const MAX_SUMMARY: usize = 65_000;
const MAX_TITLE: usize = 250;

/// What is to be shown.
pub(super) struct Check<'a> {
    pub(super) name: &'a str,
    pub(super) sha: &'a Sha,
    pub(super) external_id: &'a str,
    pub(super) verdict: CheckVerdict,
    pub(super) title: &'a str,
    pub(super) summary: &'a str,
    pub(super) annotations: &'a [Annotation],
    pub(super) or_comment: Option<ItemNumber>,
}

/// A run that has not ended grows stale after 14 days (GitHub Docs, «Using the
/// REST API to interact with checks»). One of this age is not brought up to
/// date, a new one is made: the core asks for another one 12 days after it last
/// asked, and both together stay below 14 days.
const STALE_AFTER: SignedDuration = SignedDuration::from_hours(36);

#[derive(Deserialize)]
struct Run {
    id: u64,
    external_id: Option<String>,
    status: Option<String>,
    started_at: Option<Timestamp>,
}

impl Run {
    /// Whether it can show a verdict. A run that ended is not opened again: of
    /// several with one name forges count the newest.
    fn can_show(&self, verdict: CheckVerdict, now: Timestamp) -> bool {
        if verdict != CheckVerdict::InProgress {
            return true;
        }
        let old = self.started_at.is_some_and(|at| now.duration_since(at) >= STALE_AFTER);
        self.status.as_deref() != Some("completed") && !old
    }
}

/// Makes the run, or brings the one that is there up to date.
///
/// Without leave to write checks the same goes into a comment, if the effect names an item for it.
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
    body["head_sha"] = json!(check.sha.0);
    let reply = repo.send(Method::POST, "POST /repos/{owner}/{repo}/check-runs", "/check-runs", Some(body)).await?;
    Ok(reply.made::<Run>().map(|run| run.id))
}

fn body(check: &Check<'_>) -> Value {
    let (status, conclusion) = match check.verdict {
        CheckVerdict::InProgress => ("in_progress", None),
        CheckVerdict::Success => ("completed", Some("success")),
        CheckVerdict::Failure => ("completed", Some("failure")),
        CheckVerdict::ActionRequired => ("completed", Some("action_required")),
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

/// Our run with this name and id on the commit. Anyone may name a run as ours: the App tells.
async fn find(repo: &mut Repo<'_>, identity: &Identity, check: &Check<'_>) -> Result<Option<Run>, Failure> {
    #[derive(Deserialize)]
    struct Found {
        check_runs: Vec<Run>,
    }
    let app = identity.app_id();
    let tail = format!(
        "/commits/{}/check-runs?check_name={}&app_id={app}&filter=latest",
        path::segment(&check.sha.0)?,
        path::value(check.name)
    );
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
