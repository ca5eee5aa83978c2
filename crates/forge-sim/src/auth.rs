//! Authentication: the App by its JSON Web Token, or an installation by its token.
//!
//! <https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app>

use aws_lc_rs::{encoding::AsDer, rsa};
use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Validation, jwk::Jwk};
use serde::Deserialize;
use serde_json::Value;

use super::SimError;

/// Maximum lifetime of a JSON Web Token, in seconds.
const LONGEST: i64 = 600;
/// Maximum time by which `iat` may lie in the future, in seconds.
const LEEWAY: i64 = 60;

/// The App's public key.
#[derive(Clone)]
pub struct AppKey(DecodingKey);

impl AppKey {
    /// Reads the public key from PEM.
    pub fn from_public_pem(pem: &str) -> Result<Self, SimError> {
        DecodingKey::from_rsa_pem(pem.as_bytes()).map(Self).map_err(|e| SimError::Key(e.to_string()))
    }

    /// Derives the public key from a private key in PEM.
    pub fn from_private_pem(pem: &str) -> Result<Self, SimError> {
        let key = EncodingKey::from_rsa_pem(pem.as_bytes()).map_err(|e| SimError::Key(e.to_string()))?;
        let jwk = Jwk::from_encoding_key(&key, Algorithm::RS256).map_err(|e| SimError::Key(e.to_string()))?;
        DecodingKey::from_jwk(&jwk).map(Self).map_err(|e| SimError::Key(e.to_string()))
    }

    /// Generates a key pair; returns the private key in PEM, and the public key.
    pub fn generate() -> Result<(String, Self), SimError> {
        let failed = |_| SimError::Key("can't make an RSA key".to_owned());
        let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).map_err(failed)?;
        let der = pair.as_der().map_err(failed)?;
        let text = STANDARD.encode(der.as_ref());
        let mut pem = String::from("-----BEGIN PRIVATE KEY-----\n");
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let (line, more) = rest.split_at(rest.len().min(64));
            pem.push_str(line);
            pem.push('\n');
            rest = more;
        }
        pem.push_str("-----END PRIVATE KEY-----\n");
        let key = Self::from_private_pem(&pem)?;
        Ok((pem, key))
    }
}

impl std::fmt::Debug for AppKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AppKey")
    }
}

#[derive(Deserialize)]
struct Claims {
    iss: Value,
    iat: i64,
    exp: i64,
}

/// Checks an App's JSON Web Token. The error is GitHub's message.
pub(super) fn check_jwt(token: &str, key: &AppKey, app_id: u64, now: Timestamp) -> Result<(), &'static str> {
    let mut validation = Validation::new(Algorithm::RS256);
    // The times are checked below, against the simulation's clock.
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    let claims = jsonwebtoken::decode::<Claims>(token, &key.0, &validation)
        .map_err(|_| "A JSON web token could not be decoded")?
        .claims;
    let issuer = claims.iss.as_u64().or_else(|| claims.iss.as_str().and_then(|s| s.parse().ok()));
    if issuer != Some(app_id) {
        return Err("'Issuer' claim ('iss') must be an Integer");
    }
    let now = now.as_second();
    if claims.exp <= now {
        return Err(
            "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires",
        );
    }
    if claims.exp - now > LONGEST {
        return Err("'Expiration time' claim ('exp') is too far in the future");
    }
    if claims.iat > now + LEEWAY {
        return Err("'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued");
    }
    Ok(())
}
