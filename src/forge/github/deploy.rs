//! Deployments and their statuses.

use std::collections::BTreeMap;

use http::{Method, StatusCode};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    domain::{
        effect::{ForgeResult, RefGuard},
        event::DeployState,
        id::Sha,
    },
    forge::github::{own_account::Identity, path, ref_guard, repo::Repo},
    port::forge::{Applied, ApplyContext, ForgeError},
};

/// Maximum number of pages searched for our deployment, among an environment's deployments of one
/// commit.
const MAX_PAGES: usize = 3;
/// GitHub's limit for the description of a deployment or status, in characters.
const MAX_DESCRIPTION: usize = 140;
/// Key of our request id in a deployment's payload.
const REQUEST: &str = "phasebot_request";

/// A deployment to create.
pub(super) struct Deployment<'a> {
    pub(super) request: &'a str,
    pub(super) environment: &'a str,
    pub(super) production: Option<bool>,
    pub(super) transient: bool,
    pub(super) sha: &'a Sha,
    pub(super) watched: &'a RefGuard,
    pub(super) inputs: &'a BTreeMap<String, String>,
    pub(super) description: &'a str,
}

#[derive(Deserialize)]
struct Made {
    id: u64,
    sha: Sha,
    created_at: Option<Timestamp>,
    #[serde(default)]
    payload: Value,
    creator: Option<Creator>,
}

#[derive(Deserialize)]
struct Creator {
    login: String,
}

impl Made {
    fn applied(&self) -> Applied {
        let result = ForgeResult::Deployed { deployment: self.id, sha: self.sha.clone(), at: self.created_at };
        Applied { made: Some(self.id.to_string()), result: Some(result), ..Applied::default() }
    }
}

/// Creates a deployment of a commit. By default GitHub would merge the default branch into it and
/// wait for every check, including ours; both are turned off.
pub(super) async fn create(
    repo: &mut Repo<'_>,
    identity: &Identity,
    context: &ApplyContext,
    deployment: &Deployment<'_>,
) -> Result<Applied, ForgeError> {
    if context.in_doubt
        && let Some(found) = find(repo, identity, deployment).await?
    {
        return Ok(found.applied());
    }
    if context.look_only {
        return Ok(Applied { result: Some(ForgeResult::NotFound), ..Applied::default() });
    }
    if let Some(result) = ref_guard::moved(repo, deployment.sha, deployment.watched).await? {
        return Ok(Applied { result: Some(result), ..Applied::default() });
    }
    let mut body = json!({
        "ref": deployment.sha,
        "task": "deploy",
        "auto_merge": false,
        "required_contexts": [],
        "environment": deployment.environment,
        "description": cut(deployment.description, MAX_DESCRIPTION),
        "payload": {
            REQUEST: deployment.request,
            "phasebot_sha": deployment.sha,
            "phasebot_environment": deployment.environment,
            "inputs": deployment.inputs,
        },
    });
    if deployment.transient {
        body["transient_environment"] = json!(true);
    }
    if let Some(production) = deployment.production {
        body["production_environment"] = json!(production);
    }
    let reply =
        match repo.send(Method::POST, "POST /repos/{owner}/{repo}/deployments", "/deployments", Some(body)).await {
            Ok(reply) => reply,
            Err(failure) if failure.status == Some(StatusCode::CONFLICT) => {
                return Ok(not_started(format!("GitHub makes no deployment of this commit: {}", failure.message)));
            }
            Err(failure) => return Err(failure.into()),
        };
    if let Some(made) = reply.made::<Made>() {
        return Ok(made.applied());
    }
    // 202: GitHub did something else instead and created no deployment.
    match reply.made::<Value>() {
        Some(_) => Ok(not_started("GitHub accepted the request and made no deployment".to_owned())),
        None => Err(ForgeError::Doubt("the answer to a new deployment broke off".to_owned())),
    }
}

fn not_started(why: String) -> Applied {
    Applied { result: Some(ForgeResult::NotStarted(why)), ..Applied::default() }
}

/// Returns the deployment that we created with this request id. Reads several pages, because others
/// deploy the same commit, too.
async fn find(
    repo: &mut Repo<'_>,
    identity: &Identity,
    deployment: &Deployment<'_>,
) -> Result<Option<Made>, ForgeError> {
    let me = identity.actor(repo.client).await?;
    let tail =
        format!("/deployments?sha={}&environment={}&task=deploy", deployment.sha, path::value(deployment.environment));
    let (all, _) = repo.list::<Made>("GET /repos/{owner}/{repo}/deployments", &tail, MAX_PAGES).await?;
    Ok(all.into_iter().find(|made| {
        payload_has(&made.payload, REQUEST, deployment.request)
            && made.creator.as_ref().is_some_and(|c| me.is_called(&c.login))
    }))
}

/// Returns whether a payload contains an id of ours under a key. GitHub may return the payload as an
/// object or as JSON text.
pub(super) fn payload_has(payload: &Value, key: &str, id: &str) -> bool {
    match payload {
        Value::String(text) => {
            serde_json::from_str::<Value>(text).is_ok_and(|inner| inner.is_object() && payload_has(&inner, key, id))
        }
        object => object.get(key).and_then(Value::as_str) == Some(id),
    }
}

/// Sets the status of a deployment.
pub(super) async fn set_status(
    repo: &mut Repo<'_>,
    deployment: u64,
    state: DeployState,
    description: &str,
    log: Option<&str>,
) -> Result<Applied, ForgeError> {
    let state = match state {
        DeployState::Waiting => "queued",
        DeployState::InProgress => "in_progress",
        DeployState::Success => "success",
        DeployState::Failure => "failure",
        DeployState::Inactive => "inactive",
    };
    let mut body = json!({ "state": state, "description": cut(description, MAX_DESCRIPTION) });
    if let Some(log) = log {
        body["log_url"] = json!(log);
    }
    let route = "POST /repos/{owner}/{repo}/deployments/{deployment_id}/statuses";
    repo.send(Method::POST, route, &format!("/deployments/{deployment}/statuses"), Some(body)).await?;
    Ok(Applied { made: Some(deployment.to_string()), ..Applied::default() })
}

fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_id_is_known_in_both_forms() {
        let carries = |payload: &Value| payload_has(payload, REQUEST, "r1");
        assert!(carries(&json!({ "phasebot_request": "r1" })));
        assert!(carries(&json!("{\"phasebot_request\":\"r1\"}")));
        for payload in [json!({ "phasebot_request": "r2" }), json!("r1"), json!("\"r1\""), json!(null), json!(["r1"])] {
            assert!(!carries(&payload), "{payload}");
        }
    }
}
