//! Sealed cookies: AES-256-GCM, so that nobody but us can read or make them.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hmac,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::RngExt as _;
use secrecy::{ExposeSecret, SecretString};

/// Separates our keys from other uses of the same secret.
const USE: &[u8] = b"phasebot web cookie 1";

/// Keys of the cookies: the first one seals, all of them open, so that a key can be replaced.
pub(super) struct Keys(Vec<LessSafeKey>);

impl Keys {
    /// Derives a key from each secret.
    pub(super) fn new(secrets: &[SecretString]) -> Self {
        let key = |secret: &SecretString| {
            let derived = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes()), USE);
            UnboundKey::new(&AES_256_GCM, derived.as_ref()).ok().map(LessSafeKey::new)
        };
        Self(secrets.iter().filter_map(key).collect())
    }

    /// Seals text for the cookie `name`; `None` without a key.
    pub(super) fn seal(&self, name: &str, text: &str) -> Option<String> {
        let nonce = rand::rng().random::<[u8; NONCE_LEN]>();
        let mut sealed = text.as_bytes().to_vec();
        let key = self.0.first()?;
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(name), &mut sealed).ok()?;
        Some(URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat()))
    }

    /// Opens what was sealed for the cookie `name`; `None` if it was not, or by another key.
    pub(super) fn open(&self, name: &str, sealed: &str) -> Option<String> {
        let bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>()?;
        self.0.iter().find_map(|key| {
            let mut text = sealed.to_vec();
            let opened = key.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(name), &mut text).ok()?;
            String::from_utf8(opened.to_vec()).ok()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(secrets: &[&str]) -> Keys {
        Keys::new(&secrets.iter().map(|secret| SecretString::from(*secret)).collect::<Vec<_>>())
    }

    #[test]
    fn only_the_key_and_the_name_open_what_was_sealed() {
        let sealed = keys(&["new"]).seal("a", "Größe").unwrap();
        assert_ne!(sealed, keys(&["new"]).seal("a", "Größe").unwrap());
        assert_eq!(keys(&["new"]).open("a", &sealed).as_deref(), Some("Größe"));
        // The old key still opens while it is listed.
        assert_eq!(keys(&["newer", "new"]).open("a", &sealed).as_deref(), Some("Größe"));
        assert_eq!(keys(&["newer"]).open("a", &sealed), None);
        assert_eq!(keys(&["new"]).open("b", &sealed), None);
        assert_eq!(keys(&[]).seal("a", "x"), None);
        for at in 0..sealed.len() {
            let mut bytes = sealed.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            assert_ne!(keys(&["new"]).open("a", &String::from_utf8(bytes).unwrap()).as_deref(), Some("Größe"), "{at}");
        }
        for odd in ["", "A", "AAAA", "é", "=", &sealed[1..]] {
            assert_eq!(keys(&["new"]).open("a", odd), None, "{odd}");
        }
    }
}
