//! A simulated PlanetScale: one database with deploy requests, in the shape of its API.
//!
//! It checks the service token, refuses what PlanetScale refuses, and keeps a record of every
//! request. Tests check that record against PlanetScale's own OpenAPI description.

mod answer;
mod shape;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::{net::TcpListener, task::JoinHandle};

use super::{
    SimError,
    clock::Clock,
    exchange::Exchange,
    fault::{Fault, Faults},
};

/// Organisation, database, service token's id and service token.
pub const ORGANIZATION: &str = "acme";
/// The database.
pub const DATABASE: &str = "shop";
/// The service token's id.
pub const TOKEN_ID: &str = "ps-id";
/// The service token.
pub const TOKEN: &str = "pscale_tkn_secret";

/// A deploy request.
#[derive(Debug, Clone)]
pub struct DeployRequest {
    /// Its number.
    pub number: u64,
    /// The branch with the new schema.
    pub branch: String,
    /// The branch that is to get it.
    pub into: String,
    /// PlanetScale's word for the state, whatever it is.
    pub state: String,
    /// Whether it was closed.
    pub closed: bool,
    /// Whether somebody approved it.
    pub approved: bool,
    /// Whether it waits at its cutover until somebody applies it.
    pub gated: bool,
    /// Notes.
    pub notes: String,
    /// Statements, each with whether it can drop data.
    pub statements: Vec<(String, bool)>,
    /// Codes of lint errors.
    pub lint: Vec<String>,
    /// The reason for which the queue is paused, if it is.
    pub paused: Option<String>,
    /// Time until which it can be reverted.
    pub revertible_until: Option<Timestamp>,
    /// Number of times that it was deployed.
    pub deployed: u32,
    /// Time of its last change.
    pub updated_at: Timestamp,
}

/// A webhook of the database.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// Address.
    pub url: String,
    /// Whether it sends anything.
    pub enabled: bool,
    /// Whether its last message arrived.
    pub last_sent_success: bool,
    /// Its events.
    pub events: Vec<String>,
}

struct State {
    clock: Arc<dyn Clock>,
    requests: BTreeMap<u64, DeployRequest>,
    webhooks: Vec<Webhook>,
    needs_approval: bool,
    /// Whether a deployment is applied at once.
    at_once: bool,
    kind: &'static str,
    /// Rights of the token, as PlanetScale names them.
    rights: Vec<&'static str>,
    faults: Faults,
    exchanges: Vec<Exchange>,
}

/// A handle to the simulation, which ends when it is dropped.
pub struct SimPlanetScale {
    state: Arc<Mutex<State>>,
    url: String,
    serving: JoinHandle<()>,
}

impl Drop for SimPlanetScale {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl SimPlanetScale {
    /// Starts it, with a token that may do everything.
    pub async fn start(clock: Arc<dyn Clock>) -> Result<Self, SimError> {
        let network = |e: std::io::Error| SimError::Network(e.to_string());
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(network)?;
        let address = listener.local_addr().map_err(network)?;
        let rights = vec!["read_database", "read_deploy_request", "create_deploy_request"];
        let state = Arc::new(Mutex::new(State {
            clock,
            requests: BTreeMap::new(),
            webhooks: Vec::new(),
            needs_approval: false,
            at_once: false,
            kind: "mysql",
            rights,
            faults: Faults::default(),
            exchanges: Vec::new(),
        }));
        let serving = tokio::spawn(answer::serve(listener, state.clone()));
        Ok(Self { state, url: format!("http://{address}"), serving })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the root of the API.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Opens a deploy request into `main` that is ready, and returns its number.
    pub fn open(&self, branch: &str, statements: &[(&str, bool)]) -> u64 {
        let mut state = self.state();
        let number = state.requests.len() as u64 + 1;
        let request = DeployRequest {
            number,
            branch: branch.to_owned(),
            into: "main".to_owned(),
            state: "ready".to_owned(),
            closed: false,
            approved: false,
            gated: false,
            notes: String::new(),
            statements: statements.iter().map(|(text, drops)| ((*text).to_owned(), *drops)).collect(),
            lint: Vec::new(),
            paused: None,
            revertible_until: None,
            deployed: 0,
            updated_at: state.clock.now(),
        };
        state.requests.insert(number, request);
        number
    }

    /// Changes a deploy request.
    pub fn change(&self, number: u64, how: impl FnOnce(&mut DeployRequest)) {
        let mut state = self.state();
        let now = state.clock.now();
        if let Some(request) = state.requests.get_mut(&number) {
            how(request);
            request.updated_at = now;
        }
    }

    /// Puts a deploy request into a state by PlanetScale's word for it.
    pub fn set_state(&self, number: u64, word: &str) {
        self.change(number, |request| word.clone_into(&mut request.state));
    }

    /// Returns a deploy request.
    pub fn request(&self, number: u64) -> Option<DeployRequest> {
        self.state().requests.get(&number).cloned()
    }

    /// Requires an approval of each deploy request.
    pub fn require_approval(&self) {
        self.state().needs_approval = true;
    }

    /// Applies each deployment at once, as a small one is.
    pub fn apply_at_once(&self) {
        self.state().at_once = true;
    }

    /// Makes it a database of another kind: `postgresql`.
    pub fn set_kind(&self, kind: &'static str) {
        self.state().kind = kind;
    }

    /// Gives the token only these rights.
    pub fn set_rights(&self, rights: &[&'static str]) {
        self.state().rights = rights.to_vec();
    }

    /// Adds a webhook.
    pub fn add_webhook(&self, webhook: Webhook) {
        self.state().webhooks.push(webhook);
    }

    /// Injects a fault into the next `times` matching requests.
    pub fn inject(&self, fault: Fault, times: u32) {
        self.state().faults.add(fault, 0, times);
    }

    /// Returns the requests so far, oldest first.
    pub fn requests(&self) -> Vec<Exchange> {
        self.state().exchanges.clone()
    }

    /// Returns the body of a webhook about a deploy request.
    pub fn webhook(&self, event: &str, number: u64) -> Value {
        let state = self.state();
        let resource = state.requests.get(&number).map(|request| shape::deploy_request(&state, request));
        json!({
            "timestamp": state.clock.now().as_second(),
            "event": event,
            "organization": ORGANIZATION,
            "database": DATABASE,
            "resource": resource,
        })
    }
}

/// Returns the value of `X-PlanetScale-Signature`.
pub fn sign(secret: &str, body: &[u8]) -> String {
    // HMAC accepts a key of any length, so this cannot fail.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}
