//! A real process with its files, and a simulated forge.

use std::{
    fs::{self, OpenOptions},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use crate::support::{
    database::new_database,
    serving::{self, ANY_PORT},
};
use phasebot::app::clock::SystemClock;
use phasebot_forge_sim::{AppKey, Options, Person, SimForge, sign};
use secrecy::SecretString;
use tempfile::TempDir;

/// First webhook secret.
pub const FIRST: &str = "first-webhook-secret-5b1c";
/// Webhook secret that replaces it.
pub const SECOND: &str = "second-webhook-secret-77aa";
/// Token that `/admin` requires.
pub const ADMIN_TOKEN: &str = "admin-token-0123456789abcdef";
const KEY: &str = include_str!("../../fixtures/test-key.pem");
const PATIENCE: Duration = Duration::from_mins(1);

/// A running `phasebot serve` with its files. Dropping it kills the process.
pub struct Serving {
    pub sim: SimForge,
    /// Log level.
    pub level: &'static str,
    folder: TempDir,
    database_url: String,
    child: Option<Child>,
    /// Addresses of `listen` and `admin_listen` after the start.
    addresses: Option<(SocketAddr, SocketAddr)>,
    /// All answers so far.
    answers: Mutex<String>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

impl Serving {
    pub async fn new() -> Self {
        let key = AppKey::from_private_pem(KEY).unwrap();
        let sim = SimForge::start(Options::new(4711, key, SecretString::from(FIRST), Arc::new(SystemClock)));
        let sim = sim.await.unwrap();
        sim.create_repo("acme/shop").unwrap();
        sim.set_role("acme/shop", "bob", "write").unwrap();
        sim.install("alice", &["acme/shop"]).unwrap();
        let folder = TempDir::new().unwrap();
        for (name, text) in [("secrets", FIRST), ("key.pem", KEY), ("policy.yml", "version: 1\n")] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let answers = Mutex::default();
        let database_url = new_database(&folder.path().join("phasebot.db")).await;
        Self { sim, level: "info", database_url, folder, child: None, addresses: None, answers }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn admin(&self) -> SocketAddr {
        self.addresses.expect("not started yet").1
    }

    fn public(&self) -> SocketAddr {
        self.addresses.expect("not started yet").0
    }

    pub fn bob(&self) -> Person {
        self.sim.person("bob", "acme/shop").unwrap()
    }

    /// Starts `phasebot serve`, and waits until it is ready.
    pub async fn start(&mut self) {
        let from = serving::length(&self.path("log"));
        let log = OpenOptions::new().create(true).append(true).open(self.path("log")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_phasebot"))
            .arg("serve")
            .env_clear()
            .env("NO_COLOR", "1")
            .env("PHASEBOT_DATABASE_URL", &self.database_url)
            .env("PHASEBOT_LISTEN", ANY_PORT)
            .env("PHASEBOT_ADMIN_LISTEN", ANY_PORT)
            .env("PHASEBOT_ADMIN_TOKEN", ADMIN_TOKEN)
            .env("PHASEBOT_LOG", self.level)
            .env("PHASEBOT_POLICY_FILE", self.path("policy.yml"))
            .env("PHASEBOT_GITHUB__APP_ID", "4711")
            .env("PHASEBOT_GITHUB__PRIVATE_KEY_FILE", self.path("key.pem"))
            .env("PHASEBOT_GITHUB__WEBHOOK_SECRETS_FILE", self.path("secrets"))
            .env("PHASEBOT_GITHUB__API_URL", self.sim.api_url())
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
        let begun = Instant::now();
        self.addresses = loop {
            assert!(begun.elapsed() < PATIENCE, "it does not start:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
            let addresses = serving::addresses(&self.path("log"), from);
            if addresses.is_some() {
                break addresses;
            }
        };
        self.sim.set_webhook_url(&format!("http://{}/webhooks/github", self.public()));
    }

    fn signal(&self, name: &str) {
        let id = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([format!("-{name}"), id]).status().unwrap().success());
    }

    /// Sends SIGHUP.
    pub fn hang_up(&self) {
        self.signal("HUP");
    }

    /// Sends SIGTERM; returns the exit code.
    pub fn terminate(&mut self) -> Option<i32> {
        self.signal("TERM");
        self.child.take().unwrap().wait().unwrap().code()
    }

    /// Sends a signed delivery without content; returns the status.
    pub async fn post(&self, secret: &str, id: &str) -> u16 {
        let body = br#"{"zen":"Keep it simple."}"#;
        self.send(body, &sign(secret, body), id).await
    }

    pub async fn send(&self, body: &'static [u8], signature: &str, id: &str) -> u16 {
        let request = client()
            .post(format!("http://{}/webhooks/github", self.public()))
            .header("x-github-event", "ping")
            .header("x-github-delivery", id)
            .header("x-hub-signature-256", signature)
            .body(body);
        self.told(request).await.0
    }

    /// Sends a request to the private address.
    pub async fn ask(&self, method: &str, path: &str, token: Option<&str>, body: &str) -> (u16, String) {
        let url = format!("http://{}{path}", self.admin());
        let mut request = client().request(method.parse().unwrap(), url);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if !body.is_empty() {
            request = request.header("content-type", "application/json").body(body.to_owned());
        }
        self.told(request).await
    }

    /// Returns the answer of `/readyz`.
    pub async fn ready(&self) -> String {
        self.told(client().get(format!("http://{}/readyz", self.public()))).await.1
    }

    async fn told(&self, request: reqwest::RequestBuilder) -> (u16, String) {
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        self.keep(&text);
        (status, text)
    }

    /// Records text that was shown.
    pub fn keep(&self, text: &str) {
        self.answers.lock().unwrap().push_str(text);
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    pub fn count(&self, words: &str) -> usize {
        self.log().matches(words).count()
    }

    /// Waits until the log contains `words` `times` times.
    pub async fn until_logged(&self, words: &str, times: usize) {
        self.until(|serving| serving.count(words) >= times).await;
    }

    /// Waits until a condition holds.
    pub async fn until(&self, holds: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !holds(self) {
            assert!(begun.elapsed() < PATIENCE, "waited in vain:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Checks that no log line and no answer contains a secret, a token or a key.
    pub fn shows_no_secret(&self) {
        let all = format!("{}{}", self.log(), self.answers.lock().unwrap());
        let mut secrets = vec![FIRST.to_owned(), SECOND.to_owned(), ADMIN_TOKEN.to_owned()];
        secrets.extend(KEY.lines().filter(|line| !line.starts_with('-')).map(str::to_owned));
        let given = self.sim.requests().into_iter().filter_map(|exchange| exchange.response);
        secrets.extend(given.filter_map(|body| Some(body.get("token")?.as_str()?.to_owned())));
        // Every JSON Web Token begins like this.
        secrets.push("eyJ".to_owned());
        for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
            assert!(!all.contains(secret.as_str()), "{secret} was shown");
        }
    }
}
