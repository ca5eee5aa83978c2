//! Verification and decoding of deliveries with an instance's settings.

use std::sync::{PoisonError, RwLock};

use http::HeaderMap;
use jiff::Timestamp;
use secrecy::SecretString;

use crate::{
    domain::{event::Event, id::ForgeName},
    forge::github::{decode, verify::Verifier},
    port::forge::{Refusal, Undecodable, Verified},
};

/// Settings that deliveries are verified and decoded with.
pub(super) struct Understanding {
    forge: ForgeName,
    app_id: u64,
    verifier: RwLock<Verifier>,
}

impl Understanding {
    pub(super) fn new(forge: ForgeName, app_id: u64, secrets: &[SecretString]) -> Self {
        Self { forge, app_id, verifier: RwLock::new(Verifier::new(secrets)) }
    }

    /// Replaces the webhook secrets.
    pub(super) fn renew(&self, secrets: &[SecretString]) {
        *self.verifier.write().unwrap_or_else(PoisonError::into_inner) = Verifier::new(secrets);
    }

    /// See [`crate::port::forge::Forge::verify`].
    pub(super) fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<Verified, Refusal> {
        let verifier = self.verifier.read().unwrap_or_else(PoisonError::into_inner).clone();
        verifier.verify(headers, body)
    }

    /// See [`crate::port::forge::Forge::decode`].
    pub(super) fn decode(&self, event: &str, body: &[u8], received_at: Timestamp) -> Result<Event, Undecodable> {
        decode::decode(&self.forge, self.app_id, event, body, received_at)
    }
}
