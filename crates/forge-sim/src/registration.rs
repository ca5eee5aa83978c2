//! Registers an App from a manifest: the requirements of a manifest, and the exchange of its code
//! for credentials.
//!
//! <https://docs.github.com/apps/sharing-github-apps/registering-a-github-app-from-a-manifest>

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use rand::RngExt;
use secrecy::SecretString;
use serde::Deserialize;

use super::{
    auth::AppKey,
    route::Reply,
    state::{App, Hook, State},
};

/// Time within which the whole exchange must be done.
const CODE_LIFE: SignedDuration = SignedDuration::from_hours(1);
/// Maximum length of an App's name, in characters.
const LONGEST_NAME: usize = 34;

/// A registered App whose credentials were not fetched yet.
pub(super) struct Registration {
    manifest: Manifest,
    name: String,
    owner: String,
    at: Timestamp,
}

/// An App manifest, as far as it matters here. GitHub rejects unknown keys as well.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    pub(super) name: Option<String>,
    url: String,
    hook_attributes: Option<HookAttributes>,
    redirect_url: Option<String>,
    #[serde(default)]
    callback_urls: Vec<String>,
    #[serde(default, rename = "description")]
    _description: String,
    #[serde(default, rename = "public")]
    _public: bool,
    #[serde(default)]
    default_permissions: BTreeMap<String, String>,
    #[serde(default)]
    default_events: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct HookAttributes {
    url: String,
    #[serde(default, rename = "active")]
    _active: bool,
}

/// Secrets that are shown only once.
pub(super) struct Secrets {
    pub(super) private_key: String,
    pub(super) client_secret: String,
}

impl Manifest {
    /// Parses a manifest, and rejects what GitHub rejects.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let manifest: Self = serde_json::from_str(text).map_err(|error| format!("Error {error}"))?;
        if !is_web(&manifest.url) {
            return Err("Error Url must be a valid URL".to_owned());
        }
        if manifest.redirect_url.as_deref().is_some_and(|url| !is_web(url)) {
            return Err("Error Redirect url must be a valid URL".to_owned());
        }
        if let Some(hook) = &manifest.hook_attributes {
            if !is_web(&hook.url) {
                return Err("Error Hook url must be a valid URL".to_owned());
            }
            let host = hook.url.split('/').nth(2).unwrap_or("");
            if host.starts_with("localhost") || host.starts_with("127.") || host.starts_with("[::1]") {
                return Err(
                    "Error Hook url is not supported because it isn't reachable over the public Internet (localhost)"
                        .to_owned(),
                );
            }
        }
        if let Some(level) =
            manifest.default_permissions.values().find(|l| !["read", "write", "admin"].contains(&l.as_str()))
        {
            return Err(format!("Error Default permission level {level} is not supported"));
        }
        for event in &manifest.default_events {
            let needs = permission_of(event).ok_or_else(|| format!("Error Default events unsupported: {event}"))?;
            if !needs.is_empty() && !needs.iter().any(|p| manifest.default_permissions.contains_key(*p)) {
                return Err(format!("Error Default events are not supported by permissions: {event}"));
            }
        }
        Ok(manifest)
    }
}

/// Returns the permissions of which an App needs one to receive an event; `None` if the event is
/// not supported. <https://docs.github.com/webhooks/webhook-events-and-payloads>
fn permission_of(event: &str) -> Option<&'static [&'static str]> {
    Some(match event {
        "check_run" | "check_suite" => &["checks"],
        "create" | "delete" | "push" | "release" => &["contents"],
        "deployment" | "deployment_status" | "deployment_protection_rule" => &["deployments"],
        "deployment_review" | "workflow_job" | "workflow_run" => &["actions"],
        "issue_comment" | "issues" => &["issues", "pull_requests"],
        "label" | "milestone" | "repository" => &["metadata"],
        "merge_group" => &["merge_queues"],
        "pull_request" | "pull_request_review" => &["pull_requests"],
        "status" => &["statuses"],
        _ => return None,
    })
}

fn is_web(url: &str) -> bool {
    url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).is_some_and(|rest| !rest.is_empty())
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
