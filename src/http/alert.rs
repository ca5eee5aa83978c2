//! `POST /alerts/{name}`, and PUT.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts, Path, Request, State},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::HeaderMap;
use metrics::counter;
use tokio::sync::OwnedSemaphorePermit;
use tracing::{Instrument, info_span};

use crate::{
    http::{
        ServerState,
        answer::{Kept, Problem},
        webhook::{is_encoded, refuse},
    },
    metric,
    port::alert::AlertSource,
};

/// A message from a verified sender.
///
/// Only [`FromRequest`] creates one, so a handler that takes it cannot be reached without
/// verification.
#[derive(Debug)]
pub(super) struct ProvedMessage {
    connection: String,
    body: Bytes,
    /// Share of the memory for bodies.
    share: Option<OwnedSemaphorePermit>,
}

impl FromRequest<Arc<ServerState>> for ProvedMessage {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &Arc<ServerState>) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let name = Path::<String>::from_request_parts(&mut parts, state).await.ok().map(|Path(name)| name);
        let known = name.as_ref().and_then(|name| state.alerts.get_key_value(name));
        let result = match known {
            None => refuse(state, &parts.headers, body, Problem::NoSuchConnection).await,
            Some((name, source)) => prove(state, &parts.headers, body, name, source.as_ref()).await,
        };
        result.inspect_err(|problem| {
            let connection = known.map_or("unknown", |(name, _)| name.as_str());
            let event = known.map_or("unknown", |(_, source)| source.kind());
            tracing::warn!(connection, code = problem.code(), "refused an alert: {problem}");
            counter!(metric::RECEIVED, "forge" => "alerts", "event" => event, "outcome" => "refused").increment(1);
        })
    }
}

async fn prove(
    state: &ServerState,
    headers: &HeaderMap,
    body: Body,
    name: &str,
    source: &dyn AlertSource,
) -> Result<ProvedMessage, Problem> {
    if is_encoded(headers) {
        return refuse(state, headers, body, Problem::Encoded).await;
    }
    let held = state.bodies.read(headers, body).await?;
    source.verify(headers, &held.bytes)?;
    Ok(ProvedMessage { connection: name.to_owned(), body: held.bytes, share: held.share })
}

/// Stores a verified message in a task of its own; answers within a second.
pub(super) async fn receive(State(state): State<Arc<ServerState>>, message: ProvedMessage) -> Response {
    let ProvedMessage { connection, body, share } = message;
    let span = info_span!("alert", connection, bytes = body.len());
    let patience = state.limits.alert;
    let task = tokio::spawn(
        async move {
            let taken = state.intake.take_in_alert(&connection, body).await;
            drop(share);
            match &taken {
                Ok(id) => tracing::info!(id, "accepted"),
                Err(error) => tracing::error!("not kept: {error}"),
            }
            taken
        }
        .instrument(span.clone()),
    );
    async {
        match tokio::time::timeout(patience, task).await {
            Ok(Ok(Ok(id))) => Kept::Accepted(id).into_response(),
            Ok(Ok(Err(_))) => Problem::Store.into_response(),
            Ok(Err(_)) => {
                tracing::error!("taking in an alert panicked");
                Problem::Internal.into_response()
            }
            // It may be stored nevertheless. Sent again, it has the same effect.
            Err(_) => {
                tracing::error!("the store did not answer within {patience:?}");
                Problem::Store.into_response()
            }
        }
    }
    .instrument(span)
    .await
}
