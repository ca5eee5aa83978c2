//! State shared by the handles, the server and the sender.

use std::sync::{Mutex, MutexGuard, PoisonError};

use secrecy::ExposeSecret;
use tokio::sync::Notify;

use super::{
    SimError,
    delivery::{Attempt, Delivery},
    state::State,
};

/// State shared by the handles, the server and the sender.
pub(super) struct Shared {
    pub(super) state: Mutex<State>,
    pub(super) hook_id: u64,
    pub(super) client: reqwest::Client,
    /// Keeps deliveries in order: one is sent at a time.
    pub(super) turn: tokio::sync::Mutex<()>,
    pub(super) news: Notify,
}

impl Shared {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) async fn send(&self, delivery: &Delivery) -> u16 {
        let (app, target, secret) = {
            let state = self.state();
            (state.app.id, state.app.hook.url.clone(), state.app.hook.secret.clone())
        };
        let mut status = 502;
        if let Some(target) = target {
            let mut request = self.client.post(target).body(delivery.body());
            for (name, value) in delivery.headers(self.hook_id, app, secret.expose_secret()) {
                request = request.header(name, value);
            }
            if let Ok(answer) = request.send().await {
                status = answer.status().as_u16();
            }
        }
        self.note(delivery, status);
        status
    }

    /// Posts a body with a bearer token, as a monitoring system does; returns the status of the
    /// answer.
    pub(super) async fn post(&self, url: &str, token: &str, body: String) -> Result<u16, SimError> {
        let answer = self.client.post(url).bearer_auth(token).body(body).send().await;
        answer.map(|answer| answer.status().as_u16()).map_err(|error| SimError::Network(error.to_string()))
    }

    pub(super) fn note(&self, delivery: &Delivery, status: u16) {
        let mut state = self.state();
        let (id, at) = (state.id(), state.now());
        state.attempts.push(Attempt { id, delivery: delivery.clone(), at, status });
    }

    pub(super) async fn deliver_pending(&self) -> Vec<(Delivery, u16)> {
        let _turn = self.turn.lock().await;
        let mut sent = Vec::new();
        loop {
            let next = self.state().outgoing.pop_front();
            let Some(delivery) = next else { return sent };
            let status = self.send(&delivery).await;
            sent.push((delivery, status));
        }
    }
}
