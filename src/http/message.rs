//! `POST /alerts/{name}`, `POST /events/{name}` and `POST /verdicts/{name}`, and PUT.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts, MatchedPath, Path, Request, State},
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
    port::{
        alert::{AlertSource, Refusal},
        external::DeploymentSource,
    },
};

/// Family of connections that a route serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Alerts,
    Events,
    Verdicts,
}

/// A configured connection.
enum Sender {
    Alerts(Arc<dyn AlertSource>),
    Events(Arc<dyn DeploymentSource>),
}

impl Family {
    /// Returns the family that a request's route serves.
    fn of(route: &MatchedPath) -> Self {
        let of_route = |family: &Self| route.as_str().strip_prefix('/').is_some_and(|it| it.starts_with(family.name()));
        [Self::Events, Self::Verdicts].into_iter().find(of_route).unwrap_or(Self::Alerts)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Alerts => "alerts",
            Self::Events => "events",
            Self::Verdicts => "verdicts",
        }
    }

    fn find(self, state: &ServerState, name: &str) -> Option<Sender> {
        match self {
            Self::Alerts => state.senders.alerts.get(name).cloned().map(Sender::Alerts),
            Self::Events | Self::Verdicts => {
                let hook = format!("{}/{name}", self.name());
                state.senders.events.get(&hook).cloned().map(Sender::Events)
            }
        }
    }
}

impl Sender {
    fn kind(&self) -> &'static str {
        match self {
            Self::Alerts(source) => source.kind(),
            Self::Events(source) => source.kind(),
        }
    }

    fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), Refusal> {
        match self {
            Self::Alerts(source) => source.verify(headers, body),
            Self::Events(source) => source.verify(headers, body),
        }
    }
}

/// A message from a verified sender.
///
/// Only [`FromRequest`] creates one, so a handler that takes it cannot be reached without
/// verification.
#[derive(Debug)]
pub(super) struct ProvedMessage {
    /// The connection's name in the inbox: `alerts/NAME`, `events/NAME` or `verdicts/NAME`.
    hook: String,
    body: Bytes,
    /// Share of the memory for bodies.
    share: Option<OwnedSemaphorePermit>,
}

impl FromRequest<Arc<ServerState>> for ProvedMessage {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &Arc<ServerState>) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let family = parts.extensions.get::<MatchedPath>().map_or(Family::Alerts, Family::of);
        let name = Path::<String>::from_request_parts(&mut parts, state).await.ok().map(|Path(name)| name);
        let known = name.and_then(|name| Some((family.find(state, &name)?, name)));
        let result = match &known {
            None => refuse(state, &parts.headers, body, Problem::NoSuchConnection).await,
            Some((sender, name)) => {
                let hook = format!("{}/{name}", family.name());
                prove(state, &parts.headers, body, hook, sender).await
            }
        };
        result.inspect_err(|problem| {
            let connection = known.as_ref().map_or("unknown", |(_, name)| name.as_str());
            let event = known.as_ref().map_or("unknown", |(sender, _)| sender.kind());
            tracing::warn!(connection, code = problem.code(), "refused a message: {problem}");
            let labels = [("forge", family.name()), ("event", event), ("outcome", "refused")];
            counter!(metric::RECEIVED, &labels).increment(1);
        })
    }
}

async fn prove(
    state: &ServerState,
    headers: &HeaderMap,
    body: Body,
    hook: String,
    sender: &Sender,
) -> Result<ProvedMessage, Problem> {
    if is_encoded(headers) {
        return refuse(state, headers, body, Problem::Encoded).await;
    }
    let held = state.bodies.read(headers, body).await?;
    sender.verify(headers, &held.bytes)?;
    Ok(ProvedMessage { hook, body: held.bytes, share: held.share })
}

/// Stores a verified message in a task of its own; answers within a second.
pub(super) async fn receive(State(state): State<Arc<ServerState>>, message: ProvedMessage) -> Response {
    let ProvedMessage { hook, body, share } = message;
    let span = info_span!("message", hook, bytes = body.len());
    let patience = state.limits.alert;
    let task = tokio::spawn(
        async move {
            let taken = state.intake.take_in_message(&hook, body).await;
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
                tracing::error!("taking in a message panicked");
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
