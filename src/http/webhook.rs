//! `POST /webhooks/{forge}`.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts, Path, Request, State},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderMap, header};
use metrics::counter;
use tokio::sync::OwnedSemaphorePermit;
use tracing::{Instrument, info_span};

use crate::{
    domain::id::ForgeName,
    http::{
        ServerState,
        answer::{Kept, Problem, showable},
    },
    metric,
    port::{
        forge::Verified,
        store::{Accepted, StoreError},
    },
};

/// A delivery from a verified forge.
///
/// Only [`FromRequest`] creates one, so a handler that takes it cannot be reached without
/// verification.
#[derive(Debug)]
pub struct VerifiedDelivery {
    forge: ForgeName,
    verified: Verified,
    body: Bytes,
    /// Share of the memory for bodies.
    share: Option<OwnedSemaphorePermit>,
}

impl FromRequest<Arc<ServerState>> for VerifiedDelivery {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &Arc<ServerState>) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let name = Path::<String>::from_request_parts(&mut parts, state).await.ok().map(|Path(name)| ForgeName(name));
        let forge = name.as_ref().and_then(|name| state.forges.get(name));
        let result = match forge {
            None => refuse(state, &parts.headers, body, Problem::NoSuchForge).await,
            Some(_) if is_encoded(&parts.headers) => refuse(state, &parts.headers, body, Problem::Encoded).await,
            Some(forge) => {
                let held = state.bodies.read(&parts.headers, body).await;
                held.and_then(|held| {
                    let verified = forge.verify(&parts.headers, &held.bytes)?;
                    Ok(Self { forge: forge.name().clone(), verified, body: held.bytes, share: held.share })
                })
            }
        };
        result.inspect_err(|problem| {
            let forge = forge.map_or_else(|| "unknown".to_owned(), |forge| forge.name().0.clone());
            tracing::warn!(forge, code = problem.code(), "refused a webhook: {problem}");
            counter!(metric::RECEIVED, "forge" => forge, "event" => "unverified", "outcome" => "refused").increment(1);
        })
    }
}

/// Stores a verified delivery in a task of its own, which a sender that closes the connection does
/// not interrupt.
pub(super) async fn receive(State(state): State<Arc<ServerState>>, delivery: VerifiedDelivery) -> Response {
    let VerifiedDelivery { forge, verified, body, share } = delivery;
    let id = showable(&verified.delivery);
    let event = event_label(&verified.event);
    let span = info_span!("delivery", id, forge = %forge, event, bytes = body.len());
    let patience = state.limits.intake;
    let task = tokio::spawn(
        async move {
            let taken = state.intake.take_in(&forge, verified, body).await;
            drop(share);
            tell(&taken);
            taken
        }
        .instrument(span.clone()),
    );
    answer(task, patience, id).instrument(span).await
}

async fn answer(
    task: tokio::task::JoinHandle<Result<Accepted, StoreError>>,
    patience: Duration,
    id: String,
) -> Response {
    match tokio::time::timeout(patience, task).await {
        Ok(Ok(Ok(Accepted::New(_)))) => Kept::Accepted(id).into_response(),
        Ok(Ok(Ok(Accepted::Duplicate(_)))) => Kept::Duplicate(id).into_response(),
        Ok(Ok(Err(_))) => Problem::Store.into_response(),
        Ok(Err(_)) => {
            tracing::error!("taking in a delivery panicked");
            Problem::Internal.into_response()
        }
        Err(_) => {
            tracing::error!("the store did not answer within {patience:?}");
            Problem::Store.into_response()
        }
    }
}

fn tell(taken: &Result<Accepted, StoreError>) {
    match taken {
        Ok(Accepted::New(seq)) => tracing::info!(seq, "accepted"),
        Ok(Accepted::Duplicate(seq)) => tracing::info!(seq, "had been taken in before"),
        Err(error) => tracing::error!("not kept: {error}"),
    }
}

/// Refuses a request whose body was not read.
pub(super) async fn refuse<T>(
    state: &ServerState,
    headers: &HeaderMap,
    body: Body,
    problem: Problem,
) -> Result<T, Problem> {
    state.bodies.discard(headers, body).await;
    Err(problem)
}

/// Returns whether the body is compressed. GitHub never compresses, and unpacking before the
/// signature is verified would let anyone cause work.
pub(super) fn is_encoded(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .any(|value| !value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity"))
}

/// Returns the event as a metric's label. It comes from a header, which no signature covers, so
/// only what looks like an event's name may become a series.
fn event_label(event: &str) -> &str {
    let plain = event.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    if plain && (1..=40).contains(&event.len()) { event } else { "other" }
}
