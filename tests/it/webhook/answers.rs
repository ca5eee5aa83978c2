//! HTTP answers of the server.

use phasebot::http::Limits;
use serde_json::json;

use super::house::{GOOD, House, Mood, limits, post};

#[tokio::test]
async fn a_verified_delivery_is_accepted_once_it_is_kept() {
    let house = House::open(limits()).await;
    let answer = house.post(GOOD, br#"{"action":"opened"}"#).await;
    assert_eq!((answer.status, answer.json()), (202, json!({"status": "accepted", "delivery": "d-1"})));
    assert!(answer.head.contains("content-type: application/json"), "{}", answer.head);
    let kept = house.intake.kept();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].0.event, "issues");
    assert_eq!(&kept[0].1[..], br#"{"action":"opened"}"#);
}

#[tokio::test]
async fn a_body_that_is_no_json_is_taken_in_all_the_same() {
    let house = House::open(limits()).await;
    assert_eq!(house.post(GOOD, b"\xff\x00 not json").await.status, 202);
    assert_eq!(house.post(GOOD, b"").await.status, 202);
    assert_eq!(&house.intake.kept()[0].1[..], b"\xff\x00 not json");
}

#[tokio::test]
async fn a_delivery_taken_in_before_is_a_duplicate() {
    let house = House::open(limits()).await;
    house.intake.set(Mood::Duplicate);
    let answer = house.post(GOOD, b"{}").await;
    assert_eq!((answer.status, answer.json()), (200, json!({"status": "duplicate", "delivery": "d-1"})));
}

#[tokio::test]
async fn what_is_not_verified_reaches_nobody() {
    let house = House::open(limits()).await;
    for (headers, wanted) in [
        ("X-Event: issues\r\nX-Delivery: d\r\n", (401, "missing_signature")),
        ("X-Signature: bad\r\nX-Event: issues\r\nX-Delivery: d\r\n", (401, "bad_signature")),
        ("X-Signature: good\r\nX-Signature: good\r\nX-Event: issues\r\nX-Delivery: d\r\n", (401, "bad_signature")),
        ("X-Signature: good\r\nX-Signature: bad\r\nX-Event: issues\r\nX-Delivery: d\r\n", (401, "bad_signature")),
        ("X-Signature: good\r\nX-Delivery: d\r\n", (400, "bad_header")),
        ("X-Signature: good\r\nX-Event: issues\r\n", (400, "bad_header")),
        // The signature is checked before the other headers.
        ("X-Signature: bad\r\n", (401, "bad_signature")),
    ] {
        let (status, code) = house.post(headers, b"{}").await.refusal();
        assert_eq!((status, code.as_str()), wanted, "{headers}");
    }
    assert!(house.intake.kept().is_empty());
}

#[tokio::test]
async fn other_forges_routes_and_methods() {
    let house = House::open(limits()).await;
    let refusal = |answer: super::house::Answered| answer.refusal();
    assert_eq!(refusal(house.ask(&post("/webhooks/gitlab", GOOD, b"{}")).await), (404, "no_such_forge".to_owned()));
    assert_eq!(refusal(house.ask(&post("/webhooks/%ff", GOOD, b"{}")).await), (404, "no_such_forge".to_owned()));
    assert_eq!(refusal(house.ask(&post("/webhooks/github/x", GOOD, b"{}")).await), (404, "not_found".to_owned()));
    assert_eq!(refusal(house.ask(&post("/", "", b"")).await), (404, "not_found".to_owned()));
    // Metrics are only on the private address.
    let metrics = house.ask(b"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!(refusal(metrics), (404, "not_found".to_owned()));
    for method in ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let request = format!("{method} /webhooks/github HTTP/1.1\r\nHost: h\r\n\r\n");
        let answer = house.ask(request.as_bytes()).await;
        assert!(answer.head.contains("\r\nallow: post"), "{}", answer.head);
        assert_eq!(refusal(answer), (405, "method_not_allowed".to_owned()), "{method}");
    }
    assert_eq!(refusal(house.ask(&post("/healthz", "", b"")).await), (405, "method_not_allowed".to_owned()));
    assert!(house.intake.kept().is_empty());
}

#[tokio::test]
async fn a_compressed_body_is_not_unpacked() {
    let house = House::open(limits()).await;
    for encoding in ["gzip", "br", "identity, gzip", "identity\r\nContent-Encoding: gzip"] {
        let answer = house.post(&format!("{GOOD}Content-Encoding: {encoding}\r\n"), b"\x1f\x8b").await;
        assert_eq!(answer.refusal(), (415, "encoded_body".to_owned()), "{encoding}");
    }
    assert_eq!(house.post(&format!("{GOOD}Content-Encoding: Identity\r\n"), b"{}").await.status, 202);
}

#[tokio::test]
async fn a_body_of_25_mib_is_taken_and_a_byte_more_is_not() {
    let house = House::open(limits()).await;
    let mut body = vec![b'x'; 25 * 1024 * 1024];
    assert_eq!(house.post(GOOD, &body).await.status, 202);
    assert_eq!(house.intake.kept()[0].1, body);
    body.push(b'x');
    let too_large = (413, "body_too_large".to_owned());
    assert_eq!(house.post(GOOD, &body).await.refusal(), too_large);

    body.resize(26 * 1024 * 1024, b'x');
    assert_eq!(house.post(GOOD, &body).await.refusal(), too_large, "by its length");
    let head = format!("POST /webhooks/github HTTP/1.1\r\nHost: h\r\n{GOOD}Transfer-Encoding: chunked\r\n\r\n");
    let chunked =
        [head.as_bytes(), format!("{:x}\r\n", body.len()).as_bytes(), &body, b"\r\n0\r\n\r\n".as_slice()].concat();
    assert_eq!(house.ask(&chunked).await.refusal(), too_large, "without a length");
    // A sender with `Expect: 100-continue` gets the answer before it sends the body.
    let asking = format!(
        "POST /webhooks/github HTTP/1.1\r\nHost: h\r\n{GOOD}Expect: 100-continue\r\nContent-Length: 99999999\r\n\r\n"
    );
    assert_eq!(house.ask(asking.as_bytes()).await.refusal(), too_large, "before it is sent");
    assert_eq!(house.intake.kept().len(), 1);
}

#[tokio::test]
async fn chunks_and_pieces_are_put_together() {
    let house = House::open(limits()).await;
    let head = format!("POST /webhooks/github HTTP/1.1\r\nHost: h\r\n{GOOD}Transfer-Encoding: chunked\r\n\r\n");
    let mut peer = house.connect().await;
    peer.send(head.as_bytes()).await;
    for piece in ["3\r\n{\"a", "\r\n", "2\r\n\":\r\n", "2\r\n1}\r\n", "0\r\nX-Trailer: t\r\n\r\n"] {
        peer.send(piece.as_bytes()).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(peer.answer().await.status, 202);
    assert_eq!(&house.intake.kept()[0].1[..], br#"{"a":1}"#);
}

#[tokio::test]
async fn too_much_at_once_is_turned_away_and_the_memory_comes_back() {
    let house = House::open(Limits { small_bytes: 0, memory_bytes: 1000, ..limits() }).await;
    house.intake.set(Mood::Wait);
    let mut first = house.connect().await;
    first.send(&post("/webhooks/github", GOOD, &[b'x'; 600])).await;
    house.intake.entered.notified().await;
    let answer = house.post(GOOD, &[b'x'; 600]).await;
    assert!(answer.head.contains("\r\nretry-after: "), "{}", answer.head);
    assert_eq!(answer.refusal(), (503, "overloaded".to_owned()));
    house.intake.set(Mood::Keep);
    house.intake.release.notify_one();
    assert_eq!(first.answer().await.status, 202);
    assert_eq!(house.post(GOOD, &[b'x'; 600]).await.status, 202);
}

#[tokio::test]
async fn a_store_that_fails_is_a_503_that_tells_no_secrets() {
    let house = House::open(limits()).await;
    house.intake.set(Mood::Fail);
    let answer = house.post(GOOD, b"{}").await;
    assert!(answer.head.contains("\r\nretry-after: 5"), "{}", answer.head);
    assert!(!answer.body.contains("secret"), "{}", answer.body);
    assert_eq!(answer.refusal(), (503, "store_unavailable".to_owned()));
    house.intake.set(Mood::Keep);
    assert_eq!(house.post(GOOD, b"{}").await.status, 202);
}

#[tokio::test]
async fn a_panic_is_a_500_and_the_server_goes_on() {
    let house = House::open(limits()).await;
    house.intake.set(Mood::Panic);
    assert_eq!(house.post(GOOD, b"{}").await.refusal(), (500, "internal".to_owned()), "in the intake's task");
    house.intake.set(Mood::Keep);
    assert_eq!(house.post(GOOD, b"panic in verify").await.refusal(), (500, "internal".to_owned()), "in the handler");
    assert_eq!(house.post(GOOD, b"{}").await.status, 202);
}

#[tokio::test]
async fn a_hostile_delivery_id_is_not_repeated_as_it_is() {
    let house = House::open(limits()).await;
    for (id, shown) in [
        ("a\tb", "ab".to_owned()),
        ("a\u{1b}[31m", "a[31m".to_owned()),
        ("<script>\"'", "<script>\"'".to_owned()),
        ("é\u{202e}x", "x".to_owned()),
        (&"z".repeat(5000), "z".repeat(128)),
    ] {
        // hyper itself rejects control characters in headers, except tabs.
        let answer = house.post(&format!("X-Signature: good\r\nX-Event: issues\r\nX-Delivery: {id}\r\n"), b"{}").await;
        if id.contains('\u{1b}') {
            assert_eq!(answer.status, 400);
        } else {
            assert_eq!(answer.json(), json!({"status": "accepted", "delivery": shown}));
        }
    }
}

#[tokio::test]
async fn smuggling_is_refused() {
    let house = House::open(limits()).await;
    let twice = format!(
        "POST /webhooks/github HTTP/1.1\r\nHost: h\r\n{GOOD}Content-Length: 2\r\nContent-Length: 7\r\n\r\n{{}}GET /x"
    );
    let mut peer = house.connect().await;
    peer.send(twice.as_bytes()).await;
    let said = peer.closed().await;
    assert!(said.starts_with("HTTP/1.1 400 "), "{said}");
    assert_eq!(said.matches("HTTP/1.1").count(), 1, "{said}");
    for nonsense in ["\x16\x03\x01\x02\x00\x01", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET\r\n\r\n"] {
        let mut peer = house.connect().await;
        peer.send(nonsense.as_bytes()).await;
        let said = peer.closed().await;
        assert!(!said.contains(" 200 ") && !said.contains(" 202 "), "{said}");
    }
    assert!(house.intake.kept().is_empty());
}

#[tokio::test]
async fn health_readiness_and_figures() {
    let house = House::open(limits()).await;
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n").into_bytes();
    let alive = house.ask(&get("/healthz")).await;
    assert_eq!((alive.status, alive.json()), (200, json!({"status": "alive"})));
    let ready = house.ask(&get("/readyz")).await;
    assert_eq!((ready.status, ready.json()), (200, json!({"status": "ready"})));
    house.intake.set_ready(false);
    let unready = house.ask(&get("/readyz")).await;
    assert_eq!((unready.status, unready.json()), (503, json!({"status": "store_unavailable"})));
    assert_eq!(house.ask(&get("/healthz")).await.status, 200);

    let private = House { public: house.admin, ..house };
    let figures = private.ask(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").await;
    assert_eq!(figures.status, 200);
    assert!(figures.head.contains("content-type: text/plain; version=0.0.4"), "{}", figures.head);
    let webhook = b"POST /webhooks/github HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(private.ask(webhook).await.status, 404);
}
