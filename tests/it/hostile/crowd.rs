//! Many unauthenticated clients: the genuine sender still gets its answer.

use std::time::Duration;

use phasebot::http::Limits;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::{net::TcpStream, time::timeout};

use crate::webhook::house::{GOOD, House, Peer, limits, post};

/// Number of idle connections. Some find no place and wait in the kernel's queue.
const IDLE: usize = 2500;

/// Awaits `future`; fails after a minute, far longer than anything here takes.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(Duration::from_mins(1), future).await.unwrap_or_else(|_| panic!("{what}: still waiting"))
}

/// Raises this process's limit of open files to `wanted`, if permitted.
fn allow_files(wanted: u64) -> bool {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|now| now >= wanted) {
        return true;
    }
    if limit.maximum.is_some_and(|most| most < wanted) {
        return false;
    }
    limit.current = Some(wanted);
    setrlimit(Resource::Nofile, limit).is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_idle_connections_keep_no_delivery_out() {
    // Each connection has two ends in this process.
    if !allow_files(2 * IDLE as u64 + 1000) {
        println!("skipped: this process may not open {} files", 2 * IDLE);
        return;
    }
    // The head's limit is shorter than usual, to keep the test short.
    let house = House::open(Limits { head: Duration::from_millis(300), ..limits() }).await;
    let mut idle = Vec::with_capacity(IDLE);
    for _ in 0..IDLE {
        idle.push(soon("an idle connection", TcpStream::connect(house.public)).await.unwrap());
    }
    for n in 0..5 {
        assert_eq!(soon("an answer", house.post(GOOD, b"{}")).await.status, 202, "{n}");
    }
    drop(idle);
}

#[tokio::test]
async fn whoever_proves_nothing_may_not_let_a_connection_rest() {
    // An idle connection would keep its place for longer than this test waits.
    let house = House::open(Limits { connections: 2, ..limits() }).await;
    let mut strangers = Vec::new();
    for request in ["GET /healthz", "HEAD /healthz", "GET /readyz", "GET /", "POST /webhooks/github", "PUT /alerts/x"] {
        let mut peer = house.connect().await;
        peer.send(format!("{request} HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n").as_bytes()).await;
        let said = soon(request, peer.closed()).await.to_ascii_lowercase();
        assert!(said.contains("\r\nconnection: close"), "{request}: {said}");
        strangers.push(peer);
    }
    assert_eq!(soon("an answer", house.post(GOOD, b"{}")).await.status, 202);
}

#[tokio::test]
async fn strangers_who_hold_all_the_memory_keep_no_usual_delivery_out() {
    let house = House::open(Limits { memory_bytes: 1024 * 1024, ..limits() }).await;
    // Bodies that never end, sent until one is rejected: then the memory budget is used up.
    let mut strangers = Vec::new();
    let head = format!("POST /webhooks/github HTTP/1.1\r\nHost: h\r\n{GOOD}Transfer-Encoding: chunked\r\n\r\n");
    let begun = [head.into_bytes(), b"40000\r\n".to_vec(), vec![b'x'; 0x40000], b"\r\n".to_vec()].concat();
    for _ in 0..4 {
        let mut peer = house.connect().await;
        peer.send(&begun).await;
        strangers.push(peer);
    }
    let large = vec![b' '; 700 * 1024];
    let full = async { while house.post(GOOD, &large).await.status != 503 {} };
    soon("a full memory", full).await;
    for bytes in [0, 2, 25_000, 64 * 1024] {
        let answer = soon("an answer", house.post(GOOD, &vec![b' '; bytes])).await;
        assert_eq!(answer.status, 202, "{bytes} bytes: {}", answer.body);
    }
    assert_eq!(house.post(GOOD, &large).await.refusal(), (503, "overloaded".to_owned()), "it is still full");
    // After they disconnect there is room again.
    drop(strangers);
    let room = async { while house.post(GOOD, &large).await.status != 202 {} };
    soon("room", room).await;
}

#[tokio::test]
async fn lengths_that_do_not_agree_are_never_two_requests() {
    let house = House::open(limits()).await;
    let inner = String::from_utf8(post("/webhooks/github", GOOD, b"{}")).unwrap();
    let start = "POST /webhooks/github HTTP/1.1\r\nHost: h\r\nX-Signature: bad\r\n";
    for (name, framing) in [
        ("two lengths", format!("Content-Length: 5\r\nContent-Length: {}\r\n\r\n0\r\n\r\n{inner}", inner.len())),
        ("a list of lengths", format!("Content-Length: 5, 6\r\n\r\n0\r\n\r\n{inner}")),
        ("a signed length", format!("Content-Length: +5\r\n\r\n0\r\n\r\n{inner}")),
        ("a negative length", format!("Content-Length: -1\r\n\r\n{inner}")),
        ("a length in hex", format!("Content-Length: 0x5\r\n\r\n0\r\n\r\n{inner}")),
        ("a huge length", format!("Content-Length: 18446744073709551617\r\n\r\n{inner}")),
        ("length and chunks", format!("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{inner}")),
        ("chunks and length", format!("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n{inner}")),
        ("chunked, not last", format!("Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n{inner}")),
        ("chunked twice", format!("Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n{inner}")),
        ("space before the colon", format!("Content-Length : 5\r\n\r\n0\r\n\r\n{inner}")),
        ("a folded line", format!("X-A: b\r\n Content-Length: 5\r\n\r\n0\r\n\r\n{inner}")),
        ("a chunk's odd size", format!("Transfer-Encoding: chunked\r\n\r\n-1\r\n{inner}")),
        ("a chunk's huge size", format!("Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{inner}")),
    ] {
        let mut peer: Peer = house.connect().await;
        peer.send(format!("{start}{framing}").as_bytes()).await;
        let said = soon(name, peer.closed()).await;
        assert!(said.matches("HTTP/1.1 ").count() <= 1, "{name}: {said}");
        assert!(!said.contains("HTTP/1.1 2"), "{name}: {said}");
    }
    assert!(house.intake.kept().is_empty());
}
