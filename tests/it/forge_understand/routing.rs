//! Routing of deliveries, and bodies that cannot be routed.

use phasebot::{
    domain::id::ForgeName,
    forge::github::{decode::decode, route::route},
    port::forge::Route,
};
use serde_json::json;

use super::fixture::{OUR_APP, decode_as, fixture, received_at};

#[test]
fn the_route_is_read() {
    let expected = Route { repo: Some(4711), installation: Some(99), action: Some("opened".to_owned()), urgent: false };
    assert_eq!(route(&fixture("issues.opened").body()), Some(expected));
    assert_eq!(route(&fixture("ping").body()), Some(Route::default()));
    assert_eq!(route(b" {} "), Some(Route::default()));
}

#[test]
fn a_field_of_another_type_is_absent() {
    let odd =
        fixture("issues.opened").with("/action", 1).with("/repository", json!([4711])).with("/installation/id", "99");
    assert_eq!(route(&odd.body()), Some(Route::default()));
    let huge = fixture("issues.opened").with("/repository/id", u64::MAX).with("/installation/id", -99);
    let expected = Route { action: Some("opened".to_owned()), ..Route::default() };
    assert_eq!(route(&huge.body()), Some(expected));
}

/// Encodes a payload as GitHub does for a webhook with content type form.
fn form(body: &[u8]) -> Vec<u8> {
    let mut form = b"payload=".to_vec();
    for byte in body {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => form.push(*byte),
            b' ' => form.push(b'+'),
            _ => form.extend(format!("%{byte:02X}").bytes()),
        }
    }
    form
}

#[test]
fn a_form_says_the_same() {
    let fixture = fixture("issues.opened").with("/issue/title", "100 % of +1, «ä» & more=less");
    let body = form(&fixture.body());
    assert_eq!(route(&body), route(&fixture.body()));
    assert_eq!(decode_as("issues", &body), fixture.event());
}

#[test]
fn what_is_not_a_json_object_is_undecodable() {
    let whole = fixture("issues.opened").body();
    let mut bodies: Vec<Vec<u8>> = ["", " ", "null", "[]", "[1]", "\"x\"", "1", "{", "}", "{}x", "{} {}", "\u{feff}{}"]
        .iter()
        .map(|text| text.as_bytes().to_vec())
        .collect();
    bodies.extend((0..whole.len()).map(|length| whole[..length].to_vec()));
    bodies.extend([b"payload=".to_vec(), b"payload=%7B".to_vec(), b"payload=%".to_vec()]);
    // Not UTF-8, and therefore not JSON: inside a string, and outside.
    bodies.extend([b"{\"x\":\"\xff\"}".to_vec(), b"\xff{}".to_vec(), vec![0; 64]]);
    for body in bodies {
        let shown = String::from_utf8_lossy(&body).into_owned();
        assert_eq!(route(&body), None, "{shown}");
        let decoded = decode(&ForgeName::github(), OUR_APP, "issues", &body, received_at());
        assert!(decoded.is_err(), "{shown}");
    }
}

#[test]
fn depth_neither_crashes_nor_hides_the_rest() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let bomb = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
        let body = format!(r#"{{"action":"opened","issue":{bomb},"repository":{{"id":4711,"deep":{bomb}}}}}"#);
        let expected = Route { repo: Some(4711), action: Some("opened".to_owned()), ..Route::default() };
        assert_eq!(route(body.as_bytes()), Some(expected));
        decode_as("issues", body.as_bytes());
        assert_eq!(route(bomb.as_bytes()).is_some(), open.starts_with('{'));
        assert_eq!(route(open.repeat(100_000).as_bytes()), None);
    }
}
