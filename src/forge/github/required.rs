//! Which checks a branch requires: by its rulesets, and by classic branch
//! protection.
//!
//! The page of classic protection takes administration rights. What it
//! requires of checks is also part of the branch itself, which whoever may
//! read the contents may read
//! (<https://docs.github.com/rest/branches/branches#get-a-branch>).

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use crate::{
    domain::needs::RequiredCheck,
    forge::github::{path, repo::Repo},
    port::forge::ForgeError,
};

/// Pages of a branch's rules, at 100 each.
const MAX_PAGES: usize = 10;

/// Everything that is required of a branch. What can't be read is an error:
/// part of the rules would pass for all of them.
pub(super) async fn checks(repo: &mut Repo<'_>, branch: &str) -> Result<BTreeSet<RequiredCheck>, ForgeError> {
    let mut required: BTreeSet<RequiredCheck> = by_rulesets(repo, branch).await?.into_iter().collect();
    required.extend(by_protection(repo, branch).await?);
    // Where several rules name one check, those that name an App are the stricter.
    let bound: BTreeSet<String> = required.iter().filter(|c| c.app.is_some()).map(|c| c.name.clone()).collect();
    required.retain(|check| check.app.is_some() || !bound.contains(&check.name));
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
            let app = check.get("integration_id").and_then(Value::as_u64);
            required.push(RequiredCheck { name: name.to_owned(), app });
        }
    }
    Ok(required)
}

/// A rule that is not understood may require anything.
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
    /// `app_id` is null or -1 where any App may report.
    #[derive(Deserialize)]
    struct Check {
        context: String,
        app_id: Option<i64>,
    }
    let tail = format!("/branches/{}", path::segment(branch)?);
    let found: Branch = match repo.get("GET /repos/{owner}/{repo}/branches/{branch}", &tail).await {
        Ok(reply) => reply.json()?,
        Err(failure) => match failure.error {
            // A branch that is gone protects nothing.
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
        let app = check.app_id.and_then(|app| u64::try_from(app).ok());
        RequiredCheck { name: check.context, app }
    });
    Ok(bound.chain(contexts.into_iter().map(|name| RequiredCheck { name, app: None })).collect())
}
