//! Takes verified deliveries in: routes, keeps, wakes the scheduler.

use std::sync::{Arc, atomic::Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use tracing::Instrument;

use super::{crash::crash_point, shell::Shell};
use crate::{
    domain::id::ForgeName,
    port::{
        clock::Clock,
        forge::{Forge, Verified},
        intake::TakeIn,
        store::{Accepted, DeliveryState, NewDelivery, Store, StoreError},
    },
};

/// The door behind the HTTP routes.
#[derive(Clone)]
pub struct Intake {
    shell: Arc<Shell>,
}

impl Intake {
    pub(crate) fn new(shell: Arc<Shell>) -> Self {
        Self { shell }
    }
}

#[async_trait]
impl TakeIn for Intake {
    async fn take_in(&self, forge: &ForgeName, verified: Verified, body: Bytes) -> Result<Accepted, StoreError> {
        if self.shell.draining() {
            self.shell.count_received(forge, &verified.event, "failed");
            return Err(StoreError::Unavailable("shutting down".to_owned()));
        }
        let span = tracing::info_span!("take_in", id = %verified.delivery, event = %verified.event);
        let (shell, forge) = (self.shell.clone(), forge.clone());
        // A task of its own: a sender who hangs up drops the request's future, not this.
        let taking = tokio::spawn(async move { keep(&shell, forge, verified, body).await }.instrument(span));
        taking.await.unwrap_or_else(|error| Err(StoreError::Unavailable(format!("taking in failed: {error}"))))
    }

    fn ready(&self) -> bool {
        let shell = &self.shell;
        !shell.draining() && !shell.broken.load(Ordering::Relaxed) && shell.store_answers.load(Ordering::Relaxed)
    }
}

/// A door straight to the store, for commands that work beside a running bot:
/// that one finds what was put there.
pub struct Letterbox {
    /// The store.
    pub store: Arc<dyn Store>,
    /// Whose deliveries.
    pub forge: Arc<dyn Forge>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

#[async_trait]
impl TakeIn for Letterbox {
    async fn take_in(&self, _: &ForgeName, verified: Verified, body: Bytes) -> Result<Accepted, StoreError> {
        let letter = letter(self.forge.as_ref(), self.clock.as_ref(), verified, body);
        self.store.accept(letter).await
    }

    fn ready(&self) -> bool {
        true
    }
}

/// A delivery as it is kept.
fn letter(forge: &dyn Forge, clock: &dyn Clock, verified: Verified, body: Bytes) -> NewDelivery {
    let route = forge.route(&verified.event, &body);
    let quarantined = route.is_none().then(|| "the body is not a JSON object".to_owned());
    let route = route.unwrap_or_default();
    NewDelivery {
        forge: forge.name().clone(),
        hook: verified.hook,
        delivery: verified.delivery,
        event: verified.event,
        action: route.action,
        repo: route.repo,
        installation: route.installation,
        received_at: clock.now(),
        body,
        quarantined,
    }
}

async fn keep(shell: &Shell, forge: ForgeName, verified: Verified, body: Bytes) -> Result<Accepted, StoreError> {
    let adapter = shell.forge(&forge);
    let adapter = adapter.ok_or_else(|| StoreError::Unavailable(format!("no forge named {forge} is configured")))?;
    let (from, event) = (forge, verified.event.clone());
    let letter = letter(adapter.as_ref(), shell.clock.as_ref(), verified, body);
    let unreadable = letter.quarantined.is_some();
    let arriving = shell.arrives();
    let accepted = shell.store.accept(letter).await;
    drop(arriving);
    let outcome = match &accepted {
        Ok(Accepted::New(_)) => "accepted",
        Ok(Accepted::Duplicate(_)) => "duplicate",
        Err(_) => "failed",
    };
    shell.count_received(&from, &event, outcome);
    match &accepted {
        Ok(Accepted::New(seq)) => {
            crash_point("inbox_committed");
            tracing::debug!(seq, outcome, "delivery taken in");
            shell.worked();
            if unreadable {
                shell.count_delivery(&from, &event, DeliveryState::Quarantined);
                tracing::warn!(seq, "delivery quarantined: its body is not a JSON object");
            } else {
                shell.inbox.poke();
            }
        }
        Ok(Accepted::Duplicate(seq)) => tracing::debug!(seq, "delivery was taken in before"),
        Err(error) => tracing::error!(%error, "delivery not taken in"),
    }
    accepted
}
