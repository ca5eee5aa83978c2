//! Tests with a real Alertmanager: alerts through its API, issues on the simulated forge.
//!
//! Run by `scripts/test alertmanager`. It uses the machine's clock, so the tests wait for results
//! and never for a fixed time.

use std::{
    net::{SocketAddr, TcpListener as Ports},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use phasebot::{
    app::clock::SystemClock,
    port::{clock::Clock, store::DeliveryRow},
};
use tempfile::TempDir;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use super::sent::inbox;
use crate::flow::{REPO, Setup, World};

const SETTINGS: &str = r#"
[alerts.prod]
kind = "alertmanager"
secrets = ["s3cret"]
repositories = ["acme/shop"]
"#;

/// Time-out for a result that normally arrives much earlier.
const PATIENCE: Duration = Duration::from_mins(2);

/// An Alertmanager process, ended with the test.
struct Alertmanager {
    process: Child,
    address: SocketAddr,
    _folder: TempDir,
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn binary() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let names = ["prometheus-alertmanager", "alertmanager"];
    let mut all = std::env::split_paths(&path).flat_map(|folder| names.map(|name| folder.join(name)));
    all.find(|path| path.is_file()).expect("Alertmanager is installed")
}

fn free_address() -> SocketAddr {
    Ports::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

impl Alertmanager {
    async fn start(hook: SocketAddr) -> Self {
        let folder = TempDir::new().unwrap();
        let config = format!(
            "route: {{ receiver: phasebot, group_by: [alertname], group_wait: 100ms, group_interval: 2s, repeat_interval: 2s }}\n\
             receivers:\n  - name: phasebot\n    webhook_configs:\n      - url: http://{hook}/alerts/prod\n        \
             http_config: {{ authorization: {{ credentials: s3cret }} }}\n"
        );
        let file = folder.path().join("alertmanager.yml");
        std::fs::write(&file, config).unwrap();
        let address = free_address();
        let process = Command::new(binary())
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--cluster.listen-address=")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let started = Self { process, address, _folder: folder };
        until("Alertmanager answers", async || {
            reqwest::get(format!("http://{address}/-/ready")).await.is_ok_and(|answer| answer.status() == 200)
        })
        .await;
        started
    }

    /// Fires or resolves an alert.
    async fn tell(&self, name: &str, began: Timestamp, ended: Option<Timestamp>) {
        let alert = serde_json::json!([{
            "labels": { "alertname": name, "severity": "critical", "env": "production" },
            "annotations": { "summary": format!("@everyone: {name} for #1") },
            "generatorURL": "http://prometheus.example.com/graph",
            "startsAt": began.to_string(),
            "endsAt": ended.map(|at| at.to_string()),
        }]);
        let mut alert = alert;
        if ended.is_none() {
            alert[0].as_object_mut().unwrap().remove("endsAt");
        }
        let client = reqwest::Client::new();
        let request = client.post(format!("http://{}/api/v2/alerts", self.address));
        let answer = request.header("Content-Type", "application/json").body(alert.to_string()).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
    }
}

/// Waits until a condition holds.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "in vain: {what}");
}

/// Waits until the inbox contains the expected deliveries.
async fn until_kept(world: &World, what: &str, found: impl Fn(&[DeliveryRow]) -> bool) {
    until(what, async || found(&inbox(world.store.as_ref()).await)).await;
}

/// A proxy to the bot that can be shut; it then refuses connections.
struct Door {
    at: SocketAddr,
    to: SocketAddr,
    open: Option<JoinHandle<()>>,
}

impl Door {
    async fn open(&mut self) {
        let (listener, to) = (TcpListener::bind(self.at).await.unwrap(), self.to);
        self.open = Some(tokio::spawn(async move {
            while let Ok((mut from, _)) = listener.accept().await {
                if let Ok(mut bot) = TcpStream::connect(to).await {
                    // Each connection carries at most one answer after the proxy is shut.
                    let _ = tokio::io::copy_bidirectional(&mut from, &mut bot).await;
                }
            }
        }));
    }

    async fn shut(&mut self) {
        if let Some(open) = self.open.take() {
            open.abort();
            let _ = open.await;
        }
    }
}

fn issues_opened(world: &World) -> usize {
    let opened =
        |e: &&phasebot_forge_sim::Exchange| e.name() == "POST /repos/{owner}/{repo}/issues" && e.status == Some(201);
    world.forge.requests().iter().filter(opened).count()
}

fn shown(world: &World, item: u64) -> Vec<String> {
    world.forge.visible_labels(REPO, item).into_iter().filter(|l| !l.starts_with("severity/")).collect()
}

#[tokio::test]
#[ignore = "needs Alertmanager: scripts/test alertmanager"]
async fn real_alerts_become_issues() {
    let now = SystemClock.now();
    let world = World::with(Setup { alerts: SETTINGS, start: Some(now), ..Setup::default() }).await;
    let mut door = Door { at: free_address(), to: world.address, open: None };
    door.open().await;
    let alertmanager = Alertmanager::start(door.at).await;
    let began = now - SignedDuration::from_secs(30);

    // The alert fires and is repeated: one issue and no comment.
    alertmanager.tell("HighErrorRate", began, None).await;
    until_kept(&world, "the alert and a repetition", |rows| rows.len() >= 2).await;
    world.run(SignedDuration::from_mins(2)).await;
    assert_eq!(issues_opened(&world), 1);
    assert_eq!(shown(&world, 1), ["alert/firing", "env/production", "feedback", "phase/plan"]);
    let repeated = inbox(world.store.as_ref()).await.len();
    until_kept(&world, "more repetitions", |rows| rows.len() >= repeated + 2).await;
    world.run(SignedDuration::from_mins(2)).await;
    assert_eq!((issues_opened(&world), world.forge.comments(REPO, 1).len()), (1, 0));

    // Another alert fires while the bot is unreachable: Alertmanager retries.
    door.shut().await;
    alertmanager.tell("DiskFull", began, None).await;
    let failed = async || {
        let metrics =
            reqwest::get(format!("http://{}/metrics", alertmanager.address)).await.unwrap().text().await.unwrap();
        let count = metrics
            .lines()
            .find(|l| l.starts_with("alertmanager_notification_requests_failed_total{integration=\"webhook\"}"));
        count.is_some_and(|line| !line.ends_with(" 0"))
    };
    until("Alertmanager fails to reach us", failed).await;
    let about = |name: &'static str| {
        let world = &world;
        async move {
            let mut found = 0;
            for row in inbox(world.store.as_ref()).await {
                let body = world.store.delivery(row.seq).await.unwrap().unwrap().body;
                found += usize::from(String::from_utf8_lossy(&body).contains(name));
            }
            found
        }
    };
    assert_eq!(about("DiskFull").await, 0);
    door.open().await;
    until("the alert arrives after all", async || about("DiskFull").await > 0).await;
    world.run(SignedDuration::from_mins(2)).await;
    assert_eq!(issues_opened(&world), 2);

    // The first alert is resolved; the other one still fires.
    alertmanager.tell("HighErrorRate", began, Some(SystemClock.now())).await;
    until_kept(&world, "the end", |rows| rows.iter().any(|row| row.action.as_deref() == Some("resolved"))).await;
    world.run(SignedDuration::from_mins(12)).await;
    assert_eq!(shown(&world, 1), ["alert/resolved", "env/production", "feedback", "phase/plan"]);
    assert_eq!(shown(&world, 2), ["alert/firing", "env/production", "feedback", "phase/plan"]);
    assert_eq!(issues_opened(&world), 2);
    assert_eq!(world.forge.comments(REPO, 1).len(), 1);
}
