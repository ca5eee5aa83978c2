//! One request to GitHub and its answer, measured and traced.
//!
//! octocrab carries the requests. It is put together here from its own layers
//! without those that retry or follow redirects, so that one call is one
//! request. All installations share one connection pool; each request brings
//! its own token.

use std::{
    convert::Infallible,
    error::Error,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use jiff::Timestamp;
use octocrab::{
    AuthState, Octocrab, OctocrabBuilder,
    service::middleware::{
        base_uri::BaseUriLayer, extra_headers::ExtraHeadersLayer, reqwest_connector::ReqwestConnector,
    },
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tracing::Instrument;

use crate::forge::github::{SetupError, api_url::Root};
use crate::{
    domain::id::{ForgeName, InstallationId},
    metric,
};

/// Time to reach GitHub.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for the whole exchange. GitHub itself gives up after 10 s.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(15);
/// Largest answer that is read; the largest that GitHub sends us, a comparison
/// with its diffs, stays far below.
const MAX_ANSWER: usize = 32 * 1024 * 1024;

/// Sends requests.
pub(super) struct Transport {
    octocrab: Octocrab,
    forge: ForgeName,
    /// Where the API lives.
    pub(super) root: Root,
    /// What is left of the App's own limit, as last told.
    app: Mutex<Option<Allowance>>,
}

/// What is left of an hourly limit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    pub(super) limit: u32,
    pub(super) remaining: u32,
    /// When it is whole again.
    pub(super) reset: Timestamp,
}

/// A request to be made.
#[derive(Debug, Clone)]
pub(super) struct Call {
    /// The route as GitHub documents it, for metrics and errors: no names in it.
    pub(super) route: &'static str,
    /// Method.
    pub(super) method: Method,
    /// Path and query from the host's root.
    pub(super) path: String,
    /// JSON body.
    pub(super) body: Option<Value>,
    /// It changes nothing, whatever its method: repeating it is harmless.
    pub(super) read: bool,
}

/// In whose name a request goes.
pub(super) struct Credential<'a> {
    /// The installation; `None`: the App itself.
    pub(super) installation: Option<InstallationId>,
    /// What proves it; `None`: nothing needs proof.
    pub(super) token: Option<&'a SecretString>,
}

/// What came back.
pub(super) struct Raw {
    /// Status.
    pub(super) status: StatusCode,
    /// Headers.
    pub(super) headers: HeaderMap,
    /// Body; `None` if it could not be read to its end.
    pub(super) body: Option<Bytes>,
}

/// No answer came.
pub(super) enum Lost {
    /// No connection: surely not done.
    NotSent(String),
    /// The request may have arrived.
    Unanswered(String),
}

impl Transport {
    /// Prepares the connection pool; call it within a Tokio runtime.
    pub(super) fn new(forge: ForgeName, api_url: &str) -> Result<Self, SetupError> {
        let root = Root::parse(api_url).map_err(SetupError::ApiUrl)?;
        let origin = root.origin().parse().map_err(|error| SetupError::ApiUrl(format!("{error}")))?;
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TOTAL_TIMEOUT)
            .build()
            .map_err(|error| SetupError::Client(error.to_string()))?;
        let headers = vec![
            (
                header::USER_AGENT,
                HeaderValue::from_static(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"))),
            ),
            (header::ACCEPT, HeaderValue::from_static("application/vnd.github+json")),
            (HeaderName::from_static("x-github-api-version"), HeaderValue::from_static("2022-11-28")),
        ];
        let built: Result<Octocrab, Infallible> = OctocrabBuilder::new_empty()
            .with_service(ReqwestConnector::new(http))
            .with_layer(&BaseUriLayer::new(origin))
            .with_layer(&ExtraHeadersLayer::new(Arc::new(headers)))
            .with_auth(AuthState::None)
            .build();
        match built {
            Ok(octocrab) => Ok(Self { octocrab, forge, root, app: Mutex::default() }),
            Err(never) => match never {},
        }
    }

    /// Sends `call` once, to `path` if a redirect changed it.
    pub(super) async fn exchange(
        &self,
        call: &Call,
        path: &str,
        credential: Credential<'_>,
        etag: Option<&str>,
    ) -> Result<Raw, Lost> {
        let installation = credential.installation;
        let span = tracing::debug_span!(
            "forge_call",
            forge = %self.forge,
            route = call.route,
            installation,
            status = tracing::field::Empty,
        );
        async {
            let began = std::time::Instant::now();
            let result = self.send(call, path, &credential, etag).await;
            let status = match &result {
                Ok(raw) => raw.status.as_str().to_owned(),
                Err(Lost::NotSent(_)) => "not_sent".to_owned(),
                Err(Lost::Unanswered(_)) => "unanswered".to_owned(),
            };
            tracing::Span::current().record("status", status.as_str());
            let forge = self.forge.0.clone();
            metrics::histogram!(metric::API_SECONDS, "forge" => forge.clone(), "route" => call.route)
                .record(began.elapsed().as_secs_f64());
            metrics::counter!(metric::API_CALLS,
                "forge" => forge, "route" => call.route, "status" => status)
            .increment(1);
            match (&result, installation) {
                (Ok(raw), Some(id)) => self.note_remaining(&raw.headers, id),
                (Ok(raw), None) if credential.token.is_some() => self.note_allowance(&raw.headers),
                _ => {}
            }
            tracing::debug!("answered");
            result
        }
        .instrument(span)
        .await
    }

    async fn send(
        &self,
        call: &Call,
        path: &str,
        credential: &Credential<'_>,
        etag: Option<&str>,
    ) -> Result<Raw, Lost> {
        let mut request = Request::builder().method(call.method.clone()).uri(path);
        if let Some(token) = credential.token {
            let mut token = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()))
                .map_err(|_| Lost::NotSent("the token is not text".to_owned()))?;
            token.set_sensitive(true);
            request = request.header(header::AUTHORIZATION, token);
        }
        if let Some(etag) = etag {
            request = request.header(header::IF_NONE_MATCH, etag);
        }
        let body = match &call.body {
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                body.to_string()
            }
            None => String::new(),
        };
        let request = request.body(body.into()).map_err(|error| Lost::NotSent(error.to_string()))?;
        let response = self.octocrab.send(request).await;
        let (parts, body) = response.map_err(|error| lost(&error))?.into_parts();
        let body = Limited::new(body, MAX_ANSWER).collect().await.ok().map(http_body_util::Collected::to_bytes);
        Ok(Raw { status: parts.status, headers: parts.headers, body })
    }

    /// What is left of the App's own limit, if GitHub told.
    pub(super) fn allowance(&self) -> Option<Allowance> {
        *self.app.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_allowance(&self, headers: &HeaderMap) {
        let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u32>().ok();
        let reset = number("x-ratelimit-reset").and_then(|at| Timestamp::from_second(at.into()).ok());
        if let (Some(limit), Some(remaining), Some(reset)) =
            (number("x-ratelimit-limit"), number("x-ratelimit-remaining"), reset)
        {
            *self.app.lock().unwrap_or_else(PoisonError::into_inner) = Some(Allowance { limit, remaining, reset });
        }
    }

    /// GraphQL and search have limits of their own; the gauge shows the one that labels use.
    fn note_remaining(&self, headers: &HeaderMap, installation: InstallationId) {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        if text("x-ratelimit-resource").is_some_and(|resource| resource != "core") {
            return;
        }
        if let Some(remaining) = text("x-ratelimit-remaining").and_then(|text| text.parse::<u32>().ok()) {
            metrics::gauge!(metric::RATE_LIMIT_REMAINING,
                "forge" => self.forge.0.clone(), "installation" => installation.to_string())
            .set(f64::from(remaining));
        }
    }
}

/// Tells whether a failed request can have reached GitHub.
fn lost(error: &octocrab::Error) -> Lost {
    let mut cause: &(dyn Error + 'static) = error;
    let mut by_reqwest: Option<(bool, bool)> = None;
    while let Some(next) = cause.source() {
        cause = next;
        if let Some(error) = cause.downcast_ref::<reqwest::Error>() {
            by_reqwest = Some((error.is_connect(), error.is_timeout()));
        }
    }
    // The innermost cause has no address in it, the outer ones have.
    match by_reqwest {
        Some((true, _)) => Lost::NotSent(format!("no connection to GitHub: {cause}")),
        Some((false, true)) => Lost::Unanswered(format!("GitHub did not answer within {} s", TOTAL_TIMEOUT.as_secs())),
        _ => Lost::Unanswered(format!("the connection to GitHub broke: {cause}")),
    }
}
