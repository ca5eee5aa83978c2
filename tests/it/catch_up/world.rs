//! A simulated forge that keeps working while the bot starts and stops, with a database that can be
//! restored to an earlier state.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};
use phasebot::{
    app::{Alerts, Bot, BotSettings, EventConnections, FilePolicies, Notices, clock::SimClock},
    cli::assembly::{self, Materials, Program},
    domain::id::{ForgeName, ItemId},
    forge::github::GitHubConfig,
    http::Limits,
    port::{clock::Clock, forge::Forge, store::Store},
    store,
    telemetry::Metrics,
};
use phasebot_forge_sim::{AppKey, Options, Person, SimForge};
use secrecy::SecretString;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::{
    flow::REPO,
    openapi::check_exchange,
    support::database::{leases_run_out, new_database, sqlite_file},
};

const APP: u64 = 4711;
const PRIVATE_KEY: &str = include_str!("../../fixtures/test-key.pem");
/// Interval at which the bot catches up.
pub const EVERY: SignedDuration = SignedDuration::from_mins(5);

/// The forge, the clock and the database file.
pub struct World {
    pub forge: SimForge,
    pub clock: Arc<SimClock>,
    pub running: Option<Running>,
    folder: TempDir,
    database_url: String,
}

/// A running bot.
pub struct Running {
    pub bot: Bot,
    pub store: Arc<dyn Store>,
    server: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl World {
    /// Installs the App on `acme/shop`, where `bob` has write access; the bot does not run yet.
    pub async fn new() -> Self {
        let mut world = Self::on_a_file().await;
        world.database_url = new_database(&world.file()).await;
        world
    }

    /// Creates the same with a database that can be copied.
    pub async fn on_a_file() -> Self {
        let start: Timestamp = "2026-03-02T09:00:00.5Z".parse().unwrap();
        let clock = Arc::new(SimClock::new(start));
        let key = AppKey::from_private_pem(PRIVATE_KEY).unwrap();
        let forge = SimForge::start(Options::new(APP, key, SecretString::from("a webhook secret"), clock.clone()));
        let forge = forge.await.unwrap();
        forge.create_repo(REPO).unwrap();
        forge.set_role(REPO, "bob", "write").unwrap();
        forge.install("alice", &[REPO]).unwrap();
        let mut world =
            Self { forge, clock, running: None, folder: TempDir::new().unwrap(), database_url: String::new() };
        world.database_url = sqlite_file(&world.file());
        world
    }

    /// Returns the path of the database.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("phasebot.db")
    }

    pub fn github(&self) -> Arc<dyn Forge> {
        let config = GitHubConfig {
            name: ForgeName::github(),
            app_id: APP,
            private_key: PRIVATE_KEY.into(),
            webhook_secrets: vec![SecretString::from("a webhook secret")],
            api_url: self.forge.api_url(),
            rate_limits: true,
            clock: self.clock.clone(),
        };
        assembly::github(config).unwrap()
    }

    /// Opens the database, as another process would.
    pub async fn open(&self) -> Arc<dyn Store> {
        store::open(&self.database_url).await.unwrap()
    }

    /// Starts the bot on the database. Webhooks reach it only if `reachable`.
    pub async fn start(&mut self, reachable: bool) {
        assert!(self.running.is_none());
        let store = self.open().await;
        leases_run_out(&self.database_url).await;
        let bind = || assembly::bind("test", SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let (public, admin) = (bind().await.unwrap(), bind().await.unwrap());
        if reachable {
            self.forge.set_webhook_url(&format!("http://{}/webhooks/github", public.local_addr().unwrap()));
        }
        let program = Program::start(Materials {
            store: store.clone(),
            forges: vec![self.github()],
            clock: self.clock.clone(),
            policies: Arc::new(FilePolicies::new(None).unwrap()),
            alerts: Alerts::default(),
            events: EventConnections::default(),
            notices: Notices::default(),
            bot: BotSettings { catch_up: Some(EVERY), ..BotSettings::default() },
            limits: Limits::default(),
            metrics: Metrics::detached().unwrap(),
            public,
            admin,
        });
        let server = tokio::spawn(async move {
            let _shutdown = program.shutdown;
            program.serving.await;
        });
        self.running = Some(Running { bot: program.bot, store, server });
    }

    /// Ends the bot as a crash would.
    pub fn stop(&mut self) {
        self.running = None;
    }

    pub fn bot(&self) -> &Bot {
        &self.running.as_ref().unwrap().bot
    }

    pub fn store(&self) -> &dyn Store {
        self.running.as_ref().unwrap().store.as_ref()
    }

    /// Returns a person who works on `acme/shop`.
    pub fn person(&self, login: &str) -> Person {
        self.forge.person(login, REPO).unwrap()
    }

    /// The forge sends the pending deliveries, and nobody receives them.
    pub fn miss(&self) -> usize {
        let waiting = self.forge.take_pending();
        for delivery in &waiting {
            self.forge.lose(delivery);
        }
        waiting.len()
    }

    /// Sends pending deliveries until nothing is left to do at the current time.
    pub async fn settle(&self) {
        loop {
            let sent = self.forge.deliver_pending().await;
            self.bot().idle().await;
            if sent.is_empty() {
                return;
            }
        }
    }

    /// Advances the time by `by`, stopping at each time that the bot waits for.
    pub async fn run(&self, by: SignedDuration) {
        let end = self.clock.now().checked_add(by).unwrap();
        self.settle().await;
        while let Some(at) = self.bot().next_wake().filter(|at| *at <= end) {
            self.clock.set(at);
            self.settle().await;
        }
        self.clock.set(end);
        self.settle().await;
    }

    pub async fn minute(&self) {
        self.run(SignedDuration::from_mins(1)).await;
    }

    /// Returns the phase labels of an item.
    pub fn labels(&self, item: ItemId) -> Vec<String> {
        let labels = self.forge.visible_labels(REPO, item);
        labels.into_iter().filter(|label| label.starts_with("phase/")).collect()
    }

    /// Returns the number of requests to a route.
    pub fn asked(&self, route: &str) -> usize {
        self.forge.requests().iter().filter(|exchange| exchange.name() == route).count()
    }

    /// Checks that GitHub describes every request.
    pub fn check(&self) {
        for exchange in self.forge.requests().iter().filter(|exchange| exchange.fault.is_none()) {
            check_exchange(exchange).unwrap_or_else(|why| panic!("{why}"));
        }
    }
}

/// Copies a database that nobody writes to.
pub fn copy(from: &Path, to: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let name = |path: &Path| PathBuf::from(format!("{}{suffix}", path.display()));
        if name(from).exists() {
            std::fs::copy(name(from), name(to)).unwrap();
        } else {
            let _ = std::fs::remove_file(name(to));
        }
    }
}
