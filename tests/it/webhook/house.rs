//! The real server on real sockets, with a forge and an intake that tests control.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderMap;
use jiff::Timestamp;
use phasebot::{
    domain::{
        effect::Effect,
        event::Event,
        id::{Actor, ConnectionId, ForgeName},
        needs::{Answer, Need},
    },
    http::{Limits, Senders, ServerState, serve},
    port::{
        forge::{Applied, ApplyContext, Cost, Forge, ForgeError, Pace, Refusal, Route, Target, Undecodable, Verified},
        intake::TakeIn,
        store::{Accepted, StoreError},
    },
    telemetry::Metrics,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Notify, watch},
    task::JoinHandle,
};

/// Valid headers for [`Fake`].
pub const GOOD: &str = "X-Signature: good\r\nX-Event: issues\r\nX-Delivery: d-1\r\n";

/// A forge that accepts `X-Signature: good` as a signature.
struct Fake(ForgeName);

#[async_trait]
impl Forge for Fake {
    fn name(&self) -> &ForgeName {
        &self.0
    }

    fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<Verified, Refusal> {
        let mut signatures = headers.get_all("x-signature").iter();
        let signature = signatures.next().ok_or(Refusal::MissingSignature)?;
        if signatures.next().is_some() || signature != "good" {
            return Err(Refusal::BadSignature);
        }
        assert!(body != b"panic in verify", "asked to panic");
        let header = |name: &'static str| {
            let value = headers.get(name).and_then(|value| value.to_str().ok());
            value.map(str::to_owned).ok_or(Refusal::BadHeader(name))
        };
        // Without `to_str`: an id may contain bytes that are not ASCII.
        let delivery = headers.get("x-delivery").ok_or(Refusal::BadHeader("X-Delivery"))?;
        let delivery = String::from_utf8_lossy(delivery.as_bytes()).into_owned();
        Ok(Verified { event: header("x-event")?, delivery, hook: String::new() })
    }

    fn route(&self, _: &str, _: &[u8]) -> Option<Route> {
        unreachable!("the server does not route")
    }

    fn decode(&self, _: &str, _: &[u8], _: Timestamp) -> Result<Event, Undecodable> {
        unreachable!("the server does not decode")
    }

    async fn identity(&self) -> Result<Actor, ForgeError> {
        unreachable!("the server asks no forge")
    }

    async fn connection_of(&self, _: &str) -> Result<Option<ConnectionId>, ForgeError> {
        unreachable!("the server asks no forge")
    }

    async fn answer(&self, _: &Target, _: &Need) -> Result<Answer, ForgeError> {
        unreachable!("the server asks no forge")
    }

    fn pace(&self) -> Pace {
        Pace::UNLIMITED
    }

    fn cost(&self, _: &Effect, _: &ApplyContext) -> Cost {
        unreachable!("the server does nothing on a forge")
    }

    async fn apply(&self, _: &Target, _: &Effect, _: &ApplyContext) -> Result<Applied, ForgeError> {
        unreachable!("the server does nothing on a forge")
    }
}

/// Behaviour of the intake for the next delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Keep,
    Duplicate,
    Fail,
    Panic,
    /// Stores it after [`Intake::release`] is notified.
    Wait,
}

/// An intake that records its deliveries.
pub struct Intake {
    mood: Mutex<Mood>,
    ready: AtomicBool,
    kept: Mutex<Vec<(Verified, Bytes)>>,
    /// Notified when a delivery has been handed over.
    pub entered: Notify,
    /// Lets a waiting delivery continue.
    pub release: Notify,
    /// Notified when a delivery was stored.
    pub done: Notify,
}

#[async_trait]
impl TakeIn for Intake {
    async fn take_in(&self, _: &ForgeName, verified: Verified, body: Bytes) -> Result<Accepted, StoreError> {
        let mood = *self.mood.lock().unwrap();
        self.entered.notify_one();
        match mood {
            Mood::Duplicate => return Ok(Accepted::Duplicate(1)),
            Mood::Fail => return Err(StoreError::Unavailable("disk full at /secret/path".to_owned())),
            Mood::Panic => panic!("asked to panic"),
            Mood::Wait => self.release.notified().await,
            Mood::Keep => {}
        }
        self.kept.lock().unwrap().push((verified, body));
        self.done.notify_one();
        Ok(Accepted::New(1))
    }

    async fn take_in_message(&self, _: &str, _: Bytes) -> Result<String, StoreError> {
        unreachable!("no connection is configured")
    }

    fn ready(&self) -> bool {
        self.ready.load(Ordering::SeqCst)
    }
}

impl Intake {
    pub fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::SeqCst);
    }

    pub fn kept(&self) -> Vec<(Verified, Bytes)> {
        self.kept.lock().unwrap().clone()
    }
}

/// A running server.
pub struct House {
    pub public: SocketAddr,
    pub admin: SocketAddr,
    pub intake: Arc<Intake>,
    pub shutdown: watch::Sender<bool>,
    pub server: JoinHandle<()>,
}

/// Returns limits that no normal request of a test exceeds.
pub fn limits() -> Limits {
    Limits { head: Duration::from_mins(1), body: Duration::from_mins(1), ..Limits::default() }
}

impl House {
    pub async fn open(limits: Limits) -> Self {
        let public = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let admin = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (shutdown, ending) = watch::channel(false);
        let intake = Arc::new(Intake {
            mood: Mutex::new(Mood::Keep),
            ready: AtomicBool::new(true),
            kept: Mutex::default(),
            entered: Notify::new(),
            release: Notify::new(),
            done: Notify::new(),
        });
        let forge: Arc<dyn Forge> = Arc::new(Fake(ForgeName::github()));
        let metrics = Metrics::detached().unwrap();
        let taker: Arc<dyn TakeIn> = intake.clone();
        let state = ServerState::new([forge], Senders::default(), taker, metrics, limits, ending);
        let (public_address, admin_address) = (public.local_addr().unwrap(), admin.local_addr().unwrap());
        let server = tokio::spawn(serve(state, public, admin));
        Self { public: public_address, admin: admin_address, intake, shutdown, server }
    }

    pub async fn connect(&self) -> Peer {
        Peer::to(self.public).await
    }

    /// Sends one request on a connection of its own.
    pub async fn ask(&self, request: &[u8]) -> Answered {
        let mut peer = self.connect().await;
        peer.send(request).await;
        peer.answer().await
    }

    /// Sends a webhook with these header lines and body.
    pub async fn post(&self, headers: &str, body: &[u8]) -> Answered {
        self.ask(&post("/webhooks/github", headers, body)).await
    }
}

/// Builds a POST request with its length.
pub fn post(path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("POST {path} HTTP/1.1\r\nHost: h\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// A client with the minimum of HTTP.
pub struct Peer {
    stream: TcpStream,
    /// Bytes that arrived after the last answer.
    ahead: Vec<u8>,
}

/// An answer.
#[derive(Debug)]
pub struct Answered {
    pub status: u16,
    /// Head, in lower case.
    pub head: String,
    pub body: String,
}

impl Answered {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Returns the status and error code of a refusal.
    pub fn refusal(&self) -> (u16, String) {
        let json = self.json();
        assert!(json["error"]["message"].as_str().is_some_and(|message| !message.is_empty()), "{json}");
        (self.status, json["error"]["code"].as_str().unwrap().to_owned())
    }
}

impl Peer {
    pub async fn to(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap(), ahead: Vec::new() }
    }

    /// Sends, as far as the server reads it.
    pub async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// Reads one answer with a length.
    pub async fn answer(&mut self) -> Answered {
        let mut bytes = std::mem::take(&mut self.ahead);
        loop {
            if let Some(end) = find(&bytes, b"\r\n\r\n") {
                let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_ascii_lowercase();
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                let length: usize = length.map_or(0, |length| length.parse().unwrap());
                if bytes.len() >= end + 4 + length {
                    self.ahead = bytes.split_off(end + 4 + length);
                    let body = String::from_utf8(bytes.split_off(end + 4)).unwrap();
                    let status = head[9..12].parse().unwrap();
                    return Answered { status, head, body };
                }
            }
            let read = self.stream.read_buf(&mut bytes).await.unwrap();
            assert!(read > 0, "the server closed after {:?}", String::from_utf8_lossy(&bytes));
        }
    }

    /// Waits until the server closes the connection; returns what it sent before.
    pub async fn closed(&mut self) -> String {
        let mut bytes = std::mem::take(&mut self.ahead);
        loop {
            match self.stream.read_buf(&mut bytes).await {
                Ok(0) | Err(_) => return String::from_utf8_lossy(&bytes).into_owned(),
                Ok(_) => {}
            }
        }
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
