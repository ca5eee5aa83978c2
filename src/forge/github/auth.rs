//! Authentication: the App's own signature, and cached installation tokens, each requested once.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use tokio::sync::Mutex as AsyncMutex;

use crate::{
    domain::id::ConnectionId,
    forge::github::SetupError,
    port::{clock::Clock, forge::ForgeError},
};

/// Time before a token's expiry (after one hour) at which it is renewed.
const RENEW_BEFORE: SignedDuration = SignedDuration::from_mins(5);
/// Minimum time that a token is used, whatever the difference between the clocks. GitHub answers an
/// expired token with a 401, and it is dropped.
const USE_AT_LEAST: SignedDuration = SignedDuration::from_mins(1);
/// Time after a refusal during which no token is requested.
const BACK_OFF: SignedDuration = SignedDuration::from_secs(5);

/// Seconds by which the signature is dated back, as GitHub advises, because clocks differ.
const ISSUED_BEFORE: i64 = 60;
/// Validity of the signature: nine minutes. GitHub accepts at most ten.
const EXPIRES_AFTER: i64 = 9 * 60;

/// Private key of the App. octocrab could sign too, but only with the machine's clock, which
/// differs from a simulation's.
pub(super) struct AppKey {
    app_id: u64,
    key: EncodingKey,
}

impl AppKey {
    /// Parses an RSA key in PEM form.
    pub(super) fn new(app_id: u64, pem: &SecretString) -> Result<Self, SetupError> {
        let key = EncodingKey::from_rsa_pem(pem.expose_secret().as_bytes())
            .map_err(|error| SetupError::PrivateKey(error.to_string()))?;
        Ok(Self { app_id, key })
    }

    /// Signs as the App; returns a JSON Web Token (RS256).
    /// <https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app>
    pub(super) fn sign(&self, now: Timestamp) -> Result<Token, ForgeError> {
        #[derive(Serialize)]
        struct Claims {
            iss: u64,
            iat: i64,
            exp: i64,
        }
        let now_s = now.as_second();
        let claims = Claims { iss: self.app_id, iat: now_s - ISSUED_BEFORE, exp: now_s + EXPIRES_AFTER };
        let jwt = jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &self.key)
            .map_err(|error| ForgeError::Permanent(format!("the App's key does not sign: {error}")))?;
        Ok(Token { secret: jwt.into(), serial: 0, renew_at: now })
    }
}

/// A new token from GitHub.
pub(super) struct Minted {
    /// The token.
    pub(super) secret: SecretString,
    /// Time when GitHub stops accepting it.
    pub(super) expires_at: Timestamp,
}

/// A token in use. `serial` distinguishes it from earlier and later tokens.
#[derive(Clone)]
pub(super) struct Token {
    /// The token.
    pub(super) secret: SecretString,
    serial: u64,
    renew_at: Timestamp,
}

/// Caches installation tokens and renews them.
pub(super) struct TokenBroker {
    clock: Arc<dyn Clock>,
    slots: Mutex<HashMap<ConnectionId, Arc<AsyncMutex<Slot>>>>,
}

#[derive(Default)]
struct Slot {
    token: Option<Token>,
    minted: u64,
    refused: Option<(Timestamp, ForgeError)>,
}

impl TokenBroker {
    /// Creates a broker without tokens.
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, slots: Mutex::default() }
    }

    /// Returns the installation's token.
    /// Of concurrent callers, one awaits its `mint`; the others wait for that result, which may be
    /// an error, and drop their own `mint`.
    pub(super) async fn token(
        &self,
        installation: ConnectionId,
        mint: impl Future<Output = Result<Minted, ForgeError>>,
    ) -> Result<Token, ForgeError> {
        let slot = self.slot(installation);
        // The lock is held during the request on purpose: this makes the other callers wait.
        let mut slot = slot.lock().await;
        let now = self.clock.now();
        if let Some(token) = slot.token.as_ref().filter(|token| now < token.renew_at) {
            return Ok(token.clone());
        }
        if let Some((until, error)) = &slot.refused
            && now < *until
        {
            return Err(error.clone());
        }
        match mint.await {
            Ok(minted) => {
                slot.minted += 1;
                let renew_at = later(minted.expires_at, -RENEW_BEFORE).max(later(self.clock.now(), USE_AT_LEAST));
                let token = Token { secret: minted.secret, serial: slot.minted, renew_at };
                slot.token = Some(token.clone());
                slot.refused = None;
                Ok(token)
            }
            Err(error) => {
                let until = match &error {
                    ForgeError::RateLimited { until } => *until,
                    _ => later(self.clock.now(), BACK_OFF),
                };
                slot.refused = Some((until, error.clone()));
                Err(error)
            }
        }
    }

    /// Drops a token that GitHub rejected, so that the next caller gets a new one.
    pub(super) async fn forget(&self, installation: ConnectionId, token: &Token) {
        let slot = self.slot(installation);
        let mut slot = slot.lock().await;
        if slot.token.as_ref().is_some_and(|held| held.serial == token.serial) {
            slot.token = None;
        }
    }

    /// Drops the token of an installation that no longer exists.
    pub(super) fn drop_token(&self, installation: ConnectionId) {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).remove(&installation);
    }

    fn slot(&self, installation: ConnectionId) -> Arc<AsyncMutex<Slot>> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.entry(installation).or_default().clone()
    }
}

/// Returns `at` plus `by`, or `at` itself if the sum is out of range.
pub(super) fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(at)
}
