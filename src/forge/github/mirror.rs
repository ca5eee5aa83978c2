//! Deployments of GitHub that show what another system deployed.

use http::Method;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    domain::{effect::ForgeResult, id::Sha},
    forge::github::{deploy, own_account::Identity, path, repo::Repo},
    port::forge::{Applied, ApplyContext, ForgeError},
};

/// Task of such a deployment. Workflows that deploy on GitHub's event look at the task `deploy`, and
/// decoding drops what has this one.
pub(super) const TASK: &str = "phasebot:report";

/// Maximum number of pages searched for ours, among those of one commit and environment.
const MAX_PAGES: usize = 3;
/// Key of our id in its payload.
const EXTERNAL: &str = "phasebot_external";

/// A deployment to show.
pub(super) struct Mirror<'a> {
    pub(super) external: u64,
    pub(super) look_first: bool,
    pub(super) environment: &'a str,
    pub(super) production: Option<bool>,
    pub(super) sha: &'a Sha,
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

/// Creates the deployment, without a status: a status is another request, which may fail alone.
pub(super) async fn create(
    repo: &mut Repo<'_>,
    identity: &Identity,
    context: &ApplyContext,
    it: &Mirror<'_>,
) -> Result<Applied, ForgeError> {
    if (context.in_doubt || it.look_first)
        && let Some(found) = find(repo, identity, it).await?
    {
        return Ok(found.applied());
    }
    if context.look_only {
        return Ok(Applied { result: Some(ForgeResult::NotFound), ..Applied::default() });
    }
    let mut body = json!({
        "ref": it.sha,
        "task": TASK,
        "auto_merge": false,
        "required_contexts": [],
        "environment": it.environment,
        "description": it.description,
        "payload": { EXTERNAL: it.external.to_string() },
    });
    if let Some(production) = it.production {
        body["production_environment"] = json!(production);
    }
    let reply = repo.send(Method::POST, "POST /repos/{owner}/{repo}/deployments", "/deployments", Some(body)).await?;
    match reply.made::<Made>() {
        Some(made) => Ok(made.applied()),
        None => Err(ForgeError::Doubt("the answer to a new deployment broke off".to_owned())),
    }
}

/// Returns the deployment that we created for this one.
async fn find(repo: &mut Repo<'_>, identity: &Identity, it: &Mirror<'_>) -> Result<Option<Made>, ForgeError> {
    let me = identity.actor(repo.client).await?;
    let (environment, task) = (path::value(it.environment), path::value(TASK));
    let tail = format!("/deployments?sha={}&environment={environment}&task={task}", it.sha);
    let (all, _) = repo.list::<Made>("GET /repos/{owner}/{repo}/deployments", &tail, MAX_PAGES).await?;
    let is_ours = |made: &Made| {
        let by_us = made.creator.as_ref().is_some_and(|creator| me.is_called(&creator.login));
        by_us && deploy::payload_has(&made.payload, EXTERNAL, &it.external.to_string())
    };
    Ok(all.into_iter().find(is_ours))
}
