//! Senders that keep the server waiting, or disconnect.
//!
//! For each time-out under test, its limit is short and every other limit is far longer than the
//! test may take. The test passes as soon as the server closes the connection; if the server never
//! does, the test hangs and therefore fails.

use std::time::Duration;

use phasebot::http::Limits;
use tokio::{net::TcpStream, time::timeout};

use super::house::{GOOD, House, Mood, limits, post};

const SHORT: Duration = Duration::from_millis(100);

/// Awaits `future`; fails after 30 s, far longer than anything here takes.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(30), future).await.unwrap_or_else(|_| panic!("{what}: still waiting"))
}

#[tokio::test]
async fn half_a_head_is_cut() {
    let house = House::open(Limits { head: SHORT, ..limits() }).await;
    for begun in ["", "P", "POST /webhooks/github HTTP/1.1\r\nHost: h\r\nX-Sig"] {
        let mut peer = house.connect().await;
        peer.send(begun.as_bytes()).await;
        let said = soon(begun, peer.closed()).await;
        assert!(!said.contains(" 20"), "{said}");
    }
}

#[tokio::test]
async fn a_head_that_trickles_is_cut() {
    let house = House::open(Limits { head: SHORT, ..limits() }).await;
    let mut stream = TcpStream::connect(house.public).await.unwrap();
    let trickle = async {
        loop {
            // Each byte arrives well within the limit; the head as a whole does not.
            if tokio::io::AsyncWriteExt::write_all(&mut stream, b"X").await.is_err() {
                return;
            }
            tokio::time::sleep(SHORT / 20).await;
        }
    };
    soon("a trickling head", trickle).await;
}

#[tokio::test]
async fn a_body_that_stops_is_answered_and_cut() {
    let house = House::open(Limits { body: SHORT, ..limits() }).await;
    let head = format!("POST /webhooks/github HTTP/1.1\r\nHost: h\r\n{GOOD}Content-Length: 100\r\n\r\n");
    let mut peer = house.connect().await;
    peer.send(format!("{head}{{\"half\":").as_bytes()).await;
    let answer = soon("an answer", peer.answer()).await;
    assert_eq!(answer.refusal(), (408, "body_too_slow".to_owned()));
    soon("the end", peer.closed()).await;
    assert!(house.intake.kept().is_empty());
}

#[tokio::test]
async fn a_refused_body_that_stops_is_not_waited_for() {
    let house = House::open(Limits { body: SHORT, ..limits() }).await;
    let mut peer = house.connect().await;
    peer.send(b"POST /webhooks/nobody HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n{").await;
    assert_eq!(soon("an answer", peer.answer()).await.refusal(), (404, "no_such_forge".to_owned()));
}

#[tokio::test]
async fn a_connection_is_kept_for_many_deliveries() {
    let house = House::open(limits()).await;
    let mut peer = house.connect().await;
    for _ in 0..3 {
        peer.send(&post("/webhooks/github", GOOD, b"{}")).await;
        assert_eq!(peer.answer().await.status, 202);
    }
    let pipelined = [post("/webhooks/github", GOOD, b"{}"), post("/webhooks/github", GOOD, b"[]")].concat();
    peer.send(&pipelined).await;
    assert_eq!((peer.answer().await.status, peer.answer().await.status), (202, 202));
    assert_eq!(house.intake.kept().len(), 5);
}

#[tokio::test]
async fn a_resting_connection_is_cut() {
    // The head's limit is longer than the test: only the idle limit can cut the connection.
    let house = House::open(Limits { rest: SHORT, ..limits() }).await;
    let mut peer = house.connect().await;
    peer.send(&post("/webhooks/github", GOOD, b"{}")).await;
    assert_eq!(peer.answer().await.status, 202);
    assert_eq!(soon("the end", peer.closed()).await, "");
}

#[tokio::test]
async fn who_was_refused_may_not_keep_the_connection() {
    let house = House::open(limits()).await;
    let mut peer = house.connect().await;
    peer.send(&post("/webhooks/github", "", b"{}")).await;
    let answer = peer.answer().await;
    assert!(answer.head.contains("\r\nconnection: close"), "{}", answer.head);
    soon("the end", peer.closed()).await;
}

#[tokio::test]
async fn a_sender_who_hangs_up_interrupts_nothing() {
    let house = House::open(limits()).await;
    house.intake.set(Mood::Wait);
    let mut peer = house.connect().await;
    peer.send(&post("/webhooks/github", GOOD, b"{}")).await;
    house.intake.entered.notified().await;
    drop(peer);
    // A new connection is served whether or not the end of the old one was noticed: either way the
    // delivery is still being processed.
    house.intake.release.notify_one();
    soon("the delivery", house.intake.done.notified()).await;
    assert_eq!(house.intake.kept().len(), 1);
}

#[tokio::test]
async fn a_store_that_hangs_is_a_503() {
    let house = House::open(Limits { intake: SHORT, ..limits() }).await;
    house.intake.set(Mood::Wait);
    let answer = soon("an answer", house.post(GOOD, b"{}")).await;
    assert_eq!(answer.refusal(), (503, "store_unavailable".to_owned()));
    // The pending delivery continues.
    house.intake.release.notify_one();
    soon("the delivery", house.intake.done.notified()).await;
}

#[tokio::test]
async fn beyond_the_limit_connections_wait_their_turn() {
    let house = House::open(Limits { connections: 2, ..limits() }).await;
    house.intake.set(Mood::Wait);
    let mut peers = Vec::new();
    for _ in 0..2 {
        let mut peer = house.connect().await;
        peer.send(&post("/webhooks/github", GOOD, b"{}")).await;
        house.intake.entered.notified().await;
        peers.push(peer);
    }
    let mut third = house.connect().await;
    third.send(&post("/webhooks/github", GOOD, b"{}")).await;
    assert!(timeout(SHORT, house.intake.entered.notified()).await.is_err(), "the third was served beside the others");
    drop(peers.pop());
    house.intake.release.notify_one();
    house.intake.release.notify_one();
    soon("the third's turn", house.intake.entered.notified()).await;
    house.intake.set(Mood::Keep);
    house.intake.release.notify_waiters();
    house.intake.release.notify_one();
    assert_eq!(soon("the third's answer", third.answer()).await.status, 202);
}

#[tokio::test]
async fn at_the_end_running_requests_get_their_answers() {
    let mut house = House::open(limits()).await;
    let mut resting = house.connect().await;
    resting.send(&post("/webhooks/github", GOOD, b"{}")).await;
    assert_eq!(resting.answer().await.status, 202);
    house.intake.entered.notified().await;
    house.intake.set(Mood::Wait);
    let mut busy = house.connect().await;
    busy.send(&post("/webhooks/github", GOOD, b"{}")).await;
    house.intake.entered.notified().await;

    house.shutdown.send_replace(true);
    soon("a resting connection's end", resting.closed()).await;
    soon("a closed door", async {
        while TcpStream::connect(house.public).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(!house.server.is_finished());
    house.intake.release.notify_one();
    assert_eq!(soon("the busy one's answer", busy.answer()).await.status, 202);
    soon("the server's end", &mut house.server).await.unwrap();
}
