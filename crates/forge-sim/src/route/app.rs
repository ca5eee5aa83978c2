//! The App itself: its description, installations, tokens and deliveries.

use std::collections::BTreeSet;

use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::{
    super::{delivery::Attempt, registration::client_id, shape, state::State},
    Auth, Call, Reply, Route,
};

pub(super) const ROUTES: &[Route] = &[
    Route::open("POST", "/app-manifests/{code}/conversions", convert),
    Route::app("GET", "/app", app),
    Route::app("GET", "/app/hook/config", hook_config),
    Route::app("GET", "/app/installations", installations),
    Route::app("GET", "/app/installations/{installation_id}", installation),
    Route::app("POST", "/app/installations/{installation_id}/access_tokens", token),
    Route::app("GET", "/app/hook/deliveries", deliveries),
    Route::app("GET", "/app/hook/deliveries/{delivery_id}", delivery),
    Route::app("POST", "/app/hook/deliveries/{delivery_id}/attempts", redeliver),
    Route { auth: Auth::App, ..Route::new("GET", "/repos/{owner}/{repo}/installation", &[], repo_installation) },
    Route::new("GET", "/installation/repositories", &["metadata:read"], repositories),
    Route::new("GET", "/rate_limit", &[], rate_limit),
];

fn app(state: &mut State, _: &Call) -> Result<Reply, Reply> {
    let mut shown = shape::integration(state, &state.app.slug);
    shown["installations_count"] = state.installations.len().into();
    Ok(Reply::ok(shown))
}

/// Exchanges the code from the browser for the App's credentials.
fn convert(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let made = state.convert(call.param("code"))?;
    let mut shown = shape::integration(state, &state.app.slug);
    shown["client_id"] = client_id(state.app.id).into();
    shown["client_secret"] = made.client_secret.into();
    shown["webhook_secret"] = state.app.hook.secret.expose_secret().into();
    shown["pem"] = made.private_key.into();
    Ok(Reply::created(shown))
}

/// Returns the webhook's configuration. GitHub never returns the secret: it shows stars instead.
fn hook_config(state: &mut State, _: &Call) -> Result<Reply, Reply> {
    let mut shown = json!({ "content_type": "json", "insecure_ssl": "0" });
    if let Some(url) = &state.app.hook.url {
        shown["url"] = url.clone().into();
    }
    if !state.app.hook.secret.expose_secret().is_empty() {
        shown["secret"] = "********".into();
    }
    Ok(Reply::ok(shown))
}

fn installations(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let all = state.installations.values().map(|i| shape::installation(state, i)).collect();
    Ok(Reply::page(&state.api, call, all))
}

fn installation(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let id = call.number("installation_id")?;
    let found = state.installations.get(&id).ok_or_else(Reply::not_found)?;
    Ok(Reply::ok(shape::installation(state, found)))
}

fn repo_installation(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let found = state.installation_of(call.repo).ok_or_else(Reply::not_found)?;
    Ok(Reply::ok(shape::installation(state, found)))
}

fn token(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let id = call.number("installation_id")?;
    let of = state.installations.get(&id).ok_or_else(Reply::not_found)?;
    let (repos, permissions) = (of.repos.clone(), of.permissions.clone());
    let only = narrowed(state, call, &repos)?;
    let (text, expires_at) = state.new_token(id, only.clone());
    let shown_repos: Option<Vec<Value>> = only
        .as_ref()
        .map(|only| only.iter().filter_map(|r| state.repos.get(r)).map(|r| shape::repository(state, r)).collect());
    let mut shown = json!({
        "token": text,
        "expires_at": shape::time(expires_at),
        "permissions": permissions,
        "repository_selection": "selected",
    });
    if let Some(repos) = shown_repos {
        shown["repositories"] = repos.into();
    }
    Ok(Reply::created(shown))
}

/// Returns the repositories for which a token is requested, all of which must be the
/// installation's.
fn narrowed(state: &State, call: &Call, of: &BTreeSet<u64>) -> Result<Option<BTreeSet<u64>>, Reply> {
    let unknown = || {
        Reply::invalid_message(
            "There is at least one repository that does not exist or is not accessible to the parent installation.",
        )
    };
    let by_id = call.body.get("repository_ids").and_then(Value::as_array);
    let by_name = call.body.get("repositories").and_then(Value::as_array);
    if by_id.is_none() && by_name.is_none() {
        return Ok(None);
    }
    let mut only = BTreeSet::new();
    for id in by_id.into_iter().flatten() {
        only.insert(id.as_u64().filter(|id| of.contains(id)).ok_or_else(unknown)?);
    }
    for name in by_name.into_iter().flatten().map(|n| n.as_str().unwrap_or("")) {
        let found = of.iter().find(|r| state.repos.get(r).is_some_and(|r| r.name.eq_ignore_ascii_case(name)));
        only.insert(*found.ok_or_else(unknown)?);
    }
    Ok(Some(only))
}

fn repositories(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let repos = state.installations.get(&call.installation).map(|i| i.repos.clone()).unwrap_or_default();
    let all = repos.iter().filter_map(|r| state.repos.get(r)).map(|r| shape::repository(state, r)).collect();
    Ok(Reply::page_of(&state.api, call, "repositories", all))
}

fn rate_limit(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let standing = state.limits.standing(call.installation, state.clock.now());
    let core = json!({
        "limit": super::super::limits::HOURLY,
        "used": standing.used,
        "remaining": standing.remaining,
        "reset": standing.reset.as_second(),
    });
    Ok(Reply::ok(json!({ "resources": { "core": core, "search": core, "graphql": core }, "rate": core })))
}

fn shown(attempt: &Attempt) -> Value {
    let delivery = &attempt.delivery;
    json!({
        "id": attempt.id,
        "guid": delivery.guid,
        "delivered_at": shape::time(attempt.at),
        "redelivery": delivery.redelivery,
        "duration": 0.05,
        "status": attempt.verdict(),
        "status_code": attempt.status,
        "event": delivery.event,
        "action": delivery.action,
        "installation_id": delivery.installation,
        "repository_id": delivery.repository,
        "throttled_at": null,
    })
}

/// Lists deliveries, newest first, with a cursor for each page.
fn deliveries(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let per_page = call.query("per_page").and_then(|v| v.parse().ok()).unwrap_or(30_usize).clamp(1, 100);
    let before = match call.query("cursor") {
        Some(cursor) => cursor.strip_prefix("v1_").and_then(|c| c.parse().ok()).ok_or_else(Reply::bad_request)?,
        None => u64::MAX,
    };
    let mut found = state.attempts.iter().rev().filter(|a| a.id < before);
    let page: Vec<&Attempt> = found.by_ref().take(per_page).collect();
    let mut reply = Reply::ok(page.iter().map(|a| shown(a)).collect());
    if let (Some(last), true) = (page.last(), found.next().is_some()) {
        let to = format!("<{}/app/hook/deliveries?per_page={per_page}&cursor=v1_{}>; rel=\"next\"", state.api, last.id);
        reply.headers.push(("link", to));
    }
    Ok(reply)
}

fn delivery(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let id = call.number("delivery_id")?;
    let attempt = state.attempts.iter().find(|a| a.id == id).ok_or_else(Reply::not_found)?;
    let mut out = shown(attempt);
    let headers = json!({
        "content-type": "application/json",
        "X-GitHub-Delivery": attempt.delivery.guid,
        "X-GitHub-Event": attempt.delivery.event,
        "X-GitHub-Hook-ID": state.app.hook_id.to_string(),
    });
    out["url"] = "".into();
    out["request"] = json!({ "headers": headers, "payload": attempt.delivery.payload });
    out["response"] = json!({ "headers": {}, "payload": "" });
    Ok(Reply::ok(out))
}

fn redeliver(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let id = call.number("delivery_id")?;
    let found = state.attempts.iter().find(|a| a.id == id).map(|a| a.delivery.clone());
    let mut again = found.ok_or_else(Reply::not_found)?;
    again.redelivery = true;
    state.outgoing.push_back(again);
    Ok(Reply::accepted())
}
