//! `/api/v1`: what the pages show, as JSON and as comma-separated values.
//!
//! A caller shows a token of their own on the forge and may read what the forge lets that token read;
//! a browser that signed in may read what its person may. Operators ask the same on the private
//! address.

mod answer;
mod caller;
mod figures;
mod now;
mod rows;

use std::sync::Arc;

use axum::{
    Router,
    extract::{FromRequestParts, Query},
    middleware::from_fn_with_state,
    response::{IntoResponse as _, Response},
    routing::get,
};
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::{
    port::store::RepositoryRow,
    web::{Web, answer::Failure, api::answer::Refused, edition::Edition, read},
};

/// Returns the routes, for callers with tokens of their own.
pub(super) fn routes(web: &Arc<Web>) -> Router<Arc<Web>> {
    resources().layer(from_fn_with_state(Arc::clone(web), caller::guard))
}

/// Returns the routes for operators: whoever asks has been found to be one.
pub(super) fn operator_routes() -> Router<Arc<Web>> {
    resources().layer(axum::middleware::from_fn(caller::operator))
}

fn resources() -> Router<Arc<Web>> {
    Router::new()
        .route("/repos/{owner}/{name}/metrics", get(figures::metrics))
        .route("/repos/{owner}/{name}/metrics.csv", get(figures::metrics_csv))
        .route("/repos/{owner}/{name}/flow", get(figures::flow))
        .route("/repos/{owner}/{name}/flow.csv", get(rows::units_csv))
        .route("/repos/{owner}/{name}/deployments", get(rows::deployments))
        .route("/repos/{owner}/{name}/deployments.csv", get(rows::deployments_csv))
        .route("/repos/{owner}/{name}/changes", get(rows::changes))
        .route("/repos/{owner}/{name}/changes.csv", get(rows::changes_csv))
        .route("/repos/{owner}/{name}/items/{item}", get(now::item))
        .route("/repos/{owner}/{name}/environments", get(now::environments))
        .route("/repos/{owner}/{name}/environments.csv", get(now::environments_csv))
        .route("/repos/{owner}/{name}/gates", get(now::gates))
        .route("/repos/{owner}/{name}/gates.csv", get(now::gates_csv))
        .fallback(nothing)
        .method_not_allowed_fallback(only_get)
}

/// Returns a refusal.
pub(super) fn refused(failure: Failure) -> Response {
    Refused(failure).into_response()
}

async fn nothing() -> Refused {
    Refused(Failure::NotFound)
}

async fn only_get() -> Refused {
    Refused(Failure::Method)
}

/// The repository that an address names, which the caller may read, and the edition of the answer.
struct Repository(RepositoryRow, Edition);

/// The parameters of an address.
struct Params<T>(T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let found = Query::<T>::from_request_parts(parts, state).await;
        let wrong = |_| Refused(Failure::Wanted("A parameter has no such value, or is named twice.".to_owned()));
        found.map(|Query(found)| Self(found)).map_err(wrong)
    }
}

impl FromRequestParts<Arc<Web>> for Repository {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, web: &Arc<Web>) -> Result<Self, Refused> {
        let found = read::Repository::from_request_parts(parts, web).await;
        Ok(found.map(|read::Repository { row, edition }| Self(row, edition))?)
    }
}
