//! Signatures of the Standard Webhooks specification (standard-webhooks/standard-webhooks,
//! `spec/standard-webhooks.md`): HMAC-SHA256 over `ID.SECONDS.BODY`, in Base64.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::{HeaderMap, HeaderName};
use jiff::{SignedDuration, Timestamp};

use crate::{
    port::alert::Refusal,
    sender::proof::{MOST_SIGNATURES, Secrets, single_header},
};

/// Header with the message's id.
const ID: HeaderName = HeaderName::from_static("webhook-id");
/// Header with the time of sending, in seconds since 1970.
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
/// Header with the signatures, separated by spaces: one for each secret that the sender knows.
pub(crate) const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
/// Prefix of a symmetric signature.
const VERSION: &[u8] = b"v1,";
/// Prefix of a secret in Base64.
const ENCODED_SECRET: &[u8] = b"whsec_";
/// Maximum difference between the signature's time and ours.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// Verifies a message's signature and time.
pub(crate) fn verify(secrets: &Secrets, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<(), Refusal> {
    let id = single_header(headers, &ID, Refusal::MissingSignature, Refusal::BadSignature)?;
    let seconds = single_header(headers, &TIMESTAMP, Refusal::Stale, Refusal::Stale)?;
    let value = single_header(headers, &SIGNATURE, Refusal::MissingSignature, Refusal::BadSignature)?;
    let listed = value.split(|byte| *byte == b' ').filter_map(|one| one.strip_prefix(VERSION));
    let mut signatures = listed.take(MOST_SIGNATURES).filter_map(|one| BASE64_STANDARD.decode(one).ok());
    if !signatures.any(|signature| secrets.signed(&signature, &[id, b".", seconds, b".", body], key)) {
        return Err(Refusal::BadSignature);
    }
    let sent_at = std::str::from_utf8(seconds).ok().and_then(|text| text.parse().ok());
    let sent_at = sent_at.and_then(|seconds| Timestamp::from_second(seconds).ok()).ok_or(Refusal::Stale)?;
    if now.duration_since(sent_at).abs() > SKEW { Err(Refusal::Stale) } else { Ok(()) }
}

/// Returns the key that a secret stands for: a secret in Base64 begins with `whsec_`.
fn key(secret: &[u8]) -> Vec<u8> {
    let decoded = secret.strip_prefix(ENCODED_SECRET).and_then(|encoded| BASE64_STANDARD.decode(encoded).ok());
    // The empty key is everybody's: such a secret is as good as its text.
    decoded.filter(|key| !key.is_empty()).unwrap_or_else(|| secret.to_vec())
}
