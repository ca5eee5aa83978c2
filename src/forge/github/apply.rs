//! Does what an effect says.

use http::Method;
use serde_json::json;

use super::{check, comment, errand, graphql, identity::Identity, issue, label, path, repo::Repo};
use crate::{
    domain::{effect::Effect, id::Sha},
    port::forge::{Applied, ApplyContext, Cost, ForgeError},
};

/// Does one effect.
pub(super) async fn apply(
    repo: &mut Repo<'_>,
    identity: &Identity,
    effect: &Effect,
    context: &ApplyContext,
) -> Result<Applied, ForgeError> {
    let applied = match effect {
        Effect::SetPhase { item, label, phase_labels } => {
            label::set_phase(repo, context, *item, label.as_ref(), phase_labels).await?
        }
        Effect::UpsertComment { item, marker, body, sticky } => {
            comment::upsert(repo, identity, context, *item, marker, body, *sticky).await?
        }
        Effect::React { comment, content } => comment::react(repo, *comment, content).await?,
        Effect::ReactTo { node, content } => graphql::react(repo.client, repo.target, node, content).await?,
        Effect::FoldComment { item, marker, since } => comment::fold(repo, identity, *item, marker, *since).await?,
        Effect::Assign { item, logins, .. } => errand::assign(repo, *item, logins).await?,
        Effect::SetMilestone { item, milestone, .. } => {
            errand::set_milestone(repo, *item, milestone.as_deref()).await?
        }
        Effect::RerunFailed { pull, sha, .. } => errand::rerun_failed(repo, *pull, sha).await?,
        Effect::OpenIssue { marker, title, body, labels } => {
            issue::open(repo, identity, context, marker, title, body, labels).await?
        }
        Effect::EditIssue { item, marker, title, body } => issue::edit(repo, *item, marker, title, body).await?,
        Effect::SetIssueState { item, open } => issue::set_state(repo, *item, *open).await?,
        Effect::SetLabels { item, add, remove } => label::set(repo, context, *item, add, remove).await?,
        Effect::UpsertIssue { marker, title, body, open } => {
            issue::upsert(repo, identity, context, marker, title, body, *open).await?
        }
        Effect::SetCheck { name, sha, external_id, verdict, title, summary, annotations, or_comment } => {
            let (verdict, or_comment) = (*verdict, *or_comment);
            let check = check::Check { name, sha, external_id, verdict, title, summary, annotations, or_comment };
            check::set(repo, identity, context, &check).await?
        }
        Effect::Dispatch { workflow, reference, sha, request } => {
            dispatch(repo, context, workflow, reference, sha, request).await?
        }
    };
    Ok(Applied { renamed_to: repo.renamed_to().await, ..applied })
}

/// Writes that [`apply`] will make, at most.
pub(super) fn cost(effect: &Effect, context: &ApplyContext) -> Cost {
    match effect {
        Effect::SetPhase { label, phase_labels, .. } => label::cost(context, label.as_ref(), phase_labels),
        Effect::UpsertComment { .. } | Effect::UpsertIssue { .. } => Cost { writes: 1, creates: 1 },
        Effect::SetCheck { or_comment: Some(_), .. } => Cost { writes: 2, creates: 1 },
        Effect::SetCheck { or_comment: None, .. }
        | Effect::React { .. }
        | Effect::ReactTo { .. }
        | Effect::FoldComment { .. }
        | Effect::Assign { .. }
        | Effect::EditIssue { .. }
        | Effect::SetIssueState { .. }
        | Effect::SetMilestone { .. } => Cost { writes: 1, creates: 0 },
        Effect::SetLabels { add, remove, .. } => label::cost_of_set(context, add, remove),
        // How many have failed is found out on the way.
        Effect::RerunFailed { .. } => Cost { writes: 3, creates: 0 },
        Effect::OpenIssue { labels, .. } => {
            let labels = u32::try_from(label::missing(context, labels)).unwrap_or(u32::MAX);
            Cost { writes: labels.saturating_add(1), creates: 1 }
        }
        Effect::Dispatch { .. } => Cost { writes: u32::from(!context.in_doubt), creates: 0 },
    }
}

/// Starts a workflow. GitHub's answer names no run, so that after a doubt
/// nobody can tell whether it started: it is never sent again.
async fn dispatch(
    repo: &mut Repo<'_>,
    context: &ApplyContext,
    workflow: &str,
    reference: &str,
    sha: &Sha,
    request: &str,
) -> Result<Applied, ForgeError> {
    if context.in_doubt {
        return Err(ForgeError::Permanent(format!(
            "unproven: {workflow} may have been started by request {request} already, and is not started twice"
        )));
    }
    let tail = format!("/actions/workflows/{}/dispatches", path::segment(workflow)?);
    let body = json!({ "ref": reference, "inputs": { "phasebot_request": request, "phasebot_sha": sha.0 } });
    let route = "POST /repos/{owner}/{repo}/actions/workflows/{workflow_id}/dispatches";
    repo.send(Method::POST, route, &tail, Some(body)).await?;
    Ok(Applied { made: Some(request.to_owned()), ..Applied::default() })
}
