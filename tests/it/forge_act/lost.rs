//! Answers that never arrive, or not completely.

use std::sync::{Arc, Mutex};

use phasebot::{
    domain::{effect::Effect, needs::Need},
    port::forge::{ApplyContext, Forge, ForgeError},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::server::{clock, github, target};

/// First lines of the requests that arrived, without those for tokens.
type Heard = Arc<Mutex<Vec<String>>>;

fn need() -> Need {
    Need::Writer { id: Some(phasebot::domain::id::AccountId(7)), login: "alice".to_owned() }
}

fn comment() -> Effect {
    Effect::UpsertComment { item: 12, marker: "m".to_owned(), body: "b".to_owned(), sticky: false }
}

/// Accepts connections, reads to the end of the request's head, and closes the connection, after
/// `answer` bytes if there are some. Records the requests.
async fn hangs_up(answer: &'static str) -> (String, Heard) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let heard = Heard::default();
    let log = heard.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut text = Vec::new();
            while !text.windows(4).any(|end| end == b"\r\n\r\n") {
                let mut buffer = [0; 4096];
                match stream.read(&mut buffer).await {
                    Ok(0) | Err(_) => break,
                    Ok(n) => text.extend_from_slice(&buffer[..n]),
                }
            }
            let text = String::from_utf8_lossy(&text).into_owned();
            let line = text.lines().next().unwrap_or_default().to_owned();
            if line.starts_with("POST /app/") {
                let body = r#"{"token":"t","expires_at":"2026-11-22T13:00:00Z"}"#;
                let reply = format!(
                    "HTTP/1.1 201 Created\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                );
                let _ = stream.write_all(reply.as_bytes()).await;
            } else {
                log.lock().unwrap().push(line);
                let _ = stream.write_all(answer.as_bytes()).await;
            }
            let _ = stream.shutdown().await;
        }
    });
    (url, heard)
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_request_leaves_a_doubt() {
    let (url, heard) = hangs_up("").await;
    let github = github(&url, clock());
    let error = github.apply(&target(), &comment(), &ApplyContext::default()).await.unwrap_err();
    assert!(matches!(error, ForgeError::Doubt(_)), "{error}");
    assert_eq!(heard.lock().unwrap().len(), 1, "sent once");
    let error = github.answer(&target(), &need()).await.unwrap_err();
    assert!(matches!(error, ForgeError::Transient(_)), "{error}");
    assert!(!error.to_string().contains("127.0.0.1"), "no address in it: {error}");
}

#[tokio::test]
async fn a_write_whose_success_breaks_off_was_done_all_the_same() {
    let (url, heard) = hangs_up("HTTP/1.1 201 Created\r\ncontent-length: 500\r\n\r\n{\"id\": 9").await;
    let github = github(&url, clock());
    let applied = github.apply(&target(), &comment(), &ApplyContext::default()).await.unwrap();
    assert_eq!(applied.made, None);
    assert_eq!(heard.lock().unwrap().len(), 1);
    let error = github.answer(&target(), &need()).await.unwrap_err();
    assert!(matches!(error, ForgeError::Transient(_)), "a read was not: {error}");
}

#[tokio::test]
async fn without_a_connection_surely_nothing_was_done() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let github = github(&url, clock());
    let error = github.apply(&target(), &comment(), &ApplyContext::default()).await.unwrap_err();
    assert!(matches!(&error, ForgeError::Transient(why) if why.contains("no connection")), "{error}");
}
