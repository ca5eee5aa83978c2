//! Understanding deliveries: hands on to those who do.

use http::HeaderMap;
use jiff::Timestamp;
use secrecy::SecretString;

use crate::{
    domain::{event::Event, id::ForgeName},
    port::forge::{Refusal, Route, Undecodable, Verified},
};

/// What it takes to understand an instance's deliveries.
pub(super) struct Understanding {
    forge: ForgeName,
    app_id: u64,
}

impl Understanding {
    pub(super) fn new(forge: ForgeName, app_id: u64, _secrets: &[SecretString]) -> Self {
        Self { forge, app_id }
    }

    pub(super) fn verify(&self, _headers: &HeaderMap, _body: &[u8]) -> Result<Verified, Refusal> {
        Err(Refusal::BadSignature)
    }

    pub(super) fn route(&self, _event: &str, _body: &[u8]) -> Option<Route> {
        None
    }

    pub(super) fn decode(&self, event: &str, _body: &[u8], _at: Timestamp) -> Result<Event, Undecodable> {
        Err(Undecodable { path: event.to_owned(), message: format!("{} {}", self.forge, self.app_id) })
    }
}
