//! A server that gives scripted answers and records its requests.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use jiff::{SignedDuration, Timestamp};
use phasebot::{
    domain::id::{ForgeName, RepoKey},
    forge::github::{GitHub, GitHubConfig},
    port::{clock::Clock, forge::Target},
};
use serde_json::{Value, json};

/// Throwaway key of the tests.
pub const KEY: &str = include_str!("../../fixtures/test-key.pem");
/// Id of our App in the tests.
pub const APP: u64 = 4711;
/// Start time of every test.
pub const START: &str = "2026-11-22T12:00:00Z";

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Asked {
    /// `METHOD /path?query`, undecoded.
    pub line: String,
    pub headers: HeaderMap,
    pub body: Option<Value>,
}

/// A scripted answer.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

/// Creates an answer with a JSON body.
#[expect(clippy::needless_pass_by_value, reason = "reads better at the many places that call it")]
pub fn answer(status: u16, body: Value) -> Answer {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    Answer { status, headers: Vec::new(), body }
}

impl Answer {
    /// Adds a header.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

#[derive(Default)]
struct Script {
    asked: Mutex<Vec<Asked>>,
    answers: Mutex<HashMap<String, VecDeque<Answer>>>,
    mints: AtomicUsize,
}

/// The server.
#[derive(Clone)]
pub struct Server {
    script: Arc<Script>,
    pub url: String,
}

impl Server {
    pub async fn start() -> Self {
        let script = Arc::new(Script::default());
        let app = Router::new().fallback(serve).with_state(script.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { script, url }
    }

    /// Sets the answer to `line`; several answers to one line are given in turn, the last one
    /// forever.
    pub fn on(&self, line: &str, answer: Answer) -> &Self {
        self.script.answers.lock().unwrap().entry(line.to_owned()).or_default().push_back(answer);
        self
    }

    /// Returns all requests so far, except those for tokens.
    pub fn asked(&self) -> Vec<Asked> {
        let asked = self.script.asked.lock().unwrap();
        asked.iter().filter(|asked| !is_mint(&asked.line)).cloned().collect()
    }

    /// Returns the first lines of these requests.
    pub fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).collect()
    }

    /// Returns the requests for tokens.
    pub fn mints(&self) -> Vec<Asked> {
        let asked = self.script.asked.lock().unwrap();
        asked.iter().filter(|asked| is_mint(&asked.line)).cloned().collect()
    }

    /// Returns the bearer tokens of all requests, except those for tokens.
    pub fn bearers(&self) -> Vec<String> {
        let bearer = |asked: &Asked| asked.headers["authorization"].to_str().unwrap().replace("Bearer ", "");
        self.asked().iter().map(bearer).collect()
    }
}

fn is_mint(line: &str) -> bool {
    line.starts_with("POST /app/installations/")
}

async fn serve(
    State(script): State<Arc<Script>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let line = format!("{method} {uri}");
    let asked = Asked { line: line.clone(), headers, body: serde_json::from_slice(&body).ok() };
    script.asked.lock().unwrap().push(asked);
    let scripted = script.answers.lock().unwrap().get_mut(&line).and_then(|answers| {
        let next = answers.front().cloned();
        if answers.len() > 1 {
            answers.pop_front();
        }
        next
    });
    let answer = match scripted {
        Some(answer) => answer,
        None if is_mint(&line) => {
            // Slow enough that all concurrent callers ask before the token exists.
            tokio::task::yield_now().await;
            let n = script.mints.fetch_add(1, Ordering::SeqCst) + 1;
            answer(201, json!({ "token": format!("ghs_verysecret{n}"), "expires_at": "2026-11-22T13:00:00Z" }))
        }
        None => answer(418, json!({ "message": format!("the test did not expect {line}") })),
    };
    let mut response = (StatusCode::from_u16(answer.status).unwrap(), answer.body).into_response();
    for (name, value) in answer.headers {
        response.headers_mut().append(name, value.parse().unwrap());
    }
    response
}

/// A clock that stands still until it is set.
pub struct TestClock(Mutex<Timestamp>);

impl TestClock {
    pub fn forward(&self, seconds: i64) {
        *self.0.lock().unwrap() += SignedDuration::from_secs(seconds);
    }
}

#[async_trait]
impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    async fn sleep_until(&self, _at: Timestamp) {
        std::future::pending::<()>().await;
    }
}

/// A server, a clock, and the GitHub adapter between them.
pub struct World {
    pub server: Server,
    pub clock: Arc<TestClock>,
    pub github: GitHub,
}

/// Creates a world whose API has the path prefix `prefix`.
pub async fn world_at(prefix: &str) -> World {
    let server = Server::start().await;
    let clock = Arc::new(TestClock(Mutex::new(START.parse().unwrap())));
    let github = github(&format!("{}{prefix}", server.url), clock.clone());
    World { server, clock, github }
}

/// Creates a world like github.com.
pub async fn world() -> World {
    world_at("").await
}

/// Creates the adapter for an API.
pub fn github(api_url: &str, clock: Arc<TestClock>) -> GitHub {
    GitHub::new(GitHubConfig {
        name: ForgeName::github(),
        app_id: APP,
        private_key: KEY.into(),
        webhook_secrets: vec!["a webhook secret".into()],
        api_url: api_url.to_owned(),
        rate_limits: true,
        clock,
    })
    .unwrap()
}

/// Creates a clock at [`START`].
pub fn clock() -> Arc<TestClock> {
    Arc::new(TestClock(Mutex::new(START.parse().unwrap())))
}

/// Returns acme/shop with number 7 and installation 5.
pub fn target() -> Target {
    Target { installation: 5, repo: RepoKey { forge: ForgeName::github(), id: 7 }, full_name: "acme/shop".to_owned() }
}
