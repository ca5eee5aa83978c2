//! The HTTP server with all its routes, independent of the forges and the store.

mod admin;
mod answer;
mod body;
mod health;
mod message;
mod names;
mod server;
pub mod setup;
mod timeouts;
mod webhook;

use std::{any::Any, collections::BTreeMap, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{MatchedPath, Request, State},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use metrics::{counter, histogram};
use tokio::{
    sync::{Semaphore, watch},
    time::Instant,
};
use tower_http::catch_panic::CatchPanicLayer;

pub use crate::http::admin::Admin;
pub use crate::http::answer::Problem;
pub use crate::http::server::{serve, serve_pages};
pub use crate::http::webhook::VerifiedDelivery;

use crate::{
    domain::id::ForgeName,
    metric,
    port::{alert::AlertSource, external::DeploymentSource, forge::Forge, intake::TakeIn},
    telemetry::Metrics,
};

/// Limits that keep one sender, or many, from exhausting the server.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Maximum connections served at a time on each address; more of them wait.
    pub connections: usize,
    /// Time for a request's head, and for a peer to read some of an answer.
    pub head: Duration,
    /// Time for a request's body.
    pub body: Duration,
    /// Time for which a connection may idle between two requests. Longer than common proxies keep
    /// one (60 s), so that they close it and not we.
    pub rest: Duration,
    /// Maximum time to store a delivery. GitHub closes the connection after 10 s.
    pub intake: Duration,
    /// Maximum time to store an alert. Some monitoring systems close the connection after a second,
    /// and all of them send again.
    pub alert: Duration,
    /// Maximum length of a body, in bytes. GitHub sends none over 25 MiB.
    pub body_bytes: usize,
    /// Bytes of a body that every connection may hold without a reservation. Most deliveries fit:
    /// strangers who fill `memory_bytes` cannot keep them out.
    pub small_bytes: usize,
    /// Bytes of bodies held at once beyond that, over all connections.
    pub memory_bytes: usize,
}

/// Systems beside the forges that send messages, by the names of their connections.
#[derive(Default)]
pub struct Senders {
    /// Monitoring connections: `/alerts/NAME`.
    pub alerts: BTreeMap<String, Arc<dyn AlertSource>>,
    /// Connections that report deployments and verdicts, by `events/NAME` and `verdicts/NAME`.
    pub events: BTreeMap<String, Arc<dyn DeploymentSource>>,
}

/// State shared by the handlers.
pub struct ServerState {
    forges: BTreeMap<ForgeName, Arc<dyn Forge>>,
    senders: Senders,
    intake: Arc<dyn TakeIn>,
    metrics: Metrics,
    limits: Limits,
    bodies: body::Limits,
    shutdown: watch::Receiver<bool>,
    admin: Option<Arc<Admin>>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 2048,
            head: Duration::from_secs(5),
            body: Duration::from_secs(8),
            rest: Duration::from_secs(75),
            intake: Duration::from_secs(9),
            alert: Duration::from_millis(900),
            body_bytes: 25 * 1024 * 1024,
            // Another 128 MiB if all connections are in use.
            small_bytes: 64 * 1024,
            memory_bytes: 128 * 1024 * 1024,
        }
    }
}

impl ServerState {
    /// Creates the server's state. `shutdown` becomes `true` when the server must stop.
    pub fn new(
        forges: impl IntoIterator<Item = Arc<dyn Forge>>,
        senders: Senders,
        intake: Arc<dyn TakeIn>,
        metrics: Metrics,
        limits: Limits,
        shutdown: watch::Receiver<bool>,
    ) -> Arc<Self> {
        Self::with_operators(forges, senders, intake, metrics, limits, shutdown, None)
    }

    /// Like [`ServerState::new`], with the operators' routes on the private address.
    pub fn with_operators(
        forges: impl IntoIterator<Item = Arc<dyn Forge>>,
        senders: Senders,
        intake: Arc<dyn TakeIn>,
        metrics: Metrics,
        limits: Limits,
        shutdown: watch::Receiver<bool>,
        admin: Option<Admin>,
    ) -> Arc<Self> {
        let bodies = body::Limits {
            longest: limits.body_bytes,
            patience: limits.body,
            small: limits.small_bytes,
            memory: Arc::new(Semaphore::new(limits.memory_bytes.min(Semaphore::MAX_PERMITS))),
        };
        let forges = forges.into_iter().map(|forge| (forge.name().clone(), forge)).collect();
        Arc::new(Self { forges, senders, intake, metrics, limits, bodies, shutdown, admin: admin.map(Arc::new) })
    }
}

/// Returns the routes of the public address.
pub fn public(state: Arc<ServerState>) -> Router {
    let routes = Router::new()
        .route("/webhooks/{forge}", post(webhook::receive).fallback(only_post))
        .route("/alerts/{name}", post(message::receive).put(message::receive).fallback(only_post_or_put))
        .route("/verdicts/{name}", post(message::receive).put(message::receive).fallback(only_post_or_put))
        .route("/events/{name}", post(message::receive).put(message::receive).fallback(only_post_or_put))
        .route("/healthz", get(health::alive).fallback(only_get))
        .route("/readyz", get(health::ready).fallback(only_get))
        .fallback(nothing);
    around(routes).with_state(state)
}

/// Returns the routes of the private address.
pub fn admin(state: Arc<ServerState>) -> Router {
    let routes = Router::new().route("/metrics", get(admin::metrics).fallback(only_get));
    let routes = routes.merge(admin::routes(&state)).fallback(nothing);
    let routes = routes.layer(from_fn_with_state(Arc::clone(&state), names::own_names_only));
    around(routes).with_state(state)
}

fn around<S: Clone + Send + Sync + 'static>(routes: Router<S>) -> Router<S> {
    routes.layer(CatchPanicLayer::custom(panicked)).layer(from_fn(measure))
}

async fn nothing(State(state): State<Arc<ServerState>>, request: Request) -> Result<Response, Problem> {
    refuse(&state, request, Problem::NotFound).await
}

async fn only_post(State(state): State<Arc<ServerState>>, request: Request) -> Result<Response, Problem> {
    refuse(&state, request, Problem::Method("POST")).await
}

async fn only_post_or_put(State(state): State<Arc<ServerState>>, request: Request) -> Result<Response, Problem> {
    refuse(&state, request, Problem::Method("POST, PUT")).await
}

async fn only_get(State(state): State<Arc<ServerState>>, request: Request) -> Result<Response, Problem> {
    refuse(&state, request, Problem::Method("GET, HEAD")).await
}

async fn refuse(state: &ServerState, request: Request, problem: Problem) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    state.bodies.discard(&parts.headers, body).await;
    Err(problem)
}

#[expect(clippy::needless_pass_by_value, reason = "the layer hands the panic over")]
fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let what = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    tracing::error!("a handler panicked: {what}");
    Problem::Internal.into_response()
}

/// Counts and times a request by its route, never by its path.
async fn measure(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let begun = Instant::now();
    let response = next.run(request).await;
    histogram!(metric::HTTP_SECONDS, "route" => route.clone()).record(begun.elapsed());
    counter!(metric::HTTP_REQUESTS, "route" => route, "status" => response.status().as_str().to_owned()).increment(1);
    response
}
