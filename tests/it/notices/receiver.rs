//! A server that takes what each kind of target takes, and records it.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Asked {
    /// `METHOD /path?query`, undecoded.
    pub line: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Asked {
    /// Returns the body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Returns a header.
    pub fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }
}

/// An answer in place of the usual one.
#[derive(Debug, Clone)]
pub enum Answer {
    /// This status, header and body.
    Status(u16, Option<(&'static str, String)>, String),
    /// None at all.
    Hangs,
}

/// Returns an answer with a status alone.
pub fn status(status: u16) -> Answer {
    Answer::Status(status, None, String::new())
}

#[derive(Default)]
struct Script {
    asked: Mutex<Vec<Asked>>,
    answers: Mutex<VecDeque<Answer>>,
    always: Mutex<Option<Answer>>,
}

/// The server.
#[derive(Clone)]
pub struct Receiver {
    script: Arc<Script>,
    pub url: String,
}

impl Receiver {
    pub async fn start() -> Self {
        let script = Arc::new(Script::default());
        let app = Router::new().fallback(serve).with_state(script.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { script, url }
    }

    /// Answers the next request with this one.
    pub fn answer(&self, answer: Answer) -> &Self {
        self.script.answers.lock().unwrap().push_back(answer);
        self
    }

    /// Answers every request with this one; `None`: as usual.
    pub fn always(&self, answer: Option<Answer>) {
        *self.script.always.lock().unwrap() = answer;
    }

    /// Returns all requests so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.script.asked.lock().unwrap().clone()
    }

    /// Returns the first lines of these requests.
    pub fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).collect()
    }
}

async fn serve(
    State(script): State<Arc<Script>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let line = format!("{method} {uri}");
    let number = {
        let mut asked = script.asked.lock().unwrap();
        asked.push(Asked { line: line.clone(), headers, body });
        asked.len()
    };
    let scripted = script.answers.lock().unwrap().pop_front().or_else(|| script.always.lock().unwrap().clone());
    match scripted {
        Some(Answer::Hangs) => std::future::pending().await,
        Some(Answer::Status(status, header, body)) => {
            let header = header.map(|(name, value)| [(name, value)]);
            let status = StatusCode::from_u16(status).unwrap();
            match header {
                Some(header) => (status, header, body).into_response(),
                None => (status, body).into_response(),
            }
        }
        None => usual(&line, number),
    }
}

/// Returns what each kind of target answers to a request that it takes.
fn usual(line: &str, number: usize) -> Response {
    let (method, path) = line.split_once(' ').unwrap();
    let path = path.split('?').next().unwrap();
    let answer = match (method, path) {
        ("POST", "/api/auth.test") => json!({ "ok": true, "user": "phasebot", "team": "Acme" }),
        ("POST", "/api/chat.postMessage" | "/api/chat.update") => {
            json!({ "ok": true, "ts": format!("1700000000.{number:06}") })
        }
        ("POST", "/discord") => json!({ "id": number.to_string() }),
        ("GET", "/discord") => json!({ "id": "7", "name": "phasebot" }),
        ("PATCH", path) if path.starts_with("/discord/messages/") => json!({ "id": "1" }),
        ("PUT", path) if path.starts_with("/_matrix/client/v3/rooms/") => {
            json!({ "event_id": format!("$event{number}") })
        }
        ("GET", "/_matrix/client/v3/account/whoami") => json!({ "user_id": "@phasebot:example.com" }),
        ("POST", "/hook" | "/slack" | "/teams" | "/mattermost") => return "ok".into_response(),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    axum::Json(answer).into_response()
}
