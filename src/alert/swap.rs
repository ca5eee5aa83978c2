//! A source that can be replaced at run time, as when its secret is renewed.

use std::sync::{Arc, PoisonError, RwLock};

use http::HeaderMap;
use jiff::Timestamp;

use crate::{
    domain::alert::Message,
    port::{
        alert::{AlertSource, Refusal},
        forge::Undecodable,
    },
};

/// An [`AlertSource`] that can be replaced. Its kind stays the same.
pub struct Swap {
    kind: &'static str,
    present: RwLock<Arc<dyn AlertSource>>,
}

impl Swap {
    /// Creates it with `source`.
    pub fn new(source: Arc<dyn AlertSource>) -> Self {
        Self { kind: source.kind(), present: RwLock::new(source) }
    }

    /// Replaces the source.
    pub fn put(&self, source: Arc<dyn AlertSource>) {
        *self.present.write().unwrap_or_else(PoisonError::into_inner) = source;
    }

    fn present(&self) -> Arc<dyn AlertSource> {
        self.present.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl AlertSource for Swap {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), Refusal> {
        self.present().verify(headers, body)
    }

    fn decode(&self, body: &[u8], received_at: Timestamp) -> Result<Message, Undecodable> {
        self.present().decode(body, received_at)
    }
}
