//! Answers jobs that wait for our deployment protection rule.

use http::Method;
use serde_json::json;

use crate::{
    forge::github::repo::Repo,
    port::forge::{Applied, ForgeError},
};

/// GitHub's limit for a comment, in characters.
const MAX_COMMENT: usize = 1024;

/// Approves or rejects a deployment, or only reports. Builds the address from our own settings and
/// never calls the payload's callback address.
pub(super) async fn answer(
    repo: &mut Repo<'_>,
    run: u64,
    environment: &str,
    approve: Option<bool>,
    comment: &str,
) -> Result<Applied, ForgeError> {
    let comment: String = comment.chars().take(MAX_COMMENT).collect();
    let mut body = json!({ "environment_name": environment, "comment": comment });
    if let Some(approve) = approve {
        body["state"] = json!(if approve { "approved" } else { "rejected" });
    }
    let route = "POST /repos/{owner}/{repo}/actions/runs/{run_id}/deployment_protection_rule";
    match repo.send(Method::POST, route, &format!("/actions/runs/{run}/deployment_protection_rule"), Some(body)).await {
        Ok(_) => Ok(Applied { made: Some(run.to_string()), ..Applied::default() }),
        // GitHub may deliver the request before it can accept the answer; a retry succeeds.
        Err(failure) if failure.says(422, "nothing to approve") || failure.says(422, "no pending") => {
            Err(ForgeError::Transient(failure.error.to_string()))
        }
        Err(failure) => Err(failure.into()),
    }
}
