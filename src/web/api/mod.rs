//! `/api/v1`: what the pages show, as JSON and as comma-separated values.
//!
//! A caller shows a token of their own on the forge and may read what the forge lets that token read;
//! a browser that signed in may read what its person may. Operators ask the same on the private
//! address.

mod answer;
mod caller;
mod figures;
mod now;
mod request;
mod rows;

use std::sync::Arc;

use axum::{
    Router,
    extract::Request,
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse as _, Response},
    routing::get,
};

use crate::{
    insight::row::{ChangeRow, DeploymentRow, UnitRow},
    web::{self, Web, api::answer::Refused, failure::Failure},
};

/// Returns the routes, for callers with tokens of their own.
pub(super) fn routes(web: &Arc<Web>) -> Router<Arc<Web>> {
    resources().layer(from_fn_with_state(Arc::clone(web), caller::guard)).layer(from_fn(in_time))
}

/// Returns the routes for operators: whoever asks has been found to be one.
pub(super) fn operator_routes() -> Router<Arc<Web>> {
    resources().layer(from_fn(caller::operator)).layer(from_fn(in_time))
}

fn resources() -> Router<Arc<Web>> {
    Router::new()
        .route("/repos/{owner}/{name}/metrics", get(figures::metrics))
        .route("/repos/{owner}/{name}/metrics.csv", get(figures::metrics_csv))
        .route("/repos/{owner}/{name}/flow", get(figures::flow))
        .route("/repos/{owner}/{name}/flow.csv", get(rows::csv::<UnitRow>))
        .route("/repos/{owner}/{name}/deployments", get(rows::list::<DeploymentRow>))
        .route("/repos/{owner}/{name}/deployments.csv", get(rows::csv::<DeploymentRow>))
        .route("/repos/{owner}/{name}/changes", get(rows::list::<ChangeRow>))
        .route("/repos/{owner}/{name}/changes.csv", get(rows::csv::<ChangeRow>))
        .route("/repos/{owner}/{name}/items/{item}", get(now::item))
        .route("/repos/{owner}/{name}/environments", get(now::environments))
        .route("/repos/{owner}/{name}/environments.csv", get(now::environments_csv))
        .route("/repos/{owner}/{name}/gates", get(now::gates))
        .route("/repos/{owner}/{name}/gates.csv", get(now::gates_csv))
        .fallback(nothing)
        .method_not_allowed_fallback(only_get)
}

async fn in_time(request: Request, next: Next) -> Response {
    web::answer::in_time(request, next, || Refused(Failure::Unavailable).into_response()).await
}

async fn nothing() -> Refused {
    Refused(Failure::NotFound)
}

async fn only_get() -> Refused {
    Refused(Failure::Method)
}
