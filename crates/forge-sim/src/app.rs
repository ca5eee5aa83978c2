//! The App, as the forge stores it, and the people who signed in through it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use secrecy::SecretString;

use super::auth::AppKey;

/// The App, as the forge stores it.
pub(super) struct App {
    pub(super) id: u64,
    pub(super) slug: String,
    /// `X-GitHub-Hook-ID` of its webhook.
    pub(super) hook_id: u64,
    pub(super) name: String,
    /// Login of the account that owns it.
    pub(super) owner: String,
    pub(super) key: AppKey,
    pub(super) permissions: BTreeMap<String, String>,
    pub(super) events: Vec<String>,
    pub(super) hook: Hook,
    pub(super) created_at: Timestamp,
}

/// The App's webhook.
pub(super) struct Hook {
    /// Address that receives webhooks; `None` if none is set yet.
    pub(super) url: Option<String>,
    pub(super) secret: SecretString,
}

/// The App's registration for sign-in, and the people who signed in.
#[derive(Debug, Default)]
pub(super) struct SignIns {
    pub(super) client_id: String,
    pub(super) client_secret: String,
    /// Addresses to which the browser may be sent back.
    pub(super) callbacks: Vec<String>,
    pub(super) codes: BTreeMap<String, Code>,
    pub(super) tokens: BTreeMap<String, (String, Timestamp)>,
}

/// A code that was not exchanged yet.
#[derive(Debug)]
pub(super) struct Code {
    pub(super) login: String,
    pub(super) challenge: String,
    pub(super) redirect: String,
    pub(super) at: Timestamp,
}

impl SignIns {
    /// Registers what an App needs to sign people in.
    pub(super) fn register(&mut self, client_id: String, client_secret: String, callbacks: Vec<String>) {
        *self = Self { client_id, client_secret, callbacks, ..Self::default() };
    }
}
