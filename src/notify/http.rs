//! Sends requests to targets of notices: one call is one request, and none follows a redirect.
//!
//! | answer | error |
//! | --- | --- |
//! | 429 | `RateLimited` |
//! | 410 | `Gone` |
//! | 408 and 5xx, or no answer, after the request was sent | `Doubt`: it may have been executed |
//! | no connection at all | `Transient` |
//! | 3xx, 4xx and any other | `Permanent` |

use std::{error::Error, sync::Arc, time::Duration};

use http::{HeaderMap, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::port::{clock::Clock, notify::NotifyError};

/// Connection time-out.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time-out of the whole exchange.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(15);
/// Maximum size of an answer in bytes.
const MAX_ANSWER: usize = 256 * 1024;
/// Pause after a limit without further information, and the longest one accepted.
const DEFAULT_PAUSE: SignedDuration = SignedDuration::from_secs(30);
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(1);
/// Maximum length of a target's words in an error, in characters.
const MAX_WORDS: usize = 100;

/// An HTTP client for targets.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    clock: Arc<dyn Clock>,
}

/// An answer, whatever its status.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// A reason as several systems give it in JSON. Nothing else of an answer is quoted: a page about an
/// error may repeat the address, which is a secret.
#[derive(Deserialize)]
struct Described {
    message: Option<String>,
    error: Option<String>,
}

impl Client {
    /// Creates a client; `Err` is what the TLS library says.
    pub fn new(clock: Arc<dyn Clock>) -> Result<Self, String> {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TOTAL_TIMEOUT)
            .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self { http, clock })
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Begins a request.
    pub(super) fn request(&self, method: reqwest::Method, url: &str) -> reqwest::RequestBuilder {
        self.http.request(method, url)
    }

    /// Sends a request, and reads its answer.
    pub(super) async fn send(&self, request: reqwest::RequestBuilder) -> Result<Answer, NotifyError> {
        let lost = |error: &reqwest::Error| {
            let why = cause(error);
            if error.is_connect() || error.is_builder() { NotifyError::Transient(why) } else { NotifyError::Doubt(why) }
        };
        let mut response = request.send().await.map_err(|error| lost(&error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| lost(&error))? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(NotifyError::Doubt("the answer is too long".to_owned()));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, headers, body })
    }

    /// Sends a request, and returns its answer if it is a success.
    pub(super) async fn expect(&self, request: reqwest::RequestBuilder) -> Result<Answer, NotifyError> {
        let answer = self.send(request).await?;
        if answer.status.is_success() { Ok(answer) } else { Err(self.refused(&answer)) }
    }

    /// Returns the error that an unsuccessful answer means.
    pub(super) fn refused(&self, answer: &Answer) -> NotifyError {
        let described = serde_json::from_slice::<Described>(&answer.body).ok();
        let words = described.and_then(|described| described.message.or(described.error)).map(|words| plain(&words));
        let words = words.filter(|words| !words.is_empty()).map_or_else(String::new, |words| format!(": {words}"));
        let text = format!("{}{words}", answer.status.as_u16());
        match answer.status.as_u16() {
            429 => NotifyError::RateLimited { until: self.lifts_at(&answer.headers) },
            410 => NotifyError::Gone(text),
            408 | 500..=599 => NotifyError::Doubt(text),
            300..=399 => NotifyError::Permanent(format!("{text}: redirects are not followed")),
            _ => NotifyError::Permanent(text),
        }
    }

    /// Returns when a limit ends.
    pub(super) fn lifts_at(&self, headers: &HeaderMap) -> Timestamp {
        let seconds =
            headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse::<f64>().ok());
        let pause = seconds.filter(|seconds| seconds.is_finite() && *seconds >= 0.0);
        let pause = pause.and_then(|seconds| SignedDuration::try_from_secs_f64(seconds).ok()).unwrap_or(DEFAULT_PAUSE);
        let pause = pause.clamp(SignedDuration::from_secs(1), LONGEST_PAUSE);
        self.now().checked_add(pause).unwrap_or(Timestamp::MAX)
    }
}

/// Returns a target's words on one line, without control characters, cut to a length.
pub(super) fn plain(words: &str) -> String {
    words.chars().filter(|c| !c.is_control()).take(MAX_WORDS).collect::<String>().trim().to_owned()
}

/// Returns the innermost cause of an error: the others contain addresses.
fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", TOTAL_TIMEOUT.as_secs());
    }
    let mut cause: &dyn Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    // Without a cause below it, the error's own text would name the address.
    if cause.is::<reqwest::Error>() { "the request failed".to_owned() } else { format!("no answer: {cause}") }
}
