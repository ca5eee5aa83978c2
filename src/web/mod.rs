//! The web pages: what is in which phase, what runs where, and why.
//!
//! Server-rendered, on a listener of their own. A page is complete without script, asks no other
//! host for anything, and holds neither inline style nor inline script. Everything from outside is
//! escaped by `maud`.

mod about;
mod access;
mod age;
mod answer;
mod api;
mod asset;
mod bucket;
mod changes;
mod chart;
mod definitions;
mod deployments;
mod dora;
mod edition;
mod environments;
mod failure;
mod figure;
mod flow;
mod form;
mod gates;
mod item;
mod loop_page;
mod metrics;
mod overview;
mod page;
mod part;
mod plot;
mod promotion;
mod prose;
mod read;
mod repositories;
mod retro;
mod seal;
mod sender;
mod session;
mod sign_in;
mod span;
mod standing;
mod work;

use std::sync::Arc;

use axum::{
    Router,
    extract::Request,
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use tokio::sync::Semaphore;
use tower_http::compression::CompressionLayer;

pub use crate::web::access::Access;
pub use crate::web::session::Sessions;
use crate::{
    app::PolicySource,
    domain::id::ForgeName,
    port::{clock::Clock, pages::PageStore},
    web::{failure::Failure, overview::Overview},
};

/// Pages that are made at the same time; more of them wait.
const RENDERS: usize = 8;

/// Parts that the pages are made from.
pub struct Parts {
    /// Reads.
    pub store: Arc<dyn PageStore>,
    /// Policies in force, which name the phases.
    pub policies: Arc<dyn PolicySource>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
    /// Root of the forge's own pages, without a slash at its end.
    pub forge_url: String,
    /// Who may see what.
    pub access: Access,
}

/// State of the pages.
struct Web {
    store: Arc<dyn PageStore>,
    policies: Arc<dyn PolicySource>,
    clock: Arc<dyn Clock>,
    forge: ForgeName,
    forge_url: String,
    access: Access,
    renders: Arc<Semaphore>,
    overview: Overview,
}

/// The routes of the pages.
pub struct Routes {
    /// For people, and for callers with tokens of their own.
    pub pages: Router,
    /// The API for operators, below `/api/v1`: whoever reaches it reads every repository.
    pub operators: Router,
}

/// Returns the routes of the pages.
pub fn routes(parts: Parts) -> Routes {
    let Parts { store, policies, clock, forge_url, access } = parts;
    let renders = Arc::new(Semaphore::new(RENDERS));
    let overview = Overview::default();
    let web =
        Arc::new(Web { store, policies, clock, forge: ForgeName::github(), forge_url, access, renders, overview });
    let operators = api::operator_routes().layer(from_fn(answer::headers));
    let pages = Router::new()
        .route("/", get(repositories::show))
        .route("/about", get(about::show))
        .route("/about/figures", get(definitions::show))
        .route("/{owner}/{name}", get(loop_page::show))
        .route("/{owner}/{name}/about", get(about::of_repository))
        .route("/{owner}/{name}/env", get(environments::show))
        .route("/{owner}/{name}/dora", get(dora::show))
        .route("/{owner}/{name}/deployments", get(deployments::show))
        .route("/{owner}/{name}/changes", get(changes::show))
        .route("/{owner}/{name}/flow", get(flow::show))
        .route("/{owner}/{name}/gates", get(gates::show))
        .route("/{owner}/{name}/retro", get(retro::last))
        .route("/{owner}/{name}/retro/{week}", get(retro::show))
        .route("/{owner}/{name}/items/{item}", get(item::show))
        .route("/logout", post(sign_in::out))
        .fallback(nothing)
        .method_not_allowed_fallback(only_get)
        .layer(from_fn_with_state(Arc::clone(&web), access::guard))
        // Nobody has to be signed in for these.
        .route("/login", get(sign_in::offer))
        .route("/login/github", get(sign_in::begin))
        .route("/callback", get(sign_in::back))
        .route("/assets/{name}", get(asset::serve))
        .layer(from_fn(in_time))
        .nest("/api/v1", api::routes(&web))
        .layer(CompressionLayer::new())
        .layer(from_fn(answer::headers));
    Routes { pages: pages.with_state(Arc::clone(&web)), operators: operators.with_state(web) }
}

async fn in_time(request: Request, next: Next) -> Response {
    answer::in_time(request, next, || Failure::Unavailable.into_response()).await
}

async fn nothing() -> Failure {
    Failure::NotFound
}

async fn only_get() -> Failure {
    Failure::Method
}
