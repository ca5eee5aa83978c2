//! `GET /healthz` and `GET /readyz`.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use http::StatusCode;

use super::{ServerState, answer};

/// 200 while the process answers at all.
pub(super) async fn alive() -> Response {
    answer::status(StatusCode::OK, "alive")
}

/// 200 while deliveries can be taken in: the store answers and nobody asked us to stop.
pub(super) async fn ready(State(state): State<Arc<ServerState>>) -> Response {
    if *state.shutdown.borrow() {
        answer::status(StatusCode::SERVICE_UNAVAILABLE, "draining")
    } else if state.intake.ready() && state.intake.writing_is_paused() {
        answer::status_while_paused(StatusCode::OK, "ready")
    } else if state.intake.ready() {
        answer::status(StatusCode::OK, "ready")
    } else {
        answer::status(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable")
    }
}
