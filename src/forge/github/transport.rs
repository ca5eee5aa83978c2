//! Sends one request to GitHub and returns the answer, with metrics and traces.
//!
//! Uses octocrab. The client is composed from octocrab's own layers without those that retry or
//! follow redirects, so one call is exactly one request. All installations share one connection
//! pool; each request carries its own token.

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

use crate::{
    domain::id::{ConnectionId, ForgeName},
    forge::github::{SetupError, api_url::Root},
    metric,
};

/// Connection time-out.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time-out of the whole exchange. GitHub itself stops after 10 s.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(15);
/// Maximum size of an answer in bytes. GitHub's largest answer to us, a comparison with its diffs,
/// is far smaller.
const MAX_ANSWER: usize = 32 * 1024 * 1024;

/// Sends requests to one GitHub instance.
pub(super) struct Transport {
    octocrab: Octocrab,
    forge: ForgeName,
    /// Root of the API.
    pub(super) root: Root,
    /// Rate limit of the App itself, as GitHub last reported it.
    app: Mutex<Option<Allowance>>,
}

/// State of an hourly rate limit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    pub(super) limit: u32,
    pub(super) remaining: u32,
    /// Time when the limit resets.
    pub(super) reset: Timestamp,
}

/// A request to send.
#[derive(Debug, Clone)]
pub(super) struct Call {
    /// Route as GitHub documents it, for metrics and errors; contains no names.
    pub(super) route: &'static str,
    /// HTTP method.
    pub(super) method: Method,
    /// Path and query, relative to the host's root.
    pub(super) path: String,
    /// JSON body.
    pub(super) body: Option<Value>,
    /// Whether the request changes nothing, whatever its method: repeating it is harmless.
    pub(super) read: bool,
}

/// Identity and token of a request.
pub(super) struct Credential<'a> {
    /// Installation; `None` for the App itself.
    pub(super) installation: Option<ConnectionId>,
    /// Token; `None` if the request needs no authentication.
    pub(super) token: Option<&'a SecretString>,
}

/// An unprocessed answer.
pub(super) struct Raw {
    /// HTTP status.
    pub(super) status: StatusCode,
    /// Headers.
    pub(super) headers: HeaderMap,
    /// Body; `None` if it could not be read completely.
    pub(super) body: Option<Bytes>,
}

/// Reasons why no answer arrived.
pub(super) enum Lost {
    /// No connection was made: the request was certainly not executed.
    NotSent(String),
    /// The request may have arrived and may have been executed.
    Unanswered(String),
}

impl Transport {
    /// Creates the connection pool without sending a request. Requires a Tokio runtime.
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

    /// Sends `call` once, to `path`, which differs from the call's own path after a redirect.
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

    /// Returns the App's own rate limit, if GitHub has reported it.
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

    /// Records the remaining rate limit. GraphQL and search have their own limits; the gauge shows
    /// the one that label writes use.
    fn note_remaining(&self, headers: &HeaderMap, installation: ConnectionId) {
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

/// Classifies a failed request by whether it can have reached GitHub.
fn lost(error: &octocrab::Error) -> Lost {
    let mut cause: &(dyn Error + 'static) = error;
    let mut by_reqwest: Option<(bool, bool)> = None;
    while let Some(next) = cause.source() {
        cause = next;
        if let Some(error) = cause.downcast_ref::<reqwest::Error>() {
            by_reqwest = Some((error.is_connect(), error.is_timeout()));
        }
    }
    // Only the innermost cause contains no address.
    match by_reqwest {
        Some((true, _)) => Lost::NotSent(format!("no connection to GitHub: {cause}")),
        Some((false, true)) => Lost::Unanswered(format!("GitHub did not answer within {} s", TOTAL_TIMEOUT.as_secs())),
        _ => Lost::Unanswered(format!("the connection to GitHub broke: {cause}")),
    }
}
