//! One request to the simulated PlanetScale, and its answer.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State as Shares,
    http::{HeaderMap, Method, Response, StatusCode, Uri, header},
    response::IntoResponse,
};
use jiff::SignedDuration;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{DATABASE, DeployRequest, ORGANIZATION, State, TOKEN, TOKEN_ID, shape};
use crate::{exchange::Exchange, fault::FaultKind, server};

/// Path of the database.
const ROOT: &str = "/organizations/{organization}/databases/{database}";
/// Time for which a change can be reverted.
const REVERTIBLE_FOR: SignedDuration = SignedDuration::from_mins(30);

type Shared = Arc<Mutex<State>>;
type Answer = (u16, Value);

pub(super) async fn serve(listener: TcpListener, state: Shared) {
    server::serve_router(listener, Router::new().fallback(answer).with_state(state)).await;
}

async fn answer(
    Shares(shared): Shares<Shared>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response<Body>, Infallible> {
    let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (said, fault) = exchange(&shared, &method, &uri, token, &body);
    let Some((status, body)) = said else {
        if fault == Some(FaultKind::Timeout) {
            std::future::pending::<()>().await;
        }
        return Ok(server::closing());
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, axum::Json(body)).into_response();
    if let Some(FaultKind::RateLimit429 { retry_after }) = fault {
        response.headers_mut().insert(header::RETRY_AFTER, retry_after.as_secs().into());
    }
    Ok(response)
}

/// Carries a request out, unless a fault prevents that, and records it. Returns the answer, if there
/// is to be one, and the fault.
fn exchange(
    shared: &Shared,
    method: &Method,
    uri: &Uri,
    token: &str,
    body: &[u8],
) -> (Option<Answer>, Option<FaultKind>) {
    let mut state = shared.lock().unwrap_or_else(PoisonError::into_inner);
    let (route, params) = route(uri.path());
    let query = pairs(uri.query().unwrap_or_default());
    let fault = state.faults.take(method.as_str(), &route, uri.path());
    let carries_out = fault.is_none_or(FaultKind::applies);
    let result = carries_out.then(|| dispatch(&mut state, method.as_str(), &route, &params, &query, token));
    let said = match (fault, result) {
        (None, Some(result)) => Some(result),
        (Some(FaultKind::Status502Before | FaultKind::Status502AfterApply), _) => {
            Some((502, json!({ "message": "Bad Gateway" })))
        }
        (Some(FaultKind::RateLimit429 { .. }), _) => Some((429, json!({ "message": "Too many requests" }))),
        (Some(FaultKind::Refused { status, message }), _) => Some((status, json!({ "message": message }))),
        (Some(_), _) | (None, None) => None,
    };
    let exchange = Exchange {
        at: state.clock.now(),
        method: method.as_str().to_owned(),
        route,
        path: uri.path().to_owned(),
        params,
        query,
        installation: None,
        request: serde_json::from_slice(body).ok(),
        status: said.as_ref().map(|(status, _)| *status),
        response: said.as_ref().map(|(_, body)| body.clone()),
        fault,
    };
    state.exchanges.push(exchange);
    (said, fault)
}

/// Returns the route's template as in PlanetScale's description, and its parameters.
fn route(path: &str) -> (String, Vec<(String, String)>) {
    let parts: Vec<String> = path
        .trim_start_matches("/v1")
        .split('/')
        .skip(1)
        .map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned())
        .collect();
    let ["organizations", organization, "databases", database, rest @ ..] =
        &parts.iter().map(String::as_str).collect::<Vec<_>>()[..]
    else {
        return (String::new(), Vec::new());
    };
    let mut params =
        vec![("organization".to_owned(), (*organization).to_owned()), ("database".to_owned(), (*database).to_owned())];
    let mut template = ROOT.to_owned();
    for part in rest {
        let is_number = part.bytes().all(|b| b.is_ascii_digit());
        if is_number {
            params.push(("number".to_owned(), (*part).to_owned()));
        }
        template = format!("{template}/{}", if is_number { "{number}" } else { part });
    }
    (template, params)
}

fn pairs(query: &str) -> Vec<(String, String)> {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let parts = query.split('&').filter(|part| !part.is_empty());
    parts.filter_map(|part| part.split_once('=')).map(|(name, value)| (decoded(name), decoded(value))).collect()
}

fn value<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

fn dispatch(
    state: &mut State,
    method: &str,
    route: &str,
    params: &[(String, String)],
    query: &[(String, String)],
    token: &str,
) -> Answer {
    let not_found = || (404, json!({ "code": "not_found", "message": "Not Found" }));
    if token != format!("{TOKEN_ID}:{TOKEN}") {
        return (401, json!({ "code": "unauthorized", "message": "The access token does not exist" }));
    }
    if value(params, "organization") != Some(ORGANIZATION) || value(params, "database") != Some(DATABASE) {
        return not_found();
    }
    let number = |name: &str| value(query, name).and_then(|text| text.parse().ok());
    let (page, per_page) = (number("page").unwrap_or(1), number("per_page").unwrap_or(25));
    let rest = route.strip_prefix(ROOT).unwrap_or_default();
    // A right that is missing looks like something that is missing.
    let right = match (method, rest) {
        ("GET", "" | "/webhooks") => "read_database",
        ("GET", _) => "read_deploy_request",
        _ => "create_deploy_request",
    };
    if !state.rights.contains(&right) {
        return not_found();
    }
    let chosen = value(params, "number").and_then(|text| text.parse::<u64>().ok());
    match (method, rest) {
        ("GET", "") => (200, shape::database(state)),
        ("GET", "/webhooks") => {
            let all = state.webhooks.iter().enumerate().map(|(nth, hook)| shape::webhook(state, nth, hook)).collect();
            (200, shape::page(all, page, per_page))
        }
        ("GET", "/deploy-requests") => {
            let is_meant = |request: &&DeployRequest| {
                value(query, "into_branch").is_none_or(|into| into == request.into)
                    && value(query, "state").is_none_or(|wanted| wanted != "open" || !request.closed)
            };
            let newest = state.requests.values().rev().filter(is_meant);
            let all = newest.map(|request| shape::deploy_request(state, request)).collect();
            (200, shape::page(all, page, per_page))
        }
        (_, rest) => {
            let Some(number) = chosen.filter(|number| state.requests.contains_key(number)) else { return not_found() };
            let change = match (method, rest.strip_prefix("/deploy-requests/{number}")) {
                ("GET", Some("")) => Ok(()),
                ("POST", Some("/deploy")) => deploy(state, number),
                ("POST", Some("/apply-deploy")) => apply(state, number),
                ("POST", Some("/revert")) => revert(state, number),
                _ => return not_found(),
            };
            match change {
                Ok(()) => (200, state.requests.get(&number).map_or(Value::Null, |it| shape::deploy_request(state, it))),
                Err(why) => (422, json!({ "code": "unprocessable", "message": why })),
            }
        }
    }
}

fn deploy(state: &mut State, number: u64) -> Result<(), &'static str> {
    let (now, needs_approval, at_once) = (state.clock.now(), state.needs_approval, state.at_once);
    let request = state.requests.get_mut(&number).ok_or("there is none")?;
    if request.state != "ready" || !request.lint.is_empty() || (needs_approval && !request.approved) {
        return Err("Deploy request cannot be deployed");
    }
    "queued".clone_into(&mut request.state);
    request.deployed += 1;
    if at_once {
        "complete_pending_revert".clone_into(&mut request.state);
        request.revertible_until = now.checked_add(REVERTIBLE_FOR).ok();
    }
    request.updated_at = now;
    Ok(())
}

fn apply(state: &mut State, number: u64) -> Result<(), &'static str> {
    let now = state.clock.now();
    let request = state.requests.get_mut(&number).ok_or("there is none")?;
    if request.state != "pending_cutover" {
        return Err("Deploy request is not waiting for its cutover");
    }
    "in_progress_cutover".clone_into(&mut request.state);
    request.revertible_until = now.checked_add(REVERTIBLE_FOR).ok();
    request.updated_at = now;
    Ok(())
}

fn revert(state: &mut State, number: u64) -> Result<(), &'static str> {
    let now = state.clock.now();
    let request = state.requests.get_mut(&number).ok_or("there is none")?;
    if request.state != "complete_pending_revert" || request.revertible_until.is_none_or(|until| until <= now) {
        return Err("Deploy request can no longer be reverted");
    }
    "in_progress_revert".clone_into(&mut request.state);
    request.updated_at = now;
    Ok(())
}
