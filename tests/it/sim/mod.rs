//! The simulated forge: its answers and webhooks compared with GitHub's own description, and the
//! requests that it rejects.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod api;
mod hooks;
mod rules;

use std::sync::{Arc, LazyLock, Mutex};

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use phasebot_forge_sim::{AppKey, Clock, Options, Person, SimForge};
use reqwest::{Method, Response};
use secrecy::SecretString;
use serde_json::{Value, json};

const APP: u64 = 4711;
const SECRET: &str = "a webhook secret";
const REPO: &str = "acme/shop";

/// A clock that is set by hand.
pub struct HandClock(Mutex<Timestamp>);

impl HandClock {
    fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new("2026-03-02T10:00:00Z".parse().unwrap())))
    }

    fn forward(&self, by: SignedDuration) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// One key for all tests: the private half in PEM, and the public one.
static KEY: LazyLock<(String, AppKey)> = LazyLock::new(|| AppKey::generate().unwrap());

/// A simulation with the App installed on `acme/shop`, and a client for it.
struct World {
    clock: Arc<HandClock>,
    signs_by: Arc<dyn Clock>,
    sim: SimForge,
    http: reqwest::Client,
    installation: u64,
    token: String,
}

impl World {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut Options)) -> Self {
        let clock = HandClock::new();
        Self::start(clock.clone(), clock, change).await
    }

    /// Creates a world in which another clock validates JSON Web Tokens and tokens.
    async fn new_signed_by(clock: Arc<dyn Clock>) -> Self {
        Self::start(HandClock::new(), clock.clone(), |o| o.auth_clock = Some(clock)).await
    }

    async fn start(clock: Arc<HandClock>, signs_by: Arc<dyn Clock>, change: impl FnOnce(&mut Options)) -> Self {
        let mut options = Options::new(APP, KEY.1.clone(), SecretString::from(SECRET), clock.clone());
        change(&mut options);
        let sim = SimForge::start(options).await.unwrap();
        sim.create_repo(REPO).unwrap();
        let installation = sim.install("alice", &[REPO]).unwrap().made;
        let http = reqwest::Client::builder()
            .no_proxy()
            .user_agent("phasebot-tests")
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        let mut world = Self { clock, signs_by, sim, http, installation, token: String::new() };
        world.token = world.new_token(json!({})).await;
        world.sim.clear_requests();
        world.sim.take_pending();
        world
    }

    fn person(&self, login: &str) -> Person {
        self.sim.person(login, REPO).unwrap()
    }

    fn jwt(&self, iss: &Value, from: i64, until: i64) -> String {
        signed(&KEY.0, self.signs_by.now(), iss, from, until)
    }

    async fn send(&self, method: Method, path: &str, authorization: &str, body: Option<Value>) -> Response {
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.sim.api_url()))
            .header("authorization", authorization)
            .header("accept", "application/vnd.github+json");
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        request.send().await.unwrap()
    }

    /// Sends a request as the App.
    async fn app(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let jwt = format!("Bearer {}", self.jwt(&json!(APP), -60, 540));
        json_of(self.send(method, path, &jwt, body).await).await
    }

    /// Sends a request as the installation.
    async fn call(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        json_of(self.send(method, path, &format!("Bearer {}", self.token), body).await).await
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.call("GET", path, None).await
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.call("POST", path, Some(body)).await
    }

    /// Registers an App on the web page; returns the resulting code.
    async fn registered(&self, hook: &str) -> String {
        let answer = self.register(hook).await;
        let to = answer.headers()["location"].to_str().unwrap().to_owned();
        to.split_once("code=").unwrap().1.split('&').next().unwrap().to_owned()
    }

    /// Returns the web page's answer to a manifest with this webhook.
    async fn register(&self, hook: &str) -> Response {
        let manifest = json!({
            "name": "other",
            "url": "https://bot.example",
            "redirect_url": "http://127.0.0.1:1/callback",
            "hook_attributes": { "url": hook },
            "default_permissions": { "issues": "write", "metadata": "read" },
            "default_events": ["issues"],
        });
        let escaped = manifest.to_string().bytes().fold(String::new(), |text, b| text + &format!("%{b:02X}"));
        let request = self.http.post(format!("{}/settings/apps", self.sim.web_url()));
        request.body(format!("name=other&owner=alice&state=s&manifest={escaped}")).send().await.unwrap()
    }

    async fn new_token(&self, body: Value) -> String {
        let path = format!("/app/installations/{}/access_tokens", self.installation);
        let (status, made) = self.app(Method::POST, &path, Some(body)).await;
        assert_eq!(status, 201, "{made}");
        made["token"].as_str().unwrap().to_owned()
    }
}

/// Creates a JSON Web Token whose times are in seconds from `now`.
fn signed(pem: &str, now: Timestamp, iss: &Value, from: i64, until: i64) -> String {
    let now = now.as_second();
    let claims = json!({ "iss": iss, "iat": now + from, "exp": now + until });
    let key = EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap();
    jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &key).unwrap()
}

async fn json_of(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}
