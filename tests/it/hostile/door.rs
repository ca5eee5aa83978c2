//! Signed and unsigned requests on the wire, with the verifier of the real GitHub adapter.

use phasebot::port::store::{DeliveryFilter, DeliveryRow};
use phasebot_forge_sim::sign;
use serde_json::json;

use crate::{
    flow::World,
    webhook::house::{Answered, Peer, post},
};

/// Webhook secret of [`World`]'s App.
const SECRET: &str = "a webhook secret";

async fn ask(world: &World, headers: &str, body: &[u8]) -> Answered {
    let mut peer = Peer::to(world.address).await;
    peer.send(&post("/webhooks/github", headers, body)).await;
    peer.answer().await
}

/// Returns all headers of a delivery, with these lines for its signature.
fn headers(guid: &str, signature: &str) -> String {
    format!("X-GitHub-Event: issues\r\nX-GitHub-Delivery: {guid}\r\nX-GitHub-Hook-ID: 1\r\n{signature}")
}

fn signature(secret: &str, body: &[u8]) -> String {
    format!("X-Hub-Signature-256: {}\r\n", sign(secret, body))
}

async fn inbox(world: &World) -> Vec<DeliveryRow> {
    world.store.deliveries(&DeliveryFilter { limit: 1000, ..DeliveryFilter::default() }).await.unwrap()
}

#[tokio::test]
async fn only_what_github_signed_gets_in() {
    let world = World::new().await;
    let before = inbox(&world).await.len();
    let body = br#"{"action":"opened"}"#;
    let good = signature(SECRET, body);
    let digits = sign(SECRET, body).trim_start_matches("sha256=").to_owned();
    for (name, line, wanted) in [
        ("none", String::new(), (401, "missing_signature")),
        ("SHA-1", format!("X-Hub-Signature: sha1={}\r\n", "0".repeat(40)), (401, "missing_signature")),
        ("empty", "X-Hub-Signature-256:\r\n".to_owned(), (401, "bad_signature")),
        ("another secret", signature("another secret", body), (401, "bad_signature")),
        ("no secret", signature("", body), (401, "bad_signature")),
        ("another body", signature(SECRET, b"{}"), (401, "bad_signature")),
        ("without its name", format!("X-Hub-Signature-256: {digits}\r\n"), (401, "bad_signature")),
        ("cut short", format!("X-Hub-Signature-256: sha256={}\r\n", &digits[..32]), (401, "bad_signature")),
        ("twice the right one", format!("{good}{good}"), (401, "bad_signature")),
        ("a wrong one first", format!("{}{good}", signature("x", body)), (401, "bad_signature")),
        ("a wrong one last", format!("{good}{}", signature("x", body)), (401, "bad_signature")),
        ("two in one line", format!("{}, sha256={digits}\r\n", good.trim_end()), (401, "bad_signature")),
        // Also the longest that fits into a head.
        ("60 KB", format!("X-Hub-Signature-256: sha256={}\r\n", "0".repeat(60_000)), (401, "bad_signature")),
    ] {
        let (status, code) = ask(&world, &headers("one", &line), body).await.refusal();
        assert_eq!((status, code.as_str()), wanted, "{name}");
    }
    // Header names are case-insensitive in HTTP.
    assert_eq!(ask(&world, &headers("upper", &good.to_uppercase()), b"").await.status, 401, "the digits are of a body");
    let shouted = good.replace("X-Hub-Signature-256", "X-HUB-SIGNATURE-256");
    assert_eq!(ask(&world, &headers("shouted", &shouted), body).await.status, 202);
    assert_eq!(inbox(&world).await.len(), before + 1);
}

#[tokio::test]
async fn a_head_without_end_is_refused() {
    let world = World::new().await;
    let mut peer = Peer::to(world.address).await;
    let line = format!("X-Hub-Signature-256: sha256={}\r\n", "0".repeat(300_000));
    peer.send(&post("/webhooks/github", &headers("long", &line), b"{}")).await;
    let said = peer.closed().await;
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 431 "), "{said}");
}

#[tokio::test]
async fn a_replay_is_known_and_changes_nothing_under_another_id_either() {
    let world = World::new().await;
    let bob = world.person("bob");
    let issue = bob.open_issue("Cart", "", &[]).unwrap().made;
    let opened = world.forge.take_pending().remove(0);
    let body = opened.body();
    let lines = |guid: &str| headers(guid, &signature(SECRET, &body));
    let said = |answer: Answered| (answer.status, answer.json()["status"].as_str().map(str::to_owned));
    let (accepted, duplicate) = (Some("accepted".to_owned()), Some("duplicate".to_owned()));
    assert_eq!(said(ask(&world, &lines("first"), &body).await), (202, accepted.clone()));
    world.minute().await;
    world.in_phase(issue, "plan");
    assert_eq!(said(ask(&world, &lines("first"), &body).await), (200, duplicate));

    // The issue has changed since. The id is not signed: somebody who captured the delivery may
    // send it under new ids.
    bob.close(issue, "not_planned").unwrap();
    world.minute().await;
    world.in_phase(issue, "");
    world.forge.clear_requests();
    for n in 0..3 {
        assert_eq!(said(ask(&world, &lines(&format!("again-{n}")), &body).await), (202, accepted.clone()));
    }
    // The event's name, which no signature covers either, does not change its meaning.
    for event in ["issue_comment", "push", "installation", "deployment_status", "ping"] {
        let lines = lines(&format!("as-{event}")).replace("Event: issues", &format!("Event: {event}"));
        assert_eq!(ask(&world, &lines, &body).await.status, 202, "{event}");
    }
    world.minute().await;
    world.in_phase(issue, "");
    assert_eq!(world.calls(), Vec::<String>::new());
}

#[tokio::test]
async fn compressed_or_not_nothing_is_unpacked() {
    let world = World::new().await;
    // A gzip stream, signed as it is: rejected with the header, otherwise stored as these bytes.
    let packed = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff\xab\xae\x05\x00\x43\xbf\xa6\xa3\x02\x00\x00\x00";
    let good = headers("packed", &signature(SECRET, packed));
    for encoding in ["gzip", "br", "zstd", "deflate", "gzip, gzip, gzip"] {
        let answer = ask(&world, &format!("{good}Content-Encoding: {encoding}\r\n"), packed).await;
        assert_eq!(answer.refusal(), (415, "encoded_body".to_owned()), "{encoding}");
    }
    let answer = ask(&world, &format!("{good}Transfer-Encoding: gzip, chunked\r\n"), packed).await;
    assert!(!(200..300).contains(&answer.status), "{}", answer.head);
    assert_eq!(ask(&world, &good, packed).await.json(), json!({"status": "accepted", "delivery": "packed"}));
    world.settle().await;
    let kept = inbox(&world).await.remove(0);
    assert_eq!(kept.state.as_str(), "quarantined");
    assert_eq!(&world.store.delivery(kept.seq).await.unwrap().unwrap().body[..], packed);
}
