//! `GET /healthz` and `GET /readyz`.
//!
//! Anyone may ask, so that neither lets its connection rest: only who proved a
//! delivery may, or strangers would take every place for minutes with one
//! cheap request each.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use http::{HeaderValue, StatusCode, header};

use super::{ServerState, answer};

/// 200 while the process answers at all.
pub(super) async fn alive() -> Response {
    last(answer::status(StatusCode::OK, "alive"))
}

/// 200 while deliveries can be taken in: the store answers and nobody asked us to stop.
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

/// The last answer of its connection.
fn last(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}
