//! Rules that enforce gates: rulesets, and the protection rules of environments.

use serde_json::{Value, json};

use super::{
    super::{shape, state::State},
    Call, Reply, Route,
};

pub(super) const ROUTES: &[Route] = &[
    Route::new("GET", "/repos/{owner}/{repo}/rulesets", &["metadata:read"], rulesets),
    Route::new("GET", "/repos/{owner}/{repo}/rulesets/{ruleset_id}", &["metadata:read"], ruleset),
    Route::new(
        "GET",
        "/repos/{owner}/{repo}/environments/{environment_name}/deployment_protection_rules",
        &["actions:read"],
        protection,
    ),
];

/// Lists rulesets, without their rules and conditions.
fn rulesets(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let repo = state.repo(call.repo)?;
    let targets = call.query("targets").unwrap_or("");
    let wanted = |set: &&Value| targets.is_empty() || targets.split(',').any(|target| set["target"] == target);
    let brief = |set: &Value| {
        let mut shown = set.clone();
        if let Value::Object(fields) = &mut shown {
            fields.remove("rules");
            fields.remove("conditions");
        }
        shown
    };
    let all = repo.rulesets.iter().filter(wanted).map(brief).collect();
    Ok(Reply::page(&state.api, call, all))
}

/// Returns a ruleset. It does not list who may bypass it: GitHub shows that only to those who may
/// change the ruleset.
fn ruleset(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let id = call.number("ruleset_id")?;
    let repo = state.repo(call.repo)?;
    let found = repo.rulesets.iter().find(|set| set["id"] == id).ok_or_else(Reply::not_found)?;
    Ok(Reply::ok(found.clone()))
}

fn protection(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let repo = state.repo(call.repo)?;
    let apps = repo.environments.get(call.param("environment_name")).ok_or_else(Reply::not_found)?;
    let rules: Vec<Value> = apps
        .iter()
        .map(|slug| {
            let app = shape::integration(state, slug);
            json!({
                "id": app["id"],
                "node_id": shape::node("GR_kwDO", app["id"].as_u64().unwrap_or(0)),
                "enabled": true,
                "app": {
                    "id": app["id"],
                    "slug": slug,
                    "integration_url": format!("{}/apps/{slug}", state.api),
                    "node_id": app["node_id"],
                },
            })
        })
        .collect();
    Ok(Reply::ok(json!({ "total_count": rules.len(), "custom_deployment_protection_rules": rules })))
}
