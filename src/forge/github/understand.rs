//! Understanding deliveries: what the instance is, handed on to those who read.

use http::HeaderMap;
use jiff::Timestamp;
use secrecy::SecretString;

use super::{decode, verify::Verifier};
use crate::{
    domain::{event::Event, id::ForgeName},
    port::forge::{Refusal, Undecodable, Verified},
};

/// What it takes to understand an instance's deliveries.
pub(super) struct Understanding {
    forge: ForgeName,
    app_id: u64,
    verifier: Verifier,
}

impl Understanding {
    pub(super) fn new(forge: ForgeName, app_id: u64, secrets: &[SecretString]) -> Self {
        Self { forge, app_id, verifier: Verifier::new(secrets) }
    }

    /// See [`crate::port::forge::Forge::verify`].
    pub(super) fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<Verified, Refusal> {
        self.verifier.verify(headers, body)
    }

    /// See [`crate::port::forge::Forge::decode`].
    pub(super) fn decode(&self, event: &str, body: &[u8], received_at: Timestamp) -> Result<Event, Undecodable> {
        decode::decode(&self.forge, self.app_id, event, body, received_at)
    }
}
