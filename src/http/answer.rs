//! Answers: JSON bodies, and one code for each kind of refusal.

use std::time::Duration;

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::port::{alert, forge::Refusal};

/// `Retry-After` of a 503, in seconds.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("5");

/// Maximum length of a delivery id in an answer or a log line, in characters.
const MAX_DELIVERY_ID: usize = 128;

/// A stored delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kept {
    /// 202: it is now on disk.
    Accepted(String),
    /// 200: it was already stored.
    Duplicate(String),
}

/// Reason for which a request was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// 404: no such page.
    #[error("there is nothing here")]
    NotFound,
    /// 404: no connection with this name is configured.
    #[error("no connection of this name is configured")]
    NoSuchConnection,
    /// 404: no forge with this name is configured.
    #[error("no forge of this name is configured")]
    NoSuchForge,
    /// 401: the private address requires a token.
    #[error("show the admin token, as in Authorization: Bearer …; a web page may not ask")]
    NoToken,
    /// 421: the private address has no such host name.
    #[error("this address does not answer to that name; name it in admin_hosts")]
    OtherName,
    /// 403: the request comes from a web page of another site.
    #[error("a page of another site may not ask")]
    CrossSite,
    /// 400: an operator's request is invalid.
    #[error("{0}")]
    Wanted(&'static str),
    /// 405: the route requires another method.
    #[error("use {0}")]
    Method(&'static str),
    /// 415: the body is encoded.
    #[error("send the body as it is, without Content-Encoding")]
    Encoded,
    /// 413: the body is too long.
    #[error("the body is longer than {0} bytes")]
    TooLarge(usize),
    /// 408: the body arrived too slowly.
    #[error("the body did not arrive within {0:?}")]
    TooSlow(Duration),
    /// 400: the connection or its framing broke while the body was read.
    #[error("the body could not be read")]
    Broken,
    /// 401 or 400: the delivery could not be verified.
    #[error("{0}")]
    Unverified(#[from] Refusal),
    /// 401: the sender of an alert could not be verified.
    #[error("{0}")]
    Unproved(#[from] alert::Refusal),
    /// 503: too many bodies are being read at once.
    #[error("too much is arriving at once")]
    Overloaded,
    /// 503: the store did not store it.
    #[error("the delivery could not be kept; send it again later")]
    Store,
    /// 500: a bug in phasebot.
    #[error("an error of ours; the log has more")]
    Internal,
}

impl Problem {
    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound | Self::NoSuchForge | Self::NoSuchConnection => StatusCode::NOT_FOUND,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Encoded => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow(_) => StatusCode::REQUEST_TIMEOUT,
            Self::Broken | Self::Wanted(_) | Self::Unverified(Refusal::BadHeader(_)) => StatusCode::BAD_REQUEST,
            Self::NoToken | Self::Unverified(Refusal::MissingSignature | Refusal::BadSignature) | Self::Unproved(_) => {
                StatusCode::UNAUTHORIZED
            }
            Self::OtherName => StatusCode::MISDIRECTED_REQUEST,
            Self::CrossSite => StatusCode::FORBIDDEN,
            Self::Overloaded | Self::Store => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Returns the code in the body, on which scripts may rely.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::NoSuchForge => "no_such_forge",
            Self::Wanted(_) => "bad_request",
            Self::NoSuchConnection => "no_such_connection",
            Self::Method(_) => "method_not_allowed",
            Self::Encoded => "encoded_body",
            Self::TooLarge(_) => "body_too_large",
            Self::TooSlow(_) => "body_too_slow",
            Self::Broken => "body_unreadable",
            Self::NoToken | Self::Unproved(alert::Refusal::MissingToken) => "missing_token",
            Self::Unproved(alert::Refusal::BadToken) => "bad_token",
            Self::Unproved(alert::Refusal::MissingSignature) | Self::Unverified(Refusal::MissingSignature) => {
                "missing_signature"
            }
            Self::Unproved(alert::Refusal::Stale) => "stale_signature",
            Self::Unproved(alert::Refusal::BadSignature) | Self::Unverified(Refusal::BadSignature) => "bad_signature",
            Self::Unverified(Refusal::BadHeader(_)) => "bad_header",
            Self::OtherName => "other_host",
            Self::CrossSite => "cross_site",
            Self::Overloaded => "overloaded",
            Self::Store => "store_unavailable",
            Self::Internal => "internal",
        }
    }
}

#[derive(Serialize)]
struct ErrorBody {
    error: ErrorDetail,
}

#[derive(Serialize)]
struct ErrorDetail {
    code: &'static str,
    message: String,
}

#[derive(Serialize)]
struct StatusBody<'a> {
    status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    writing: Option<&'static str>,
}

/// Returns a body with a status.
pub(super) fn status(code: StatusCode, status: &str) -> Response {
    (code, Json(StatusBody { status, delivery: None, writing: None })).into_response()
}

/// Like [`status`], while writes to forges are paused.
pub(super) fn status_while_paused(code: StatusCode, status: &str) -> Response {
    (code, Json(StatusBody { status, delivery: None, writing: Some("paused") })).into_response()
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let body = ErrorBody { error: ErrorDetail { code: self.code(), message: self.to_string() } };
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, RETRY_AFTER_SECONDS);
        }
        if let Self::Method(allowed) = self {
            headers.insert(header::ALLOW, HeaderValue::from_static(allowed));
        }
        response
    }
}

impl IntoResponse for Kept {
    fn into_response(self) -> Response {
        let (code, status, delivery) = match self {
            Self::Accepted(delivery) => (StatusCode::ACCEPTED, "accepted", delivery),
            Self::Duplicate(delivery) => (StatusCode::OK, "duplicate", delivery),
        };
        (code, Json(StatusBody { status, delivery: Some(delivery), writing: None })).into_response()
    }
}

/// Returns a delivery id that is safe to show: printable ASCII, cut to a maximum length. The id
/// comes from a header, which no signature covers.
pub(super) fn showable(delivery: &str) -> String {
    delivery.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(MAX_DELIVERY_ID).collect()
}
