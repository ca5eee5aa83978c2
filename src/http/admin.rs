//! The private address: `GET /metrics`, and `/admin` for operators.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, Query, Request, State},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use http::{StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    http::{ServerState, answer::Problem},
    port::{
        operate::Operate,
        store::{DeliveryFilter, DeliveryState, Seq, Store, StoreError},
    },
    telemetry::LogLevel,
};

/// Content type of Prometheus' text format, version 0.0.4.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Maximum length of an operator's reason, in characters.
const LONGEST_REASON: usize = 500;
/// Maximum deliveries in a list.
const LONGEST_LIST: usize = 10_000;

/// Dependencies of the operators' routes.
pub struct Admin {
    /// The inbox.
    pub store: Arc<dyn Store>,
    /// The controls that operators may use.
    pub switches: Arc<dyn Operate>,
    /// Log filter, where it can be changed.
    pub log: Option<LogLevel>,
    /// Required bearer token; `None` requires none.
    pub token: Option<SecretString>,
    /// Host names of the private address, beside `localhost` and IP addresses; lower case.
    pub hosts: Vec<String>,
    /// Routes below `/api/v1`, if the web pages are served.
    pub api: Option<Router>,
}

/// Returns the operators' routes. Without an [`Admin`], the address serves metrics only.
pub(super) fn routes(state: &Arc<ServerState>) -> Router<Arc<ServerState>> {
    let Some(admin) = state.admin.clone() else { return Router::new() };
    let routes = Router::new();
    let routes = match &admin.api {
        Some(api) => routes.nest_service("/api/v1", api.clone()),
        None => routes,
    };
    routes
        .route("/admin/status", get(status).fallback(read_only))
        .route("/admin/deliveries", get(list_deliveries).fallback(read_only))
        .route("/admin/deliveries/{seq}", get(show_delivery).fallback(read_only))
        .route("/admin/deliveries/{seq}/replay", post(replay_delivery).fallback(post_only))
        .route("/admin/deliveries/{seq}/drop", post(drop_delivery).fallback(post_only))
        .route("/admin/pause", post(pause).fallback(post_only))
        .route("/admin/resume", post(resume).fallback(post_only))
        .route("/admin/log", put(log).fallback(put_only))
        .layer(from_fn_with_state(Arc::clone(&admin), guard))
        .with_state(admin)
}

async fn read_only() -> Problem {
    Problem::Method("GET, HEAD")
}

async fn post_only() -> Problem {
    Problem::Method("POST")
}

async fn put_only() -> Problem {
    Problem::Method("PUT")
}

/// Returns the metrics of the process.
pub(super) async fn metrics(State(state): State<Arc<ServerState>>) -> Response {
    ([(header::CONTENT_TYPE, TEXT_FORMAT)], state.metrics.render()).into_response()
}

/// Requires the token, if one is set, and refuses changes from web pages.
async fn guard(State(admin): State<Arc<Admin>>, request: Request, next: Next) -> Result<Response, Problem> {
    if let Some(token) = &admin.token {
        let shown = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let shown = shown.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
        // Comparing digests takes the same time for every token.
        if Sha256::digest(shown.trim()) != Sha256::digest(token.expose_secret()) {
            return Err(Problem::NoToken);
        }
    }
    // A page in a browser on this machine can post forms, but cannot remove this header.
    let changes = request.method() != http::Method::GET;
    if changes && request.headers().contains_key(header::ORIGIN) {
        return Err(Problem::NoToken);
    }
    Ok(next.run(request).await)
}

type Answer = Result<Json<Value>, Problem>;

fn failed(error: &StoreError) -> Problem {
    tracing::error!(%error, "an operator's request failed");
    Problem::Store
}

async fn status(State(admin): State<Arc<Admin>>) -> Answer {
    let paused = admin.switches.paused().await.map_err(|error| failed(&error))?;
    let stats = admin.store.stats().await.map_err(|error| failed(&error))?;
    Ok(Json(json!({
        "writing": if paused.is_some() { "paused" } else { "on" },
        "reason": paused,
        "log": admin.log.as_ref().map(LogLevel::now),
        "pending": stats.pending,
        "quarantined": stats.quarantined,
        "dead_deliveries": stats.dead_deliveries,
        "queued_effects": stats.queued_effects.iter().sum::<u64>(),
        "dead_effects": stats.dead_effects,
    })))
}

#[derive(Deserialize)]
struct Wanted {
    state: Option<String>,
    event: Option<String>,
    repository: Option<u64>,
    delivery: Option<String>,
    limit: Option<usize>,
}

async fn list_deliveries(State(admin): State<Arc<Admin>>, Query(wanted): Query<Wanted>) -> Answer {
    let state = match &wanted.state {
        Some(name) => Some(DeliveryState::from_name(name).ok_or(Problem::Wanted("state is not one of a delivery"))?),
        None => None,
    };
    let filter = DeliveryFilter {
        state,
        event: wanted.event,
        repo: wanted.repository,
        delivery: wanted.delivery,
        limit: wanted.limit.unwrap_or(50).clamp(1, LONGEST_LIST),
    };
    let rows = admin.store.deliveries(&filter).await.map_err(|error| failed(&error))?;
    Ok(Json(json!({ "deliveries": rows })))
}

async fn show_delivery(State(admin): State<Arc<Admin>>, Path(seq): Path<Seq>) -> Answer {
    let found = admin.store.delivery(seq).await.map_err(|error| failed(&error))?.ok_or(Problem::NotFound)?;
    let body: Value = serde_json::from_slice(&found.body)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&found.body).into_owned()));
    Ok(Json(json!({ "delivery": found.row, "body": body })))
}

async fn replay_delivery(State(admin): State<Arc<Admin>>, Path(seq): Path<Seq>) -> Answer {
    let done = admin.store.replay(seq).await.map_err(|error| failed(&error))?;
    if !done {
        return Err(Problem::NotFound);
    }
    admin.switches.poke();
    tracing::info!(seq, "an operator lets a delivery be decided again");
    Ok(Json(json!({ "status": "pending", "delivery": seq })))
}

#[derive(Deserialize)]
struct Reason {
    reason: String,
}

impl Reason {
    /// Returns the reason as one bounded line. An empty reason is an error.
    fn required_line(&self) -> Result<String, Problem> {
        let line: String =
            self.reason.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST_REASON).collect();
        if line.trim().is_empty() { Err(Problem::Wanted("say why: {\"reason\": \"…\"}")) } else { Ok(line) }
    }
}

async fn drop_delivery(State(admin): State<Arc<Admin>>, Path(seq): Path<Seq>, Json(why): Json<Reason>) -> Answer {
    let why = why.required_line()?;
    if !admin.store.drop_delivery(seq, &why).await.map_err(|error| failed(&error))? {
        return Err(Problem::NotFound);
    }
    tracing::info!(seq, why, "an operator dropped a delivery");
    Ok(Json(json!({ "status": "dropped", "delivery": seq })))
}

async fn pause(State(admin): State<Arc<Admin>>, Json(why): Json<Reason>) -> Answer {
    admin.switches.pause(&why.required_line()?).await.map_err(|error| failed(&error))?;
    Ok(Json(json!({ "writing": "paused" })))
}

async fn resume(State(admin): State<Arc<Admin>>) -> Answer {
    admin.switches.resume().await.map_err(|error| failed(&error))?;
    Ok(Json(json!({ "writing": "on" })))
}

#[derive(Deserialize)]
struct Filter {
    filter: String,
}

async fn log(State(admin): State<Arc<Admin>>, Json(wanted): Json<Filter>) -> Result<Response, Problem> {
    let Some(level) = &admin.log else { return Err(Problem::NotFound) };
    level.set(&wanted.filter).map_err(|_| Problem::Wanted("filter is not a level, nor target=level pairs"))?;
    let said = level.now();
    tracing::warn!(filter = said, "an operator changed which log lines are written");
    Ok((StatusCode::OK, Json(json!({ "log": said }))).into_response())
}
