//! `GET /healthz` and `GET /readyz`.
//!
//! Anyone may use these routes, so neither keeps its connection open: only a verified sender may do
//! so. Otherwise strangers could occupy every connection for minutes with one cheap request each.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use http::{HeaderValue, StatusCode, header};

use crate::http::{ServerState, answer};

/// Returns 200 while the process answers at all.
pub(super) async fn alive() -> Response {
    last(answer::status(StatusCode::OK, "alive"))
}

/// Returns 200 while deliveries can be stored: the store answers and no shutdown was requested.
pub(super) async fn ready(State(state): State<Arc<ServerState>>) -> Response {
    last(if *state.shutdown.borrow() {
        answer::status(StatusCode::SERVICE_UNAVAILABLE, "draining")
    } else if state.intake.ready() && state.intake.writing_is_paused() {
        answer::status_while_paused(StatusCode::OK, "ready")
    } else if state.intake.ready() {
        answer::status(StatusCode::OK, "ready")
    } else {
        answer::status(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable")
    })
}

/// Marks the last answer of its connection.
fn last(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}
