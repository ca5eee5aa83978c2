//! Decodes releases, deployments and requests of deployment protection rules.

use jiff::Timestamp;

use crate::{
    domain::event::{DeployState, DeployStatus, DeploymentSeen, ProtectionSeen, ReleaseSeen, Seen},
    forge::github::{
        decode::{Delivery, Understood, Useless, actor, needed},
        mirror,
        payload::{DeployingRun, Deployment, DeploymentStatus, Release},
    },
};

pub(super) fn release(delivery: &Delivery<'_>) -> Result<Understood, Useless> {
    delivery.repo()?;
    let release: Release = needed(delivery.payload.get("release"), "release")?;
    let draft = release.draft.0.unwrap_or(false);
    let published_at = release.published_at.0.filter(|_| !draft);
    // Only the first publication happened at `published_at`; an edit, promotion or deletion
    // happened later.
    let at = match delivery.action {
        "published" => published_at.or(release.updated_at.0),
        "deleted" | "unpublished" => release.updated_at.0,
        _ => release.updated_at.0.max(published_at),
    };
    let seen = ReleaseSeen {
        id: needed(release.id.0, "release.id")?,
        tag: needed(release.tag_name.0.filter(|tag| !tag.is_empty()), "release.tag_name")?,
        target: release.target_commitish.0.unwrap_or_default(),
        draft,
        prerelease: release.prerelease.0.unwrap_or(false),
        published_at: published_at
            .or_else(|| (delivery.action == "published" && !draft).then(|| at.unwrap_or(delivery.received_at))),
        withdrawn: matches!(delivery.action, "deleted" | "unpublished"),
    };
    Ok(Understood { seen: Seen::Release(seen), at })
}

/// Returns whether the payload's deployment only shows what another system deployed: that was reported
/// already.
fn is_mirror(delivery: &Delivery<'_>) -> bool {
    let deployment: Option<Deployment> = delivery.payload.get("deployment");
    deployment.is_some_and(|deployment| deployment.task.0.as_deref() == Some(mirror::TASK))
}

fn nothing_new() -> Understood {
    let reason = "it shows a deployment that another system reported".to_owned();
    Understood { seen: Seen::Nothing { reason }, at: None }
}

pub(super) fn deployment(delivery: &Delivery<'_>) -> Result<Understood, Useless> {
    if is_mirror(delivery) {
        return Ok(nothing_new());
    }
    let deployment = deployment_seen(delivery, None)?;
    let at = deployment.1;
    Ok(Understood { seen: Seen::Deployment(deployment.0), at })
}

pub(super) fn deployment_status(delivery: &Delivery<'_>) -> Result<Understood, Useless> {
    if is_mirror(delivery) {
        return Ok(nothing_new());
    }
    let status: DeploymentStatus = needed(delivery.payload.get("deployment_status"), "deployment_status")?;
    let (mut seen, _) = deployment_seen(delivery, status.environment.0)?;
    let at = status.created_at.0.or(status.updated_at.0);
    seen.status = Some(DeployStatus {
        at: at.unwrap_or(delivery.received_at),
        id: needed(status.id.0, "deployment_status.id")?,
        state: match status.state.0.as_deref() {
            Some("in_progress") => DeployState::InProgress,
            Some("pending" | "queued" | "waiting") => DeployState::Waiting,
            Some("success") => DeployState::Success,
            Some("failure" | "error") => DeployState::Failure,
            _ => DeployState::Inactive,
        },
    });
    Ok(Understood { seen: Seen::Deployment(seen), at })
}

/// Returns the payload's deployment and its time of creation. A status may move it to another
/// environment, which then counts.
fn deployment_seen(
    delivery: &Delivery<'_>,
    environment: Option<String>,
) -> Result<(DeploymentSeen, Option<Timestamp>), Useless> {
    delivery.repo()?;
    let deployment: Deployment = needed(delivery.payload.get("deployment"), "deployment")?;
    let environment = environment.filter(|name| !name.is_empty()).or(deployment.environment.0);
    let made_at = deployment.created_at.0;
    let run: DeployingRun = delivery.payload.get("workflow_run").unwrap_or_default();
    let seen = DeploymentSeen {
        id: needed(deployment.id.0, "deployment.id")?,
        sha: needed(deployment.sha.0, "deployment.sha")?,
        reference: deployment.reference.0.unwrap_or_default(),
        environment: needed(environment, "deployment.environment")?,
        production: deployment.production_environment.0,
        created_at: made_at.or(deployment.updated_at.0).unwrap_or(delivery.received_at),
        creator: deployment.creator.0.and_then(actor),
        run: run.id.0,
        from_fork: run.head_repository.0.and_then(|head| Some(head.id.0? != delivery.repo.as_ref()?.key.id)),
        transient: deployment.transient_environment.0 == Some(true),
        source: None,
        status: None,
    };
    Ok((seen, made_at))
}

pub(super) fn protection(delivery: &Delivery<'_>) -> Result<Understood, Useless> {
    delivery.repo()?;
    let deployment: Deployment = delivery.payload.get("deployment").unwrap_or_default();
    let callback: Option<String> = delivery.payload.get("deployment_callback_url");
    let environment = delivery.payload.get("environment").or(deployment.environment.0);
    // For `pull_request_target`, GitHub lists the run under the target branch.
    let trigger: String = delivery.payload.get("event").unwrap_or_default();
    let seen = ProtectionSeen {
        of_pull: trigger.starts_with("pull_request")
            || deployment.reference.0.as_deref().is_some_and(|name| name.starts_with("refs/pull/")),
        run: callback.as_deref().and_then(callback_run),
        environment: needed(environment, "environment")?,
        sha: deployment.sha.0,
        deployment: deployment.id.0,
        creator: deployment.creator.0.and_then(actor),
    };
    Ok(Understood { seen: Seen::Protection(seen), at: deployment.updated_at.0.or(deployment.created_at.0) })
}

/// Parses the run id in `…/actions/runs/RUN/deployment_protection_rule`. The address itself is
/// dropped, because answers go only to the configured API.
fn callback_run(url: &str) -> Option<u64> {
    let path = url.split(['?', '#']).next()?.strip_suffix("/deployment_protection_rule")?;
    let (before, run) = path.rsplit_once('/')?;
    before.ends_with("/actions/runs").then(|| run.parse().ok()).flatten()
}
