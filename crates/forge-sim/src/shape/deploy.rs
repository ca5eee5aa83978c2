//! Deployments and releases.

use serde_json::{Value, json};

use super::{
    super::{
        model::{Deployment, DeploymentStatus, Release, Repo},
        state::State,
    },
    node, time, user,
};

/// Returns the JSON of a deployment.
pub(crate) fn deployment(state: &State, repo: &Repo, of: &Deployment) -> Value {
    let place = format!("{}/repos/{}", state.api, repo.full_name());
    let url = format!("{place}/deployments/{}", of.id);
    json!({
        "url": url,
        "id": of.id,
        "node_id": node("DE_kwDO", of.id),
        "task": of.task,
        "original_environment": of.environment,
        "environment": of.environment,
        "description": of.description,
        "created_at": time(of.created_at),
        "updated_at": time(of.statuses.last().map_or(of.created_at, |s| s.at)),
        "statuses_url": format!("{url}/statuses"),
        "repository_url": place,
        "creator": user(state, &of.creator),
        "sha": of.sha,
        "ref": of.reference,
        "payload": of.payload,
        "transient_environment": of.transient,
        "production_environment": of.production,
        "performed_via_github_app": null,
    })
}

/// Returns the JSON of a deployment status.
pub(crate) fn deployment_status(state: &State, repo: &Repo, of: &Deployment, status: &DeploymentStatus) -> Value {
    let place = format!("{}/repos/{}", state.api, repo.full_name());
    let url = format!("{place}/deployments/{}", of.id);
    json!({
        "url": format!("{url}/statuses/{}", status.id),
        "id": status.id,
        "node_id": node("DES_kwDO", status.id),
        "state": status.state,
        "creator": user(state, &status.creator),
        "description": status.description,
        "environment": of.environment,
        "target_url": status.log_url,
        "log_url": status.log_url,
        "environment_url": status.environment_url,
        "created_at": time(status.at),
        "updated_at": time(status.at),
        "deployment_url": url,
        "repository_url": place,
        "performed_via_github_app": null,
    })
}

/// Returns the JSON of a release.
pub(crate) fn release(state: &State, repo: &Repo, of: &Release) -> Value {
    let place = format!("{}/repos/{}", state.api, repo.full_name());
    let web = format!("{}/{}", state.api, repo.full_name());
    let url = format!("{place}/releases/{}", of.id);
    let tag = super::escape(&of.tag);
    // A draft has no tag yet, so its page and its archives have other addresses.
    let page =
        if of.draft { format!("{web}/releases/tag/untagged-{:x}", of.id) } else { format!("{web}/releases/tag/{tag}") };
    let archive = |kind: &str| (!of.draft).then(|| format!("{place}/{kind}/{tag}"));
    json!({
        "url": url,
        "assets_url": format!("{url}/assets"),
        "upload_url": format!("{url}/assets{{?name,label}}"),
        "html_url": page,
        "id": of.id,
        "node_id": node("RE_kwDO", of.id),
        "author": user(state, &of.author),
        "tag_name": of.tag,
        "target_commitish": of.target,
        "name": of.name,
        "draft": of.draft,
        "immutable": false,
        "prerelease": of.prerelease,
        "created_at": time(of.created_at),
        "updated_at": time(of.published_at.unwrap_or(of.created_at)),
        "published_at": of.published_at.map(time),
        "assets": [],
        "tarball_url": archive("tarball"),
        "zipball_url": archive("zipball"),
        "body": of.body,
    })
}
