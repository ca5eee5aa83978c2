//! Takes verified deliveries in: routes and stores them, wakes the scheduler.

use std::sync::{Arc, atomic::Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use rand::RngExt;
use tracing::Instrument;

use crate::{
    app::{alert, commit, crash::crash_point, external, runtime::Runtime},
    domain::id::ForgeName,
    port::{
        clock::Clock,
        forge::{Forge, Verified},
        intake::TakeIn,
        store::{Accepted, DeliveryState, NewDelivery, Partition, Store, StoreError},
    },
};

/// Intake of deliveries behind the HTTP routes.
#[derive(Clone)]
pub struct Intake {
    runtime: Arc<Runtime>,
}

impl Intake {
    pub(crate) fn new(runtime: Arc<Runtime>) -> Self {
        Self { runtime }
    }
}

#[async_trait]
impl TakeIn for Intake {
    async fn take_in(&self, forge: &ForgeName, verified: Verified, body: Bytes) -> Result<Accepted, StoreError> {
        if self.runtime.draining() {
            self.runtime.count_received(forge, &verified.event, "failed");
            return Err(StoreError::Unavailable("shutting down".to_owned()));
        }
        let span = tracing::info_span!("take_in", id = %verified.delivery, event = %verified.event);
        let (runtime, forge) = (self.runtime.clone(), forge.clone());
        // A task of its own: a sender that disconnects drops the request's future, not this.
        let taking = tokio::spawn(async move { keep(&runtime, forge, verified, body).await }.instrument(span));
        taking.await.unwrap_or_else(|error| Err(StoreError::Unavailable(format!("taking in failed: {error}"))))
    }

    async fn take_in_message(&self, hook: &str, body: Bytes) -> Result<String, StoreError> {
        if self.runtime.draining() {
            return Err(StoreError::Unavailable("shutting down".to_owned()));
        }
        let (runtime, hook) = (self.runtime.clone(), hook.to_owned());
        let span = tracing::info_span!("take_in", hook);
        let taking = async move {
            let letters = letters(&runtime, &hook, body).await;
            let letters = letters.ok_or_else(|| StoreError::Unavailable(format!("no connection {hook} is configured")));
            keep_letters(&runtime, letters?).await
        };
        let taking = tokio::spawn(taking.instrument(span));
        taking.await.unwrap_or_else(|error| Err(StoreError::Unavailable(format!("taking in failed: {error}"))))
    }

    fn ready(&self) -> bool {
        let runtime = &self.runtime;
        !runtime.draining() && !runtime.broken.load(Ordering::Relaxed) && runtime.store_answers.load(Ordering::Relaxed)
    }

    fn writing_is_paused(&self) -> bool {
        self.runtime.halted.load(Ordering::Relaxed)
    }
}

/// Intake that writes straight to the store, for commands that run beside a bot:
/// the bot finds the deliveries there.
pub struct Letterbox {
    /// Store.
    pub store: Arc<dyn Store>,
    /// Forge whose deliveries are taken in.
    pub forge: Arc<dyn Forge>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
}

#[async_trait]
impl TakeIn for Letterbox {
    async fn take_in(&self, _: &ForgeName, verified: Verified, body: Bytes) -> Result<Accepted, StoreError> {
        let (letter, _) = letter(self.forge.as_ref(), self.clock.as_ref(), verified, body);
        self.store.accept(letter).await
    }

    async fn take_in_message(&self, _: &str, _: Bytes) -> Result<String, StoreError> {
        Err(StoreError::Invalid("messages of connections come by HTTP only".to_owned()))
    }

    fn ready(&self) -> bool {
        true
    }
}

/// Returns a delivery as it is stored, and whether somebody waits for its result.
fn letter(forge: &dyn Forge, clock: &dyn Clock, verified: Verified, body: Bytes) -> (NewDelivery, bool) {
    let route = forge.route(&verified.event, &body);
    let quarantined = route.is_none().then(|| "the body is not a JSON object".to_owned());
    let route = route.unwrap_or_default();
    let letter = NewDelivery {
        forge: forge.name().clone(),
        hook: verified.hook,
        delivery: verified.delivery,
        event: verified.event,
        action: route.action,
        repo: route.repo,
        target: None,
        installation: route.installation,
        received_at: clock.now(),
        body,
        quarantined,
    };
    (letter, route.urgent)
}

/// A message of a system beside the forges, as deliveries to store.
struct Letters {
    /// The message's id.
    id: String,
    forge: ForgeName,
    /// Kind of the source.
    kind: &'static str,
    deliveries: Vec<NewDelivery>,
}

/// Decodes a message only to find the repositories it is for. Each repository decodes its part
/// again when it decides. `None`: no such connection is configured.
async fn letters(runtime: &Runtime, hook: &str, body: Bytes) -> Option<Letters> {
    let received_at = runtime.clock.now();
    let id = message_id(received_at);
    let (forge, kind, parts) = if let Some(name) = external::connection(hook) {
        let connection = runtime.events.get(name)?;
        let decoded = external::decode(connection, &body, received_at).await;
        (connection.forge.clone(), connection.source.kind(), vec![external::part(connection, decoded)])
    } else {
        let connection = runtime.alerts.get(alert::connection(hook))?;
        let decoded = alert::decode(connection, &body, received_at).await;
        let parts = match decoded {
            Ok(message) => {
                let parts = connection.split(&message).into_iter();
                parts.map(|part| (part.target, part.action, None)).collect()
            }
            Err(error) => vec![(connection.default_target().to_owned(), None, Some(error.to_string()))],
        };
        (connection.forge.clone(), connection.source.kind(), parts)
    };
    let new = |(nth, (target, action, problem)): (usize, (String, Option<&'static str>, Option<String>))| NewDelivery {
        forge: forge.clone(),
        hook: hook.to_owned(),
        delivery: if nth == 0 { id.clone() } else { format!("{id}-{nth}") },
        event: kind.to_owned(),
        action: action.map(str::to_owned),
        repo: None,
        target: Some(target),
        installation: None,
        received_at,
        body: body.clone(),
        quarantined: problem.map(|problem| commit::note(&[problem])),
    };
    let deliveries = parts.into_iter().enumerate().map(new).collect();
    Some(Letters { id, forge, kind, deliveries })
}

/// Stores the deliveries of a message; returns the message's id.
async fn keep_letters(runtime: &Runtime, letters: Letters) -> Result<String, StoreError> {
    let Letters { id, forge, kind, deliveries } = letters;
    let unreadable = deliveries.iter().any(|delivery| delivery.quarantined.is_some());
    let arriving = runtime.arrives();
    let accepted = runtime.store.accept_all(deliveries).await;
    drop(arriving);
    runtime.count_received(&forge, kind, if accepted.is_ok() { "accepted" } else { "failed" });
    match accepted {
        Ok(accepted) => {
            crash_point("inbox_committed");
            runtime.worked();
            if unreadable {
                runtime.count_delivery(&forge, kind, DeliveryState::Quarantined);
                tracing::warn!(?accepted, "message quarantined: it can't be understood");
            } else {
                tracing::debug!(?accepted, "message taken in");
            }
            runtime.inbox.poke();
            Ok(id)
        }
        Err(error) => {
            tracing::error!(%error, "message not taken in");
            Err(error)
        }
    }
}

/// Returns a new message id. It begins with the time, so that ids are adjacent in the index.
fn message_id(at: Timestamp) -> String {
    format!("{:012x}-{:016x}", at.as_millisecond(), rand::rng().random::<u64>())
}

async fn keep(runtime: &Runtime, forge: ForgeName, verified: Verified, body: Bytes) -> Result<Accepted, StoreError> {
    let adapter = runtime.forge(&forge);
    let adapter = adapter.ok_or_else(|| StoreError::Unavailable(format!("no forge named {forge} is configured")))?;
    let (from, event) = (forge, verified.event.clone());
    let (letter, urgent) = letter(adapter.as_ref(), runtime.clock.as_ref(), verified, body);
    let partition = Partition { forge: from.clone(), repo: letter.repo };
    let (unreadable, delivery) = (letter.quarantined.is_some(), letter.delivery.clone());
    if urgent {
        runtime.urgent.arrives(partition.clone(), &delivery);
    }
    let arriving = runtime.arrives();
    let accepted = runtime.store.accept(letter).await;
    drop(arriving);
    let outcome = match &accepted {
        Ok(Accepted::New(_)) => "accepted",
        Ok(Accepted::Duplicate(_)) => "duplicate",
        Err(_) => "failed",
    };
    runtime.count_received(&from, &event, outcome);
    if urgent && !matches!(accepted, Ok(Accepted::New(_))) {
        runtime.urgent.ended(&partition, &delivery);
    }
    match &accepted {
        Ok(Accepted::New(seq)) => {
            crash_point("inbox_committed");
            tracing::debug!(seq, outcome, "delivery taken in");
            runtime.worked();
            if unreadable {
                runtime.count_delivery(&from, &event, DeliveryState::Quarantined);
                tracing::warn!(seq, "delivery quarantined: its body is not a JSON object");
            } else {
                runtime.inbox.poke();
            }
        }
        Ok(Accepted::Duplicate(seq)) => tracing::debug!(seq, "delivery was taken in before"),
        Err(error) => tracing::error!(%error, "delivery not taken in"),
    }
    accepted
}
