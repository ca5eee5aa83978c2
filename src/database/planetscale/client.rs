//! Sends requests to PlanetScale's API: one call is one request, and none follows a redirect.
//!
//! | answer | error |
//! | --- | --- |
//! | 429 | `RateLimited` |
//! | 404, 410 | `NotFound`: the token may lack the right, which PlanetScale does not tell apart |
//! | 408 and 5xx, no answer, or one that can't be read, to a write | `Doubt`: it may have been executed |
//! | 408 and 5xx, or no answer, to a read; no connection at all | `Transient` |
//! | 3xx, 400, 401, 403, 422, any other, and an answer to a read that can't be read | `Permanent` |

use std::{
    collections::VecDeque,
    error::Error,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    metric,
    port::{clock::Clock, forge::ForgeError},
};

/// Connection time-out.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time-out of the whole exchange.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum size of an answer in bytes.
const MAX_ANSWER: usize = 16 * 1024 * 1024;
/// Most calls in [`SPAN`]: a tenth of what PlanetScale allows an organisation.
const MOST_CALLS: usize = 60;
const SPAN: SignedDuration = SignedDuration::from_mins(1);
/// Pause after a limit without further information, and the longest one accepted.
const DEFAULT_PAUSE: SignedDuration = SignedDuration::from_mins(1);
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(1);
/// Maximum length of PlanetScale's text in an error, in characters.
const MAX_TEXT: usize = 300;
/// Characters that stand for themselves in a path or a query.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Settings of a connection.
#[derive(Clone)]
pub struct Config {
    /// Root of the API, without a slash at its end.
    pub api_url: String,
    /// The organisation's name.
    pub organization: String,
    /// The database's name.
    pub database: String,
    /// The service token's id.
    pub service_token_id: String,
    /// The service token.
    pub service_token: SecretString,
    /// Clock.
    pub clock: Arc<dyn Clock>,
}

/// Sends requests about one database.
pub(super) struct Client {
    connection: String,
    http: reqwest::Client,
    /// Address of the database in the API.
    root: String,
    credential: RwLock<HeaderValue>,
    clock: Arc<dyn Clock>,
    pace: Mutex<Pace>,
}

/// Calls of the last minute, and a pause that PlanetScale asked for.
#[derive(Default)]
struct Pace {
    calls: VecDeque<Timestamp>,
    paused_until: Option<Timestamp>,
}

/// An error that PlanetScale describes.
#[derive(Deserialize)]
struct Described {
    message: String,
}

impl Client {
    pub(super) fn new(connection: &str, config: Config) -> Result<Self, String> {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TOTAL_TIMEOUT)
            .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| error.to_string())?;
        let (organization, database) = (segment(&config.organization), segment(&config.database));
        Ok(Self {
            connection: connection.to_owned(),
            http,
            root: format!("{}/v1/organizations/{organization}/databases/{database}", config.api_url),
            credential: RwLock::new(credential(&config.service_token_id, &config.service_token)?),
            clock: config.clock,
            pace: Mutex::default(),
        })
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Replaces the token; one that no header can carry changes nothing.
    pub(super) fn renew(&self, id: &str, token: &SecretString) {
        if let Ok(renewed) = credential(id, token) {
            *self.credential.write().unwrap_or_else(PoisonError::into_inner) = renewed;
        }
    }

    /// Reads something of the database. `route` names the call in metrics and errors, and contains
    /// no names; `path` follows the database's address.
    pub(super) async fn get<T: DeserializeOwned>(&self, route: &'static str, path: &str) -> Result<T, ForgeError> {
        self.call(Method::GET, route, path).await
    }

    /// Changes something of the database, with one request that has no body.
    pub(super) async fn post<T: DeserializeOwned>(&self, route: &'static str, path: &str) -> Result<T, ForgeError> {
        self.call(Method::POST, route, path).await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        route: &'static str,
        path: &str,
    ) -> Result<T, ForgeError> {
        self.admit()?;
        let is_write = method != Method::GET;
        let credential = self.credential.read().unwrap_or_else(PoisonError::into_inner).clone();
        let url = format!("{}{path}", self.root);
        let request = self.http.request(method, url).header(header::AUTHORIZATION, credential);
        let outcome = self.exchange(route, is_write, request).await;
        let status = match &outcome {
            Ok((status, ..)) => status.as_str().to_owned(),
            Err(_) => "unanswered".to_owned(),
        };
        metrics::counter!(metric::DATABASE_CALLS,
            "connection" => self.connection.clone(), "route" => route, "status" => status)
        .increment(1);
        let (status, headers, body) = outcome?;
        if status != StatusCode::OK {
            return Err(self.refused(route, is_write, status, &headers, &body));
        }
        serde_json::from_slice(&body).map_err(|error| {
            let why = format!("PlanetScale's answer can't be read: {error} ({route})");
            if is_write { ForgeError::Doubt(why) } else { ForgeError::Permanent(why) }
        })
    }

    async fn exchange(
        &self,
        route: &'static str,
        is_write: bool,
        request: reqwest::RequestBuilder,
    ) -> Result<(StatusCode, HeaderMap, Vec<u8>), ForgeError> {
        let lost = |error: &reqwest::Error| {
            let why = format!("{}: {route}", cause(error));
            if is_write && !error.is_connect() { ForgeError::Doubt(why) } else { ForgeError::Transient(why) }
        };
        let mut response = request.header(header::ACCEPT, "application/json").send().await.map_err(|e| lost(&e))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| lost(&e))? {
            if body.len() + chunk.len() > MAX_ANSWER {
                let why = format!("PlanetScale's answer is longer than {} MiB ({route})", MAX_ANSWER / (1024 * 1024));
                return Err(if is_write { ForgeError::Doubt(why) } else { ForgeError::Permanent(why) });
            }
            body.extend_from_slice(&chunk);
        }
        Ok((status, headers, body))
    }

    /// Counts a call, unless the pace or PlanetScale forbids it now.
    fn admit(&self) -> Result<(), ForgeError> {
        let now = self.clock.now();
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        // After the clock was set back, no pause may be longer than the longest.
        let is_ahead = |until: &Timestamp| *until > now && until.duration_since(now) <= LONGEST_PAUSE;
        pace.paused_until = pace.paused_until.filter(is_ahead);
        if let Some(until) = pace.paused_until {
            return Err(ForgeError::RateLimited { until });
        }
        pace.calls.retain(|at| *at <= now && now.duration_since(*at) < SPAN);
        if let Some(first) = pace.calls.front().filter(|_| pace.calls.len() >= MOST_CALLS) {
            return Err(ForgeError::RateLimited { until: first.checked_add(SPAN).unwrap_or(Timestamp::MAX) });
        }
        pace.calls.push_back(now);
        Ok(())
    }

    fn refused(&self, route: &str, is_write: bool, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> ForgeError {
        let words = serde_json::from_slice(body).map(|described: Described| described.message).unwrap_or_default();
        let words: String = words.chars().filter(|c| !c.is_control()).take(MAX_TEXT).collect();
        let words = if words.trim().is_empty() { "PlanetScale gave no reason".to_owned() } else { words };
        let text = format!("{} ({}, {route})", words.trim(), status.as_u16());
        match status.as_u16() {
            429 => {
                let now = self.clock.now();
                let seconds = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
                let pause = seconds.map_or(DEFAULT_PAUSE, SignedDuration::from_secs);
                let pause = pause.clamp(SignedDuration::from_secs(1), LONGEST_PAUSE);
                let until = now.checked_add(pause).unwrap_or(Timestamp::MAX);
                self.pace.lock().unwrap_or_else(PoisonError::into_inner).paused_until = Some(until);
                ForgeError::RateLimited { until }
            }
            404 | 410 => ForgeError::NotFound(text),
            408 | 500..=599 if is_write => ForgeError::Doubt(text),
            408 | 500..=599 => ForgeError::Transient(text),
            _ => ForgeError::Permanent(text),
        }
    }
}

/// Returns a name as one segment of a path, or a value of a query.
pub(super) fn segment(name: &str) -> String {
    utf8_percent_encode(name, PLAIN).to_string()
}

fn credential(id: &str, token: &SecretString) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::from_str(&format!("{id}:{}", token.expose_secret()))
        .map_err(|_| "the service token has characters that no header can carry".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}

/// Returns the innermost cause of an error: the others contain addresses.
fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("PlanetScale did not answer within {} s", TOTAL_TIMEOUT.as_secs());
    }
    let mut cause: &dyn Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    format!("no answer of PlanetScale: {cause}")
}
