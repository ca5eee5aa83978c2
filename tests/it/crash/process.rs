//! The real program as a process that can be killed.

use std::{
    fs::{File, OpenOptions},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::world::ALERT_TOKEN;
use crate::support::serving::{self, ANY_PORT};

/// The program under test.
const PROGRAM: &str = env!("CARGO_BIN_EXE_phasebot");
/// Time-out of a start; a machine that runs many tests at once is slow.
const PATIENCE: Duration = Duration::from_mins(1);
/// Address at which nothing listens: the discard port.
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9);

/// Settings for each start of the program in one world.
pub struct Installed {
    /// Setting `database_url`.
    pub database_url: String,
    /// Root of the forge's API.
    pub api_url: String,
    /// Webhook secret.
    pub secret: String,
    /// App id.
    pub app_id: u64,
    /// Path of the log.
    pub log: PathBuf,
    /// Alertmanager's connections: name, and the repository where it opens issues.
    pub alerts: Vec<(String, String)>,
    /// Repository of the connection `cd`, whose reported deployments the forge shows, too.
    pub mirrored: Option<String>,
    /// Further settings: their variables.
    pub variables: Vec<(String, String)>,
}

/// A running program. Dropping it kills it.
pub struct Running {
    child: Child,
    /// Address for webhooks; [`NOWHERE`] if it crashed before it listened.
    pub address: SocketAddr,
}

impl Installed {
    /// Starts `phasebot serve`, and waits until it is ready or has crashed at `crash_at`.
    pub async fn start(&self, crash_at: Option<&str>) -> Running {
        let from = serving::length(&self.log);
        let child = self.serve(crash_at).spawn().unwrap();
        let mut running = Running { child, address: NOWHERE };
        let begun = Instant::now();
        loop {
            running.address = serving::addresses(&self.log, from).map_or(NOWHERE, |(public, _)| public);
            if ready(running.address).await {
                return running;
            }
            if running.ended() {
                assert!(running.crashed(), "phasebot does not start:\n{}", self.log_tail());
                return running;
            }
            assert!(begun.elapsed() < PATIENCE, "phasebot is not ready:\n{}", self.log_tail());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn serve(&self, crash_at: Option<&str>) -> Command {
        let mut command = self.command(&["serve"]);
        command
            .env("PHASEBOT_LISTEN", ANY_PORT)
            .env("PHASEBOT_ADMIN_LISTEN", ANY_PORT)
            .env("PHASEBOT_LOG", "info")
            .env("PHASEBOT_GITHUB__APP_ID", self.app_id.to_string())
            .env("PHASEBOT_GITHUB__PRIVATE_KEY_FILE", key_file())
            .env("PHASEBOT_GITHUB__WEBHOOK_SECRETS", &self.secret)
            .env("PHASEBOT_GITHUB__API_URL", &self.api_url)
            .stderr(OpenOptions::new().create(true).append(true).open(&self.log).unwrap());
        for (name, repository) in &self.alerts {
            let key = |last: &str| format!("PHASEBOT_ALERTS__{}__{last}", name.to_uppercase());
            command
                .env(key("KIND"), "alertmanager")
                .env(key("SECRETS"), ALERT_TOKEN)
                .env(key("REPOSITORIES"), repository);
        }
        if let Some(repository) = &self.mirrored {
            command
                .env("PHASEBOT_EVENTS__CD__KIND", "generic")
                .env("PHASEBOT_EVENTS__CD__SECRETS", ALERT_TOKEN)
                .env("PHASEBOT_EVENTS__CD__REPOSITORIES", repository)
                .env("PHASEBOT_EVENTS__CD__GITHUB", "true");
        }
        command.envs(self.variables.iter().cloned());
        if let Some(point) = crash_at {
            command.env("PHASEBOT_CRASH_AT", point);
        }
        command
    }

    /// Returns the end of its log, for failure messages.
    pub fn log_tail(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .args(arguments)
            .env_clear()
            .env("PHASEBOT_DATABASE_URL", &self.database_url)
            .env("NO_COLOR", "1")
            .current_dir(self.log.parent().unwrap())
            .stdin(Stdio::null());
        command
    }
}

impl Running {
    /// Kills it with `kill -9`.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Stops it in the middle of its work (`SIGSTOP`).
    pub fn stop(&self) {
        self.signal("STOP");
    }

    /// Lets it continue (`SIGCONT`).
    pub fn go_on(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([format!("-{name}"), self.child.id().to_string()]).status().unwrap();
        assert!(sent.success(), "SIG{name} was not sent");
    }

    /// Returns whether the process has ended.
    pub fn ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Returns whether it aborted, as a crash point does.
    pub fn crashed(&mut self) -> bool {
        const SIGABRT: i32 = 6;
        self.child.try_wait().unwrap().is_some_and(|status| status.signal() == Some(SIGABRT))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn ready(address: SocketAddr) -> bool {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.get(format!("http://{address}/readyz")).send().await;
    answer.is_ok_and(|answer| answer.status().is_success())
}

/// Copies the App's key to a file that only its owner can read, as the program requires.
pub fn key() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/test-key.pem")).unwrap()
}

fn key_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/test-key.pem")
}

/// Creates an empty file, so that there is a log even if nothing starts.
pub fn empty(path: &Path) {
    File::create(path).unwrap();
}
