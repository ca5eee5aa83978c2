//! The servers under load, each a process of its own.

use std::{
    fs::File,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bytes::Bytes;
use phasebot::{
    app::clock::SystemClock,
    domain::id::ForgeName,
    forge::github::{GitHub, GitHubConfig},
    http::{self, Limits, Senders, ServerState},
    port::{
        forge::{Forge, Verified},
        intake::TakeIn,
        store::{Accepted, StoreError},
    },
    telemetry::Metrics,
};
use secrecy::SecretString;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::watch,
};

use crate::{Result, body::SECRET};

/// The App's key in all tests.
pub const KEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/test-key.pem");
/// Patience with a start.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server process; killed when dropped.
pub struct Server {
    child: Child,
    /// Where webhooks go.
    pub address: SocketAddr,
    admin: SocketAddr,
    /// From its start until it was ready.
    pub started_in: Duration,
}

impl Server {
    /// `phasebot serve` with everything switched on, on a database file.
    pub async fn phasebot(database: &Path, api: SocketAddr) -> Result<Self> {
        Self::replica(&format!("sqlite://{}", database.display()), api).await
    }

    /// The same on the database that `url` names.
    pub async fn replica(url: &str, api: SocketAddr) -> Result<Self> {
        let mut command = Command::new(beside("phasebot")?);
        command.arg("serve").env_clear().env("PHASEBOT_DATABASE_URL", url);
        Self::ours(command, api).await
    }

    /// `phasebot serve` under a policy of the operator, with a forge that limits no writes; its
    /// decisions are lines of JSON in `log`.
    pub async fn observed(database: &Path, api: SocketAddr, policy: &Path, log: &Path) -> Result<Self> {
        let mut command = Command::new(beside("phasebot")?);
        command.arg("serve").env_clear();
        command.env("PHASEBOT_DATABASE_URL", format!("sqlite://{}", database.display()));
        command.env("PHASEBOT_POLICY_FILE", policy).env("PHASEBOT_LOG_FORMAT", "json");
        command.env("PHASEBOT_GITHUB__RATE_LIMITS", "false");
        command.stderr(File::create(log)?);
        Self::settled(command, api, "phasebot::app::worker=info").await
    }

    /// The same on the database that `url` names, with the web pages for everybody on this machine;
    /// returns their address.
    pub async fn with_pages(url: &str, api: SocketAddr, policy: &Path, log: &Path) -> Result<(Self, SocketAddr)> {
        let pages = free_port()?;
        let mut command = Command::new(beside("phasebot")?);
        command.arg("serve").env_clear().env("PHASEBOT_DATABASE_URL", url);
        command.env("PHASEBOT_POLICY_FILE", policy).env("PHASEBOT_GITHUB__RATE_LIMITS", "false");
        command.env("PHASEBOT_WEB_LISTEN", pages.to_string()).env("PHASEBOT_WEB_OPEN", "true");
        command.stderr(File::create(log)?);
        Ok((Self::settled(command, api, "warn").await?, pages))
    }

    /// The same server and routes, which verify signatures and keep nothing.
    pub async fn verify_only() -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("verify-only").env_clear();
        Self::ours(command, SocketAddr::from(([127, 0, 0, 1], 9))).await
    }

    async fn ours(mut command: Command, api: SocketAddr) -> Result<Self> {
        command.stderr(Stdio::null());
        Self::settled(command, api, "warn").await
    }

    async fn settled(mut command: Command, api: SocketAddr, log: &str) -> Result<Self> {
        let (address, admin) = (free_port()?, free_port()?);
        command
            .env("PHASEBOT_LISTEN", address.to_string())
            .env("PHASEBOT_ADMIN_LISTEN", admin.to_string())
            .env("PHASEBOT_LOG", log)
            .env("PHASEBOT_GITHUB__APP_ID", "4711")
            .env("PHASEBOT_GITHUB__PRIVATE_KEY_FILE", KEY)
            .env("PHASEBOT_GITHUB__WEBHOOK_SECRETS", SECRET)
            .env("PHASEBOT_GITHUB__API_URL", format!("http://{api}"));
        Self::start(command, address, admin, "/readyz").await
    }

    /// Starts it and waits until `ready` answers with 200.
    pub async fn start(mut command: Command, address: SocketAddr, admin: SocketAddr, ready: &str) -> Result<Self> {
        let begun = Instant::now();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
        let mut server = Self { child, address, admin, started_in: Duration::ZERO };
        while !matches!(get(address, ready).await, Ok((200, _))) {
            if let Some(status) = server.child.try_wait()? {
                return Err(format!("the server ended at once: {status}").into());
            }
            if begun.elapsed() > PATIENCE {
                return Err("the server did not become ready".into());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        server.started_in = begun.elapsed();
        Ok(server)
    }

    /// Memory in use now and at most so far, in MiB.
    pub fn memory(&self) -> Result<(f64, f64)> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let field = |name: &str| -> Result<f64> {
            let line = status.lines().find(|line| line.starts_with(name)).ok_or("no such field in /proc")?;
            let kib: f64 = line.split_whitespace().nth(1).ok_or("an empty field in /proc")?.parse()?;
            Ok(kib / 1024.0)
        };
        Ok((field("VmRSS:")?, field("VmHWM:")?))
    }

    /// Processor time so far, in seconds.
    pub fn processor(&self) -> Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or("").split(' ').collect();
        let ticks = |n: usize| fields.get(n).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0);
        // utime and stime are fields 14 and 15; a tick is 10 ms on Linux.
        Ok((ticks(11) + ticks(12)) / 100.0)
    }

    /// A figure of `/metrics`, by the beginning of its line; 0 if there is none.
    pub async fn figure(&self, line: &str) -> Result<f64> {
        let (status, text) = get(self.admin, "/metrics").await?;
        if status != 200 {
            return Err(format!("/metrics was answered with {status}").into());
        }
        let found = text.lines().filter(|l| l.starts_with(line));
        Ok(found.filter_map(|l| l.rsplit(' ').next()?.parse::<f64>().ok()).sum())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program `name` of the same build.
fn beside(name: &str) -> Result<PathBuf> {
    let here = std::env::current_exe()?;
    let path = here.ancestors().nth(2).ok_or("no folder of builds")?.join(name);
    if path.exists() { Ok(path) } else { Err(format!("{} is missing: run scripts/bench", path.display()).into()) }
}

/// A port that nobody uses at the moment.
pub fn free_port() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// Status and body of a page.
async fn get(address: SocketAddr, path: &str) -> Result<(u16, String)> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let status = answer.get(9..12).ok_or("a short answer")?.parse()?;
    Ok((status, answer))
}

/// Accepts all that is signed, and keeps nothing.
struct KeepNothing;

#[async_trait]
impl TakeIn for KeepNothing {
    async fn take_in(&self, _: &ForgeName, _: Verified, _: Bytes) -> std::result::Result<Accepted, StoreError> {
        Ok(Accepted::New(1))
    }

    async fn take_in_message(&self, _: &str, _: Bytes) -> std::result::Result<String, StoreError> {
        Err(StoreError::Unavailable("no monitoring connection is configured".to_owned()))
    }

    fn ready(&self) -> bool {
        true
    }
}

/// Serves as `phasebot serve` does, up to the point where a delivery would be kept.
pub fn serve_verify_only() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let github = GitHub::new(GitHubConfig {
            name: ForgeName::github(),
            app_id: 4711,
            private_key: SecretString::from(std::fs::read_to_string(KEY)?),
            webhook_secrets: vec![SecretString::from(SECRET)],
            api_url: "http://127.0.0.1:9".to_owned(),
            rate_limits: true,
            clock: Arc::new(SystemClock),
        })?;
        let forges: Vec<Arc<dyn Forge>> = vec![Arc::new(github)];
        let listen = |name: &str| std::env::var(name).unwrap_or_default();
        let public = tokio::net::TcpListener::bind(listen("PHASEBOT_LISTEN")).await?;
        let admin = tokio::net::TcpListener::bind(listen("PHASEBOT_ADMIN_LISTEN")).await?;
        let (_end, ending) = watch::channel(false);
        let state = ServerState::new(
            forges,
            Senders::default(),
            Arc::new(KeepNothing),
            Metrics::install()?,
            Limits::default(),
            ending,
        );
        http::serve(state, public, admin).await;
        Ok(())
    })
}
