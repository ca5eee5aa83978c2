//! Reads the checks that a branch requires, from its rulesets and from classic branch protection.
//!
//! The endpoint for classic protection requires administration access. The branch itself also
//! contains the required checks, and reading it takes only access to the contents
//! (<https://docs.github.com/rest/branches/branches#get-a-branch>).

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use crate::{
    domain::{event::CheckSource, needs::RequiredCheck},
    forge::github::{path, repo::Repo},
    port::forge::ForgeError,
};

/// Maximum number of pages of a branch's rules, at 100 rules each.
const MAX_PAGES: usize = 10;

/// Returns all checks that a branch requires. Anything unreadable is an error, because a part of
/// the rules would look like all of them.
pub(super) async fn checks(repo: &mut Repo<'_>, branch: &str) -> Result<BTreeSet<RequiredCheck>, ForgeError> {
    let mut required: BTreeSet<RequiredCheck> = by_rulesets(repo, branch).await?.into_iter().collect();
    required.extend(by_protection(repo, branch).await?);
    // If several rules require the same check, those that name an App are stricter.
    let bound: BTreeSet<String> = required.iter().filter(|c| c.source.is_some()).map(|c| c.name.clone()).collect();
    required.retain(|check| check.source.is_some() || !bound.contains(&check.name));
    Ok(required)
}

async fn by_rulesets(repo: &mut Repo<'_>, branch: &str) -> Result<Vec<RequiredCheck>, ForgeError> {
    #[derive(Deserialize)]
    struct Rule {
        #[serde(rename = "type")]
        kind: String,
        parameters: Option<Value>,
    }
    let tail = format!("/rules/branches/{}", path::segment(branch)?);
    let (rules, all) = repo.list::<Rule>("GET /repos/{owner}/{repo}/rules/branches/{branch}", &tail, MAX_PAGES).await?;
    if !all {
        return Err(ForgeError::Permanent("more rules than can be read".to_owned()));
    }
    let mut required = Vec::new();
    for rule in rules.iter().filter(|rule| rule.kind == "required_status_checks") {
        let list = rule.parameters.as_ref().and_then(|parameters| parameters.get("required_status_checks")?.as_array());
        for check in list.ok_or_else(unreadable)? {
            let name = check.get("context").and_then(Value::as_str).ok_or_else(unreadable)?;
            let source = check.get("integration_id").and_then(Value::as_u64).map(CheckSource);
            required.push(RequiredCheck { name: name.to_owned(), source });
        }
    }
    Ok(required)
}

/// Error for a malformed rule, which could require anything.
fn unreadable() -> ForgeError {
    ForgeError::Permanent("a rule about required checks makes no sense".to_owned())
}

async fn by_protection(repo: &mut Repo<'_>, branch: &str) -> Result<Vec<RequiredCheck>, ForgeError> {
    #[derive(Deserialize)]
    struct Branch {
        protected: bool,
        protection: Option<Protection>,
    }
    #[derive(Deserialize)]
    struct Protection {
        required_status_checks: Option<Checks>,
    }
    #[derive(Deserialize)]
    struct Checks {
        #[serde(default)]
        contexts: Vec<String>,
        #[serde(default)]
        checks: Vec<Check>,
    }
    /// `app_id` is null or -1 if any App may report the check.
    #[derive(Deserialize)]
    struct Check {
        context: String,
        app_id: Option<i64>,
    }
    let tail = format!("/branches/{}", path::segment(branch)?);
    let found: Branch = match repo.get("GET /repos/{owner}/{repo}/branches/{branch}", &tail).await {
        Ok(reply) => reply.json()?,
        Err(failure) => match failure.error {
            // A branch that does not exist requires nothing.
            ForgeError::NotFound(_) => return Ok(Vec::new()),
            other => return Err(other),
        },
    };
    let checks = match found.protection {
        Some(protection) => protection.required_status_checks,
        None if found.protected => {
            return Err(ForgeError::Permanent("GitHub does not show what the branch's protection requires".to_owned()));
        }
        None => None,
    };
    let Some(Checks { contexts, checks }) = checks else { return Ok(Vec::new()) };
    let bound = checks.into_iter().map(|check| {
        let source = check.app_id.and_then(|app| u64::try_from(app).ok()).map(CheckSource);
        RequiredCheck { name: check.context, source }
    });
    Ok(bound.chain(contexts.into_iter().map(|name| RequiredCheck { name, source: None })).collect())
}
