//! The load generator: keep-alive connections on one thread, each sending the
//! next delivery as soon as the last one is answered.

use std::{
    cell::{Cell, RefCell},
    io,
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use phasebot::{app::clock::SystemClock, port::clock::Clock};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::LocalSet,
};

use crate::body::{Body, Repository};

/// Longest head of an answer, in bytes.
const HEAD: usize = 4096;
/// Wait of a sender who was refused: GitHub would not come back within the same second.
const AFTER_REFUSAL: Duration = Duration::from_millis(20);

/// Result of a load.
#[derive(Debug, Default, Clone)]
pub struct Outcome {
    /// 202: kept. Peers that keep nothing say 200.
    pub accepted: u64,
    /// 503: not now.
    pub refused: u64,
    /// Anything else, connections that broke included.
    pub failed: u64,
    /// Its duration.
    pub took: Duration,
    /// Time to each 202, in microseconds, in no order.
    pub micros: Vec<u32>,
}

impl Outcome {
    /// Acknowledgements a second.
    #[expect(clippy::cast_precision_loss, reason = "counts are small")]
    pub fn rate(&self) -> f64 {
        self.accepted as f64 / self.took.as_secs_f64()
    }
}

/// Gives every issue of the bench a number of its own, over all repositories in turn.
pub struct Issues {
    repositories: Vec<Repository>,
    next: Cell<u64>,
}

impl Issues {
    /// Of so many installations with so many repositories each.
    pub fn new(installations: u64, each: u64) -> Self {
        let repositories =
            (0..each).flat_map(|r| (0..installations).map(move |i| Repository::new(i, r))).collect::<Vec<_>>();
        Self { repositories, next: Cell::new(1) }
    }

    /// The next issue: its repository, its number, its body.
    pub fn next(&self) -> (&Repository, u64, Body) {
        let number = self.next.get();
        self.next.set(number + 1);
        let index = usize::try_from(number).unwrap_or(0) % self.repositories.len().max(1);
        let repository = &self.repositories[index];
        (repository, number, repository.issue(number))
    }

    /// Number of repositories.
    pub fn repositories(&self) -> u64 {
        self.repositories.len() as u64
    }
}

/// A webhook of any kind, signed.
pub struct Delivery {
    /// The event's name.
    pub event: &'static str,
    /// The body.
    pub body: Vec<u8>,
    /// The signature in hex.
    pub signature: String,
}

/// One keep-alive connection.
pub struct Sender {
    address: SocketAddr,
    stream: Option<TcpStream>,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Sender {
    /// To the server at `address`.
    pub fn new(address: SocketAddr) -> Self {
        Self { address, stream: None, request: Vec::with_capacity(16 * 1024), answer: vec![0; HEAD] }
    }

    /// Sends one delivery; the answer's status.
    pub async fn send(&mut self, repository: &Repository, body: &Body) -> io::Result<u16> {
        self.post("issues", [repository.start(), body.end.as_bytes()], &body.signature).await
    }

    /// Sends a delivery of any kind; the answer's status.
    pub async fn deliver(&mut self, delivery: &Delivery) -> io::Result<u16> {
        self.post(delivery.event, [&delivery.body, &[]], &delivery.signature).await
    }

    async fn post(&mut self, event: &str, body: [&[u8]; 2], signature: &str) -> io::Result<u16> {
        let length: usize = body.iter().map(|part| part.len()).sum();
        self.request.clear();
        let head = format!(
            "POST /webhooks/github HTTP/1.1\r\nhost: {}\r\nuser-agent: GitHub-Hookshot/bench\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\nx-github-event: {event}\r\n\
             x-github-delivery: {}\r\nx-github-hook-id: 7001\r\nx-hub-signature-256: sha256={signature}\r\n\r\n",
            self.address,
            guid(SystemClock.now()),
        );
        self.request.extend_from_slice(head.as_bytes());
        for part in body {
            self.request.extend_from_slice(part);
        }
        let answered = self.exchange().await;
        if !matches!(answered, Ok((_, true))) {
            self.stream = None;
        }
        answered.map(|(status, _)| status)
    }

    /// The answer's status, and whether the connection stays.
    async fn exchange(&mut self) -> io::Result<(u16, bool)> {
        let stream = if let Some(stream) = &mut self.stream {
            stream
        } else {
            let stream = TcpStream::connect(self.address).await?;
            stream.set_nodelay(true)?;
            self.stream.insert(stream)
        };
        stream.write_all(&self.request).await?;
        let mut read = 0;
        loop {
            let more = stream.read(&mut self.answer[read..]).await?;
            if more == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            read += more;
            if let Some(answer) = parse(&self.answer[..read]) {
                return Ok(answer);
            }
        }
    }
}

/// Status and keep-alive of a whole answer; `None` while some of it is missing.
fn parse(bytes: &[u8]) -> Option<(u16, bool)> {
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let field = |name: &str| {
        head.lines().filter_map(|line| line.split_once(':')).find(|(key, _)| key.eq_ignore_ascii_case(name))
    };
    let length: usize = field("content-length")?.1.trim().parse().ok()?;
    let status = head.get(9..12)?.parse().ok()?;
    let keeps = field("connection").is_none_or(|(_, value)| !value.trim().eq_ignore_ascii_case("close"));
    (bytes.len() >= end + length).then_some((status, keeps))
}

/// An id like GitHub's: a UUID of version 1, made at `at`.
pub fn guid(at: Timestamp) -> String {
    // Hundreds of nanoseconds since the Gregorian calendar began.
    let ticks = u64::try_from(at.as_nanosecond() / 100).unwrap_or(0) + 0x01b2_1dd2_1381_4000;
    let (low, mid, high) = (ticks & 0xffff_ffff, (ticks >> 32) & 0xffff, (ticks >> 48) & 0xfff);
    let rest = rand::random::<u64>();
    format!("{low:08x}-{mid:04x}-1{high:03x}-{:04x}-{:012x}", rest >> 48, rest & 0xffff_ffff_ffff)
}

/// Pace of the senders.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// As fast as they are answered.
    Full,
    /// So many a second in all, at random moments.
    Rate(f64),
}

/// Sends issues over `connections` for `lasting`.
pub async fn flood(
    address: SocketAddr,
    connections: u32,
    lasting: Duration,
    pace: Pace,
    issues: &Rc<Issues>,
) -> Outcome {
    let local = LocalSet::new();
    let outcome = Rc::new(RefCell::new(Outcome::default()));
    let begun = Instant::now();
    for _ in 0..connections {
        let (issues, outcome) = (issues.clone(), outcome.clone());
        local.spawn_local(async move {
            let mut sender = Sender::new(address);
            let mut due = begun;
            while begun.elapsed() < lasting {
                if let Pace::Rate(rate) = pace {
                    // Moments of a Poisson process: gaps are exponential.
                    let gap = -rand::random::<f64>().max(f64::MIN_POSITIVE).ln() * f64::from(connections) / rate;
                    due += Duration::from_secs_f64(gap);
                    tokio::time::sleep_until(due.into()).await;
                }
                let (repository, _, body) = issues.next();
                let sent = Instant::now();
                let status = sender.send(repository, &body).await;
                let micros = u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX);
                {
                    let mut outcome = outcome.borrow_mut();
                    match status {
                        Ok(200 | 202) => {
                            outcome.accepted += 1;
                            outcome.micros.push(micros);
                            continue;
                        }
                        Ok(503) => outcome.refused += 1,
                        _ => outcome.failed += 1,
                    }
                }
                tokio::time::sleep(AFTER_REFUSAL).await;
            }
        });
    }
    local.await;
    let mut outcome = outcome.take();
    outcome.took = begun.elapsed();
    outcome
}
