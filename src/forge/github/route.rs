//! Routing of deliveries: the few fields that are read before a delivery is stored.

use crate::{
    forge::github::payload::{Numbered, Payload, json},
    port::forge::Route,
};

/// Reads the fields that routing needs, in one pass over the body and one over the repository in it
/// (measured: 12 KB in 6.5 µs, about as long as its HMAC).
///
/// A field that is missing or of another type is absent. `None` only if the body is not a JSON
/// object.
pub fn route(body: &[u8]) -> Option<Route> {
    let json = json(body);
    let payload = Payload::parse(&json).ok()?;
    let number = |name| payload.get(name).and_then(|object: Numbered| object.id.0);
    let action = payload.get("action");
    Some(Route { repo: number("repository"), installation: number("installation"), action, urgent: false })
}

/// Returns whether a delivery contains something that a person has just written.
pub(super) fn is_urgent(event: &str, action: Option<&str>) -> bool {
    matches!((event, action), ("issue_comment", Some("created")) | ("pull_request_review", Some("submitted")))
}
