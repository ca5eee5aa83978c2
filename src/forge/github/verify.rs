//! Verification of deliveries' signatures.
//!
//! GitHub signs the raw body with HMAC-SHA256 under the webhook's secret and sends the result as
//! `X-Hub-Signature-256: sha256=<hex>` (GitHub Docs, "Validating webhook deliveries"). The older
//! `X-Hub-Signature` (SHA-1) is not accepted. The signature does not cover the other headers.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use crate::port::forge::{Refusal, Verified};

const SIGNATURE: &str = "X-Hub-Signature-256";
const EVENT: &str = "X-GitHub-Event";
const DELIVERY: &str = "X-GitHub-Delivery";
/// Header with the id of the webhook.
pub(super) const HOOK: &str = "X-GitHub-Hook-ID";

/// Maximum length of an accepted header value, in bytes. GitHub's event names have under 50, its
/// delivery ids (a UUID) 36, its hook ids about 10.
const LONGEST_NAME: usize = 128;

/// Verifier with the valid webhook secrets, each as a keyed MAC.
#[derive(Clone)]
pub struct Verifier {
    keys: Vec<Hmac<Sha256>>,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("keys", &self.keys.len()).finish()
    }
}

impl Verifier {
    /// Prepares the secrets: two during a rotation, otherwise one.
    ///
    /// Ignores an empty secret, because it proves nothing. A verifier without secrets rejects
    /// everything.
    pub fn new(secrets: &[SecretString]) -> Self {
        let keys = secrets
            .iter()
            .map(|secret| secret.expose_secret().as_bytes())
            .filter(|secret| !secret.is_empty())
            // HMAC accepts a key of any length, so this drops none.
            .filter_map(|secret| Hmac::new_from_slice(secret).ok())
            .collect();
        Self { keys }
    }

    /// Verifies that GitHub sent `body`, then reads the event, delivery and hook from the headers.
    ///
    /// # Errors
    /// [`Refusal::MissingSignature`] without a signature header,
    /// [`Refusal::BadSignature`] if it is repeated, malformed or wrong,
    /// [`Refusal::BadHeader`] if a signed delivery lacks its event or id.
    pub fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<Verified, Refusal> {
        let signature = signature(headers)?;
        // Tries every secret, so that the time does not reveal which one matched.
        let genuine = self
            .keys
            .iter()
            .fold(false, |found, key| found | key.clone().chain_update(body).verify_slice(&signature).is_ok());
        if !genuine {
            return Err(Refusal::BadSignature);
        }
        Ok(Verified {
            // Names with a dot are reserved for events that phasebot creates itself.
            event: name(headers, EVENT)?.filter(|event| !event.contains('.')).ok_or(Refusal::BadHeader(EVENT))?,
            delivery: name(headers, DELIVERY)?.ok_or(Refusal::BadHeader(DELIVERY))?,
            hook: name(headers, HOOK)?.unwrap_or_default(),
        })
    }
}

/// Returns the signature's bytes. A repeated header is rejected, because a proxy and phasebot could
/// read different values.
fn signature(headers: &HeaderMap) -> Result<[u8; 32], Refusal> {
    let mut values = headers.get_all(SIGNATURE).iter();
    let value = values.next().ok_or(Refusal::MissingSignature)?;
    if values.next().is_some() {
        return Err(Refusal::BadSignature);
    }
    let digits = value.as_bytes().strip_prefix(b"sha256=").ok_or(Refusal::BadSignature)?;
    let mut signature = [0; 32];
    // Fails unless there are exactly 64 digits.
    hex::decode_to_slice(digits, &mut signature).map_err(|_| Refusal::BadSignature)?;
    Ok(signature)
}

/// Returns a header's value; rejects a repeated header and a value that is too long or contains
/// spaces or unprintable characters.
fn name(headers: &HeaderMap, header: &'static str) -> Result<Option<String>, Refusal> {
    let mut values = headers.get_all(header).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.as_bytes();
    let fine =
        values.next().is_none() && (1..=LONGEST_NAME).contains(&text.len()) && text.iter().all(u8::is_ascii_graphic);
    match value.to_str() {
        Ok(text) if fine => Ok(Some(text.to_owned())),
        _ => Err(Refusal::BadHeader(header)),
    }
}
