//! Editions of pages: a browser that has the newest one gets 304, and nothing is made for it.
//!
//! The tag names what an answer is made of, rather than its bytes: the version of the data, the
//! minute, the reader, the address and the program. It is weak, because two answers of one edition
//! may differ in their ages by a minute, in the masks of their forms, and in their encoding.

use axum::{
    extract::{FromRequestParts, OriginalUri},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::{port::store::RepositoryRow, version, web::asset};

/// An answer that the reader's own cache keeps, and asks about again each time.
const PRIVATE: HeaderValue = HeaderValue::from_static("private, no-cache");
/// Whoever signs out, or shows another token, must not get an answer again.
const VARY: HeaderValue = HeaderValue::from_static("accept-encoding, authorization, cookie");

/// What a reader asks for.
pub(super) struct Asked {
    /// The address, with its parameters.
    pub(super) path: String,
    headers: HeaderMap,
}

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let uri = parts.extensions.get().map_or(&parts.uri, |OriginalUri(uri)| uri);
        Ok(Self { path: uri.to_string(), headers: parts.headers.clone() })
    }
}

/// The edition of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edition {
    tag: HeaderValue,
}

/// What an answer is made of, beside the program.
#[derive(Serialize)]
pub(super) struct Made<'a> {
    /// The minute: ages are told in minutes.
    pub(super) minute: i64,
    /// Login of the person who reads it, and the token of their forms.
    pub(super) reader: Option<(&'a str, &'a str)>,
    /// The address.
    pub(super) path: &'a str,
    /// The repositories that it is about, each with the version of its data.
    pub(super) repositories: Vec<(&'a RepositoryRow, u64)>,
}

impl Edition {
    /// Returns the edition of an answer.
    pub(super) fn of(made: &Made<'_>) -> Self {
        let program = [version::VERSION, version::COMMIT, asset::style(), asset::script()];
        // Numbers and strings always have a JSON form, and hexadecimal digits are a header's value.
        let made = serde_json::to_vec(&(program, made)).unwrap_or_default();
        let tag = format!("W/\"{}\"", hex::encode(&Sha256::digest(made)[..16]));
        Self { tag: HeaderValue::try_from(tag).unwrap_or(HeaderValue::from_static("")) }
    }

    /// Returns whether a reader who asks has it.
    pub(super) fn is_known_to(&self, asked: &Asked) -> bool {
        self.is_known(&asked.headers)
    }

    fn is_known(&self, headers: &HeaderMap) -> bool {
        let opaque = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag).to_owned();
        let own = self.tag.to_str().map(opaque).unwrap_or_default();
        let known = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        known.flat_map(|list| list.split(',')).map(str::trim).any(|known| known == "*" || opaque(known) == own)
    }

    /// Returns a page.
    pub(super) fn page(&self, page: String) -> Response {
        self.body(page, "text/html; charset=utf-8")
    }

    /// Returns a body of this type.
    pub(super) fn body(&self, body: String, kind: &'static str) -> Response {
        self.on(([(header::CONTENT_TYPE, kind)], body).into_response())
    }

    /// Returns that the reader has it.
    pub(super) fn unchanged(&self) -> Response {
        self.on(StatusCode::NOT_MODIFIED.into_response())
    }

    fn on(&self, mut response: Response) -> Response {
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, PRIVATE);
        headers.insert(header::VARY, VARY);
        headers.insert(header::ETAG, self.tag.clone());
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_has_an_edition_that_they_name_in_any_list() {
        let edition = Edition { tag: HeaderValue::from_static("W/\"a\"") };
        let known = |lists: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for list in lists {
                headers.append(header::IF_NONE_MATCH, HeaderValue::from_static(list));
            }
            edition.is_known(&headers)
        };
        for lists in [&["W/\"a\""][..], &["\"a\""], &["\"b\", W/\"a\""], &["\"b\"", "\"a\""], &["*"]] {
            assert!(known(lists), "{lists:?}");
        }
        for lists in [&[][..], &["W/\"b\""], &["a"], &["\"a"]] {
            assert!(!known(lists), "{lists:?}");
        }
    }
}
