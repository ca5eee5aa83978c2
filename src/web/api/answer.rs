//! Answers of the API: JSON, comma-separated values, and refusals.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::json;

use crate::{
    port::store::StoreError,
    web::{edition::Edition, failure::Failure},
};

const CSV: HeaderValue = HeaderValue::from_static("text/csv; charset=utf-8");

/// A refusal, as JSON.
pub(super) struct Refused(pub(super) Failure);

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self(failure)
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let (status, why) = match self.0 {
            Failure::Unchanged(edition) => return edition.unchanged(),
            Failure::SignIn(_) | Failure::NotBegun => (
                StatusCode::UNAUTHORIZED,
                "Send a token that GitHub accepts: `Authorization: Bearer TOKEN`.".to_owned(),
            ),
            Failure::Wanted(why) => (StatusCode::BAD_REQUEST, why),
            Failure::Forged => (StatusCode::FORBIDDEN, "Refused.".to_owned()),
            Failure::TooMany => (StatusCode::TOO_MANY_REQUESTS, "Too many requests. Wait a moment.".to_owned()),
            Failure::NotFound => {
                (StatusCode::NOT_FOUND, "There is no such resource, or you may not read this repository.".to_owned())
            }
            Failure::Method => (StatusCode::METHOD_NOT_ALLOWED, "Resources can only be read.".to_owned()),
            Failure::OtherName => (
                StatusCode::MISDIRECTED_REQUEST,
                "This address does not answer to that name. Use its IP address or localhost.".to_owned(),
            ),
            Failure::Unavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, "The answer could not be made in time. Try again later.".to_owned())
            }
        };
        let mut response = (status, axum::Json(json!({ "error": why }))).into_response();
        let headers = response.headers_mut();
        let mut add = |name, value| drop(headers.insert(name, HeaderValue::from_static(value)));
        match status {
            StatusCode::UNAUTHORIZED => add(header::WWW_AUTHENTICATE, "Bearer"),
            StatusCode::METHOD_NOT_ALLOWED => add(header::ALLOW, "GET, HEAD"),
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => add(header::RETRY_AFTER, "5"),
            _ => {}
        }
        response
    }
}

/// Returns a value as JSON.
pub(super) fn json(edition: &Edition, value: &impl Serialize) -> Result<Response, Refused> {
    let body = serde_json::to_string(value).map_err(|_| Failure::Unavailable)?;
    Ok(edition.body(body, "application/json"))
}

/// Returns comma-separated values that are known as a whole.
pub(super) fn csv(text: String) -> Response {
    ([(header::CONTENT_TYPE, CSV)], text).into_response()
}

/// Returns comma-separated values that are read while they are sent.
pub(super) fn csv_stream(body: axum::body::Body) -> Response {
    ([(header::CONTENT_TYPE, CSV)], body).into_response()
}
