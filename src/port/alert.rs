//! A monitoring system: proves that it sent a message, and understands it.

use http::HeaderMap;
use jiff::Timestamp;

use super::forge::Undecodable;
use crate::domain::alert::Message;

/// A monitoring connection's sender. One file of [`crate::alert`] for each kind.
pub trait AlertSource: Send + Sync + 'static {
    /// What kind of system it is, such as `alertmanager`.
    fn kind(&self) -> &'static str;

    /// Proves that the sender knows one of the secrets, before anything in
    /// `body` is looked at. Compares in constant time, with each live secret,
    /// over the body's bytes as they came.
    fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), Refusal>;

    /// Understands a message. Unknown fields, versions and values are never
    /// errors: what says nothing to us becomes [`crate::domain::alert::Says::Nothing`].
    fn decode(&self, body: &[u8], received_at: Timestamp) -> Result<Message, Undecodable>;
}

/// Why a message is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No bearer token.
    #[error("the header Authorization with a bearer token is missing")]
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
    /// Signed too long ago, or in the future; or the time is missing.
    #[error("the signature's time is missing, or too far from now")]
    Stale,
}
