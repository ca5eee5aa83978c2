//! Headers of every answer, and the longest time for one.

use std::time::Duration;

use axum::{extract::Request, middleware::Next, response::Response};
use http::{HeaderName, HeaderValue, header};

/// Nothing comes from elsewhere and nothing is inline, so the policy needs neither exceptions nor
/// nonces. Forms go to this address only.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Headers of every answer.
const HEADERS: [(HeaderName, HeaderValue); 6] = [
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY)),
    // With `no-referrer`, browsers would not say where the form for signing out was sent from.
    (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), geolocation=(), microphone=(), interest-cohort=()"),
    ),
];

/// An answer that nobody keeps.
const NOT_KEPT: HeaderValue = HeaderValue::from_static("no-store");

/// Longest time for an answer.
const LONGEST: Duration = Duration::from_secs(30);

/// Adds the headers of every answer.
pub(super) async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, value);
    }
    headers.entry(header::CACHE_CONTROL).or_insert(NOT_KEPT);
    response
}

/// Gives an answer that takes too long up, and sends `too_late` in its place: also for a body that comes
/// slowly, and for a forge that does.
pub(super) async fn in_time(request: Request, next: Next, too_late: impl FnOnce() -> Response) -> Response {
    tokio::time::timeout(LONGEST, next.run(request)).await.unwrap_or_else(|_| too_late())
}
