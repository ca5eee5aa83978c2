//! Verifies that a sender knows a secret.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, header};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::port::alert::Refusal;

/// Signatures of one header that are read: a sender rotates between two secrets.
pub(crate) const MOST_SIGNATURES: usize = 4;

/// The live secrets: two while one is being replaced, otherwise one.
///
/// An empty secret proves nothing and is left out; without any secret every message is refused.
#[derive(Clone)]
pub(crate) struct Secrets(Vec<SecretString>);

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Secrets").field(&self.0.len()).finish()
    }
}

impl Secrets {
    pub(crate) fn new(secrets: &[SecretString]) -> Self {
        Self(secrets.iter().filter(|secret| !secret.expose_secret().is_empty()).cloned().collect())
    }

    /// Verifies a bearer token (RFC 6750) against the secrets.
    pub(crate) fn verify_bearer(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let value = single_header(headers, &header::AUTHORIZATION, Refusal::MissingToken, Refusal::BadToken)?;
        let (scheme, token) = value.split_at_checked(7).ok_or(Refusal::BadToken)?;
        if !scheme.eq_ignore_ascii_case(b"Bearer ") {
            return Err(Refusal::BadToken);
        }
        self.verify_secret(token)
    }

    /// Verifies a token that is the whole value of the header `name`; `None`: a bearer token.
    pub(crate) fn verify_token(&self, headers: &HeaderMap, name: Option<&HeaderName>) -> Result<(), Refusal> {
        let Some(name) = name else { return self.verify_bearer(headers) };
        self.verify_secret(single_header(headers, name, Refusal::MissingToken, Refusal::BadToken)?)
    }

    fn verify_secret(&self, token: &[u8]) -> Result<(), Refusal> {
        // Hashes have equal lengths, so a comparison takes constant time.
        let given = Sha256::digest(token.trim_ascii());
        let known = self.any(|secret| {
            let wanted = Sha256::digest(secret);
            given.iter().zip(wanted.iter()).fold(0, |found, (a, b)| found | (a ^ b)) == 0
        });
        if known { Ok(()) } else { Err(Refusal::BadToken) }
    }

    /// Verifies a header with the HMAC-SHA256 of `parts` in hex, bare or after `sha256=`.
    pub(crate) fn verify_signature(
        &self,
        headers: &HeaderMap,
        name: &HeaderName,
        parts: &[&[u8]],
    ) -> Result<(), Refusal> {
        let value = single_header(headers, name, Refusal::MissingSignature, Refusal::BadSignature)?;
        let digits = value.strip_prefix(b"sha256=").unwrap_or(value);
        if self.signed_in_hex(digits, parts) { Ok(()) } else { Err(Refusal::BadSignature) }
    }

    /// Verifies a header with several signatures of the body, separated by commas, each after
    /// `version`: one for each secret that the sender knows. One that matches is enough.
    pub(crate) fn verify_listed_signature(
        &self,
        headers: &HeaderMap,
        name: &HeaderName,
        version: &[u8],
        body: &[u8],
    ) -> Result<(), Refusal> {
        let value = single_header(headers, name, Refusal::MissingSignature, Refusal::BadSignature)?;
        let listed = value.split(|byte| *byte == b',');
        let of_version = listed.filter_map(|one| one.trim_ascii().strip_prefix(version));
        if of_version.take(MOST_SIGNATURES).any(|digits| self.signed_in_hex(digits, &[body])) {
            Ok(())
        } else {
            Err(Refusal::BadSignature)
        }
    }

    /// Returns whether `digits` are the HMAC-SHA256 of `parts`, in hex, with one of the secrets.
    fn signed_in_hex(&self, digits: &[u8], parts: &[&[u8]]) -> bool {
        let mut signature = [0; 32];
        // Fails unless there are exactly 64 digits.
        hex::decode_to_slice(digits, &mut signature).is_ok() && self.signed(&signature, parts, <[u8]>::to_vec)
    }

    /// Returns whether `signature` is the HMAC-SHA256 of `parts` with the key of one of the secrets.
    pub(crate) fn signed(&self, signature: &[u8], parts: &[&[u8]], key: fn(&[u8]) -> Vec<u8>) -> bool {
        self.any(|secret| {
            // HMAC accepts a key of any length.
            let mac = Hmac::<Sha256>::new_from_slice(&key(secret)).ok();
            mac.is_some_and(|mac| parts.iter().fold(mac, Mac::chain_update).verify_slice(signature).is_ok())
        })
    }

    /// Tries every secret, so that the time taken does not reveal which one matched.
    fn any(&self, matches: impl Fn(&[u8]) -> bool) -> bool {
        self.0.iter().fold(false, |found, secret| found | matches(secret.expose_secret().as_bytes()))
    }
}

/// Returns a header that must occur exactly once: a proxy and we could read two of them
/// differently.
pub(crate) fn single_header<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
    missing: Refusal,
    repeated: Refusal,
) -> Result<&'a [u8], Refusal> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().ok_or(missing)?;
    if values.next().is_some() { Err(repeated) } else { Ok(value.as_bytes()) }
}
