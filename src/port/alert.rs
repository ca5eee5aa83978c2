//! A monitoring system: verifies and decodes its messages.

use http::HeaderMap;
use jiff::Timestamp;

use crate::{domain::alert::Message, port::forge::Undecodable};

/// The sender of a monitoring connection. [`crate::alert`] has one file for each kind.
pub trait AlertSource: Send + Sync + 'static {
    /// Returns the kind of system, such as `alertmanager`.
    fn kind(&self) -> &'static str;

    /// Verifies that the sender knows one of the secrets, before anything in `body` is parsed.
    /// Compares in constant time, with each live secret, over the raw bytes of the body.
    fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), Refusal>;

    /// Decodes a message. Unknown fields, versions and values are never errors: a message without
    /// meaning here becomes [`crate::domain::alert::Says::Nothing`].
    fn decode(&self, body: &[u8], received_at: Timestamp) -> Result<Message, Undecodable>;
}

/// Reason for which a message is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No token.
    #[error(
        "the header with the token is missing: Authorization with a bearer token, unless the connection has another"
    )]
    MissingToken,
    /// Wrong, malformed or repeated token.
    #[error("the token is none of the configured secrets")]
    BadToken,
    /// No signature.
    #[error("the signature header is missing")]
    MissingSignature,
    /// Wrong, malformed or repeated signature.
    #[error("the signature does not match any configured secret")]
    BadSignature,
    /// Signed too long ago or in the future, or without a time.
    #[error("the signature's time is missing, or too far from now")]
    Stale,
}
