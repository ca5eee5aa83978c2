//! Registers an App from a manifest, and exchanges its code for credentials.
//!
//! <https://docs.github.com/apps/sharing-github-apps/registering-a-github-app-from-a-manifest>

use jiff::SignedDuration;
use rand::RngExt;
use secrecy::SecretString;

use super::{
    app::{App, Hook},
    auth::AppKey,
    manifest::{Manifest, Registration},
    route::Reply,
    state::State,
};

/// Time within which the whole exchange must be done.
const CODE_LIFE: SignedDuration = SignedDuration::from_hours(1);
/// Maximum length of an App's name, in characters.
const LONGEST_NAME: usize = 34;

/// Secrets that are shown only once.
pub(super) struct Secrets {
    pub(super) private_key: String,
    pub(super) client_secret: String,
}

impl State {
    /// Registers an App; returns the address to which the browser is sent with its code.
    pub(super) fn register(
        &mut self,
        manifest: Manifest,
        name: &str,
        owner: &str,
        state: &str,
    ) -> Result<String, String> {
        let name = name.trim();
        if name.is_empty() || name.chars().count() > LONGEST_NAME {
            return Err(format!("Name must have 1 to {LONGEST_NAME} characters"));
        }
        if slug(name) == self.app.slug {
            return Err("Name is already taken".to_owned());
        }
        let to = manifest.redirect_url.clone().unwrap_or_else(|| format!("{}/settings/apps/{}", self.web, slug(name)));
        let code = random(40);
        let (name, owner, at) = (name.to_owned(), owner.to_owned(), self.auth_clock.now());
        self.registrations.insert(code.clone(), Registration { manifest, name, owner, at });
        let joint = if to.contains('?') { '&' } else { '?' };
        Ok(format!("{to}{joint}code={code}&state={}", super::shape::escape(state)))
    }

    /// Exchanges a code, once. The App replaces the previous one, which is deleted with its
    /// installations.
    pub(super) fn convert(&mut self, code: &str) -> Result<Secrets, Reply> {
        let found = self.registrations.remove(code).ok_or_else(Reply::not_found)?;
        if self.auth_clock.now() > found.at + CODE_LIFE {
            return Err(Reply::not_found());
        }
        let (private_key, key) = AppKey::generate()?;
        let slug = slug(&found.name);
        self.user(&found.owner, "User");
        self.installations.clear();
        self.tokens.clear();
        let id = self.id();
        let mut permissions = found.manifest.default_permissions;
        permissions.entry("metadata".to_owned()).or_insert_with(|| "read".to_owned());
        self.app = App {
            id,
            slug,
            hook_id: self.app.hook_id,
            name: found.name,
            owner: found.owner,
            key,
            permissions,
            events: found.manifest.default_events,
            hook: Hook { url: found.manifest.hook_attributes.map(|h| h.url), secret: SecretString::from(random(40)) },
            created_at: found.at,
        };
        let bot = self.bot();
        self.user(&bot, "Bot");
        let client_secret = random(40);
        self.sign_ins.register(client_id(id), client_secret.clone(), found.manifest.callback_urls);
        Ok(Secrets { private_key, client_secret })
    }
}

/// Returns the client id of an App.
pub(super) fn client_id(app: u64) -> String {
    format!("Iv23{app:016x}")
}

/// Returns a name as part of an address.
fn slug(name: &str) -> String {
    let words: String = name.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { ' ' }).collect();
    words.split_whitespace().collect::<Vec<_>>().join("-")
}

fn random(digits: usize) -> String {
    let bytes: Vec<u8> = rand::rng().random_iter().take(digits / 2).collect();
    hex::encode(bytes)
}
