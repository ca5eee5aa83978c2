//! Classification of unsuccessful answers.
//!
//! | answer | error |
//! | --- | --- |
//! | 429; 403 with `retry-after`, with no requests left, or about a rate limit | `RateLimited` |
//! | 410 whose message says that something was deleted | `Deleted` |
//! | 404, 410, 451 | `NotFound` |
//! | 401 although the token is fresh | `Transient`: an operator or GitHub must fix it |
//! | 409 (a passing state such as a merge in progress; an empty repository) | `Transient` |
//! | 408 and 5xx, or no answer, to a write | `Doubt`: it may have been executed |
//! | 408 and 5xx, or no answer, to a read; no connection at all | `Transient` |
//! | 400, 403, 422 and any other | `Permanent` |

use http::{HeaderMap, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    forge::github::{
        auth::later,
        transport::{Call, Lost, Raw},
    },
    port::forge::ForgeError,
};

/// Maximum length of GitHub's text in an error, in characters.
const MAX_TEXT: usize = 300;
/// GitHub's advice for a limit without further information: wait at least a minute.
const DEFAULT_WAIT: SignedDuration = SignedDuration::from_secs(60);
/// Maximum time that a header can block an installation. GitHub's limits are per hour.
const MAX_WAIT: SignedDuration = SignedDuration::from_hours(2);

/// An unsuccessful call.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    /// HTTP status, if GitHub answered.
    pub(super) status: Option<StatusCode>,
    /// GitHub's message, sanitized.
    pub(super) message: String,
    /// Route of the call; empty if the error already names it.
    pub(super) route: &'static str,
    /// Meaning for the caller.
    pub(super) error: ForgeError,
}

impl From<Failure> for ForgeError {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

impl From<ForgeError> for Failure {
    fn from(error: ForgeError) -> Self {
        Self { status: None, message: String::new(), route: "", error }
    }
}

impl Failure {
    /// Classifies an unsuccessful answer.
    pub(super) fn answered(call: &Call, raw: &Raw, now: Timestamp) -> Self {
        let message = message(raw.body.as_deref().unwrap_or_default());
        let status = raw.status;
        let advice = if status == StatusCode::FORBIDDEN { permission_advice(&raw.headers, &message) } else { None };
        let text = sentence(&message, advice.as_deref(), status, call.route);
        let error = match status.as_u16() {
            429 => ForgeError::RateLimited { until: lifts_at(&raw.headers, now) },
            403 if is_limit(&raw.headers, &message) => ForgeError::RateLimited { until: lifts_at(&raw.headers, now) },
            // A repository with issues turned off answers 410, too; they can come back.
            410 if message.to_lowercase().contains("was deleted") => ForgeError::Deleted(text),
            404 | 410 | 451 => ForgeError::NotFound(text),
            401 | 409 => ForgeError::Transient(text),
            408 | 500..=599 if call.read => ForgeError::Transient(text),
            408 | 500..=599 => ForgeError::Doubt(text),
            _ => ForgeError::Permanent(text),
        };
        Self { status: Some(status), message, route: call.route, error }
    }

    /// Classifies a missing answer.
    pub(super) fn lost(call: &Call, lost: Lost) -> Self {
        let error = match lost {
            Lost::NotSent(why) => ForgeError::Transient(format!("{}: {why}", call.route)),
            Lost::Unanswered(why) if call.read => ForgeError::Transient(format!("{}: {why}", call.route)),
            Lost::Unanswered(why) => ForgeError::Doubt(format!("{}: {why}", call.route)),
        };
        error.into()
    }

    /// Adds advice to a refusal. A 403 keeps its own advice about the missing permission.
    #[must_use]
    pub(super) fn advise(self, advice: &str) -> Self {
        let Some(status) = self.status.filter(|status| *status != StatusCode::FORBIDDEN) else { return self };
        let text = sentence(&self.message, Some(advice), status, self.route);
        let error = match self.error {
            ForgeError::Permanent(_) => ForgeError::Permanent(text),
            ForgeError::NotFound(_) => ForgeError::NotFound(text),
            other => other,
        };
        Self { error, ..self }
    }

    /// Returns whether GitHub answered with `status` and a message that contains `part`, ignoring
    /// case.
    pub(super) fn says(&self, status: u16, part: &str) -> bool {
        self.status.is_some_and(|s| s.as_u16() == status) && self.message.to_lowercase().contains(part)
    }
}

/// Formats an error: GitHub's reason, the advice, and last the call, which only operators need.
fn sentence(message: &str, advice: Option<&str>, status: StatusCode, route: &str) -> String {
    let reason = if message.is_empty() { "no reason given" } else { message };
    let advice = advice.map(|advice| format!(": {advice}")).unwrap_or_default();
    format!("{reason}{advice} ({}, {route})", status.as_u16())
}

/// Returns advice if GitHub refuses the App because of a missing permission. The header
/// `x-accepted-github-permissions` names the permissions that would suffice.
fn permission_advice(headers: &HeaderMap, message: &str) -> Option<String> {
    if !message.contains("not accessible by integration") {
        return None;
    }
    let needed = text(headers, "x-accepted-github-permissions").map(harmless).filter(|needed| !needed.is_empty());
    let needed = needed.map_or_else(|| "another permission".to_owned(), |needed| format!("the permission {needed}"));
    Some(format!("the App needs {needed}; let an owner grant and accept it, and see phasebot doctor"))
}

/// Sanitizes untrusted text for a log line: one line, no control or direction characters, at most
/// [`MAX_TEXT`] characters.
pub(super) fn harmless(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .filter(|c| {
            !c.is_control() && !matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        })
        .take(MAX_TEXT)
        .collect()
}

/// Returns GitHub's message and its list of errors; empty if the body is not GitHub's JSON.
fn message(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Body {
        message: Option<String>,
        #[serde(default)]
        errors: Value,
    }
    let Ok(Body { message, errors }) = serde_json::from_slice(body) else { return String::new() };
    let mut text = message.unwrap_or_default();
    for error in errors.as_array().into_iter().flatten() {
        text.push_str("; ");
        match error {
            Value::String(words) => text.push_str(words),
            Value::Object(fields) => {
                let words: Vec<&str> =
                    ["resource", "field", "code", "message"].iter().filter_map(|k| fields.get(*k)?.as_str()).collect();
                text.push_str(&words.join(" "));
            }
            _ => {}
        }
    }
    harmless(&text)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn is_limit(headers: &HeaderMap, message: &str) -> bool {
    let message = message.to_lowercase();
    headers.contains_key(header::RETRY_AFTER)
        || text(headers, "x-ratelimit-remaining") == Some("0")
        || message.contains("rate limit")
        || message.contains("abuse detection")
}

/// Returns the time when a limit ends: `retry-after` (seconds), else `x-ratelimit-reset` (seconds
/// since 1970) if no requests are left, else in a minute. The result is between 1 s and
/// [`MAX_WAIT`] from now.
fn lifts_at(headers: &HeaderMap, now: Timestamp) -> Timestamp {
    let number = |name: &str| text(headers, name).and_then(|text| text.trim().parse::<i64>().ok());
    let until = if let Some(seconds) = number("retry-after") {
        later(now, SignedDuration::from_secs(seconds.max(0)).min(MAX_WAIT))
    } else if text(headers, "x-ratelimit-remaining") == Some("0") {
        number("x-ratelimit-reset")
            .and_then(|seconds| Timestamp::from_second(seconds).ok())
            .unwrap_or_else(|| later(now, DEFAULT_WAIT))
    } else {
        later(now, DEFAULT_WAIT)
    };
    until.clamp(later(now, SignedDuration::from_secs(1)), later(now, MAX_WAIT))
}
