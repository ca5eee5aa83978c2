//! Why a page is not shown.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use maud::html;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{
    port::store::StoreError,
    web::{edition::Edition, page},
};

/// Reason for which a page is not shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// 304: the reader has this edition.
    Unchanged(Edition),
    /// 404: it is not there, or may not be seen; the same answer for both.
    NotFound,
    /// 405.
    Method,
    /// 421: the address does not answer to this name.
    OtherName,
    /// 303: nobody signed in; with the path to come back to.
    SignIn(String),
    /// 400: the sign-in did not begin here, or was not accepted.
    NotBegun,
    /// 403: the form was not sent from one of our pages.
    Forged,
    /// 400: what is asked for makes no sense, in a sentence.
    Wanted(String),
    /// 429: more requests than a reader sends.
    TooMany,
    /// 503: too many pages are being made, or the store does not answer.
    Unavailable,
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        tracing::warn!(%error, "a page can't be read");
        Self::Unavailable
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, title, words) = match self {
            Self::Unchanged(edition) => return edition.unchanged(),
            Self::SignIn(to) => {
                let to = utf8_percent_encode(&to, NON_ALPHANUMERIC);
                return (StatusCode::SEE_OTHER, [(header::LOCATION, format!("/login?to={to}"))]).into_response();
            }
            Self::NotBegun => (
                StatusCode::BAD_REQUEST,
                "Not signed in",
                html! { "This sign-in did not begin here, was begun more than ten minutes ago, or GitHub did not accept it. " a href="/login" { "Sign in again" } "." },
            ),
            Self::Forged => (
                StatusCode::FORBIDDEN,
                "Refused",
                html! { "This form was not sent from a page of this address. Reload the page and try again." },
            ),
            Self::Wanted(why) => (StatusCode::BAD_REQUEST, "Not understood", html! { (why) }),
            Self::TooMany => {
                (StatusCode::TOO_MANY_REQUESTS, "Too many requests", html! { "Wait a moment, then reload the page." })
            }
            Self::NotFound => (
                StatusCode::NOT_FOUND,
                "Not found",
                html! { "There is no such page, or you may not read this repository." },
            ),
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, "Method not allowed", html! { "Pages can only be read." }),
            Self::OtherName => (
                StatusCode::MISDIRECTED_REQUEST,
                "Other name",
                html! { "This address does not answer to that name. Open it by its IP address or as localhost." },
            ),
            Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Not available",
                html! { "The page could not be made in time. Reload it in a moment." },
            ),
        };
        let kind = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
        let mut response = (status, kind, page::message(title, &words)).into_response();
        let headers = response.headers_mut();
        if status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}
