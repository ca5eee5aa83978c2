//! A forge's API that does nothing and notes when it was asked.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use tokio::net::TcpListener;

use crate::Result;

/// When each issue got its first label, by the issue's number; and calls by kind.
#[derive(Debug, Default)]
pub struct Calls {
    /// First `POST …/issues/N/labels`.
    pub labelled: BTreeMap<u64, Instant>,
    /// All calls, by method and last part of the path that is no number.
    pub kinds: BTreeMap<String, u64>,
}

/// The running API.
#[derive(Debug, Clone)]
pub struct Stub {
    /// Where it listens.
    pub address: SocketAddr,
    calls: Arc<Mutex<Calls>>,
}

impl Stub {
    /// Starts it on a free port of this machine, in the present runtime.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let calls: Arc<Mutex<Calls>> = Arc::default();
        let routes = Router::new().fallback(answer).with_state(calls.clone());
        tokio::spawn(async move {
            use axum::serve::ListenerExt;
            let listener = listener.tap_io(|stream| {
                let _ = stream.set_nodelay(true);
            });
            axum::serve(listener, routes).await
        });
        Ok(Self { address, calls })
    }

    /// Looks at the calls so far.
    pub fn calls<T>(&self, look: impl FnOnce(&mut Calls) -> T) -> T {
        look(&mut self.calls.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn answer(State(calls): State<Arc<Mutex<Calls>>>, method: Method, uri: Uri, _body: Bytes) -> Response {
    let at = Instant::now();
    let parts: Vec<&str> = uri.path().trim_matches('/').split('/').collect();
    let issue = match parts.as_slice() {
        ["repos", _, _, "issues", number, "labels"] if method == Method::POST => number.parse().ok(),
        _ => None,
    };
    let last = parts.iter().rev().find(|part| part.parse::<u64>().is_err()).copied().unwrap_or("");
    {
        let mut calls = calls.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = issue {
            calls.labelled.entry(number).or_insert(at);
        }
        *calls.kinds.entry(format!("{method} …/{last}")).or_default() += 1;
    }
    let (status, body) = match (method.as_str(), last) {
        ("POST", "access_tokens") => {
            (StatusCode::CREATED, r#"{"token":"ghs_bench","expires_at":"2099-01-01T00:00:00Z"}"#)
        }
        ("POST", "labels") if issue.is_some() => (StatusCode::OK, r#"[{"name":"phase/plan"}]"#),
        ("POST", "labels") => (StatusCode::CREATED, r#"{"name":"phase/plan"}"#),
        ("POST", "graphql") => (
            StatusCode::OK,
            r#"{"data":{"repository":{"nameWithOwner":"ann/shop",
               "issue":{"linkedBranches":{"nodes":[]},"timelineItems":{"nodes":[]}},
               "pullRequest":{"closingIssuesReferences":{"nodes":[]}}}}}"#,
        ),
        ("GET", "permission") => (StatusCode::OK, r#"{"permission":"write","role_name":"write"}"#),
        ("GET", _) if parts.contains(&"contents") => (StatusCode::NOT_FOUND, r#"{"message":"Not Found"}"#),
        ("GET", _) if parts.contains(&"branches") && !parts.contains(&"rules") => {
            (StatusCode::OK, r#"{"name":"main","protected":false}"#)
        }
        ("GET", "main") if parts.contains(&"commits") => {
            (StatusCode::OK, r#"{"sha":"0123456789abcdef0123456789abcdef01234567"}"#)
        }
        ("GET", "app") => (StatusCode::OK, r#"{"id":4711,"slug":"phasebot"}"#),
        ("GET", _) => (StatusCode::OK, "[]"),
        _ => (StatusCode::OK, "{}"),
    };
    (status, [(header::CONTENT_TYPE, "application/json; charset=utf-8")], body).into_response()
}
