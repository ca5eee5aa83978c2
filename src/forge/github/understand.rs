//! Understanding deliveries: hands on to those who do.

use http::HeaderMap;
use jiff::Timestamp;
use secrecy::SecretString;

use super::{decode::decode, route::route, verify::Verifier};
use crate::{
    domain::{event::Event, id::ForgeName},
    port::forge::{Refusal, Route, Undecodable, Verified},
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

    pub(super) fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<Verified, Refusal> {
        self.verifier.verify(headers, body)
    }

    pub(super) fn route(body: &[u8]) -> Option<Route> {
        route(body)
    }

    pub(super) fn decode(&self, event: &str, body: &[u8], at: Timestamp) -> Result<Event, Undecodable> {
        decode(&self.forge, self.app_id, event, body, at)
    }
}
