//! Proof of who we are: the App's own signature, and installation tokens, one
//! at a time per installation and asked for once.

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
    domain::id::InstallationId,
    forge::github::SetupError,
    port::{clock::Clock, forge::ForgeError},
};

/// A token is renewed this long before GitHub lets it expire (after one hour).
const RENEW_BEFORE: SignedDuration = SignedDuration::from_mins(5);
/// A token is used at least this long, however the clocks differ; one that
/// has expired is answered with a 401 and forgotten.
const USE_AT_LEAST: SignedDuration = SignedDuration::from_mins(1);
/// After a refusal nobody asks again for this long.
const BACK_OFF: SignedDuration = SignedDuration::from_secs(5);

/// The App's signature is dated back, as GitHub advises, against clocks that differ.
const ISSUED_BEFORE: i64 = 60;
/// It runs for nine minutes; GitHub takes at most ten.
const EXPIRES_AFTER: i64 = 9 * 60;

/// The App's key. octocrab could sign too, but only by the machine's clock,
/// which a simulation does not follow.
pub(super) struct AppKey {
    app_id: u64,
    key: EncodingKey,
}

impl AppKey {
    /// Reads an RSA key in PEM form.
    pub(super) fn new(app_id: u64, pem: &SecretString) -> Result<Self, SetupError> {
        let key = EncodingKey::from_rsa_pem(pem.expose_secret().as_bytes())
            .map_err(|error| SetupError::PrivateKey(error.to_string()))?;
        Ok(Self { app_id, key })
    }

    /// Signs as the App: a JSON Web Token, RS256.
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

/// A token as GitHub made it.
pub(super) struct Minted {
    /// The token.
    pub(super) secret: SecretString,
    /// When GitHub stops taking it.
    pub(super) expires_at: Timestamp,
}

/// A token in use. `serial` tells it from those before and after it.
#[derive(Clone)]
pub(super) struct Token {
    /// The token.
    pub(super) secret: SecretString,
    serial: u64,
    renew_at: Timestamp,
}

/// Hands out tokens.
pub(super) struct TokenBroker {
    clock: Arc<dyn Clock>,
    slots: Mutex<HashMap<InstallationId, Arc<AsyncMutex<Slot>>>>,
}

#[derive(Default)]
struct Slot {
    token: Option<Token>,
    minted: u64,
    refused: Option<(Timestamp, ForgeError)>,
}

impl TokenBroker {
    /// A broker that knows no token yet.
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, slots: Mutex::default() }
    }

    /// The installation's token. Of many who ask at once one awaits its `mint`;
    /// the others wait for what it brings, be it an error, and drop theirs.
    pub(super) async fn token(
        &self,
        installation: InstallationId,
        mint: impl Future<Output = Result<Minted, ForgeError>>,
    ) -> Result<Token, ForgeError> {
        let slot = self.slot(installation);
        // Held across the request on purpose: this is what makes the others wait.
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

    /// GitHub did not take this token: the next who asks gets a new one.
    pub(super) async fn forget(&self, installation: InstallationId, token: &Token) {
        let slot = self.slot(installation);
        let mut slot = slot.lock().await;
        if slot.token.as_ref().is_some_and(|held| held.serial == token.serial) {
            slot.token = None;
        }
    }

    /// The installation is gone, and its token with it.
    pub(super) fn drop_token(&self, installation: InstallationId) {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).remove(&installation);
    }

    fn slot(&self, installation: InstallationId) -> Arc<AsyncMutex<Slot>> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.entry(installation).or_default().clone()
    }
}

/// `at` moved by `by`; `at` itself at the ends of time.
pub(super) fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(at)
}
