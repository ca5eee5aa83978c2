//! The real server, bot, store and GitHub adapter with the simulated forge, over signed HTTP and in
//! simulated time.

use std::{
    collections::BTreeSet,
    sync::{Arc, LazyLock},
    time::Duration,
};

use jiff::SignedDuration;
use phasebot::{
    app::{Alerts, Bot, BotSettings, EventConnections, FilePolicies, Notices, Parts, clock::SimClock},
    domain::{id::ForgeName, policy::FILE},
    forge::github::{GitHub, GitHubConfig},
    http::{Limits, Senders, ServerState, serve},
    policy,
    port::{
        clock::Clock,
        forge::Forge,
        store::{DeliveryFilter, Store},
    },
    store,
    telemetry::Metrics,
};
use phasebot_forge_sim::{AppKey, Exchange, NewCommit, NewPull, Options, Person, SimForge};
use secrecy::SecretString;
use serde_json::Value;
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use crate::{openapi::check_exchange, support::database::new_database};

const APP: u64 = 4711;
const SECRET: &str = "a webhook secret";
pub const REPO: &str = "acme/shop";
pub const CONTENTS: &str = "/repos/{owner}/{repo}/contents/{path}";
pub const COMPARE: &str = "/repos/{owner}/{repo}/compare/{basehead}";
pub const CHECKS: &str = "/repos/{owner}/{repo}/check-runs";
pub const CHECK: &str = "/repos/{owner}/{repo}/check-runs/{check_run_id}";
pub const ISSUES: &str = "/repos/{owner}/{repo}/issues";
pub const ISSUE: &str = "/repos/{owner}/{repo}/issues/{issue_number}";

/// One key for all tests: the private half in PEM, and the public one.
static KEY: LazyLock<(String, AppKey)> = LazyLock::new(|| AppKey::generate().unwrap());

struct Running {
    bot: Bot,
    server: JoinHandle<()>,
    _shutdown: watch::Sender<bool>,
}

pub struct World {
    pub sim: SimForge,
    pub clock: Arc<SimClock>,
    pub ada: Person,
    store: Arc<dyn Store>,
    operator: Option<String>,
    settings: BotSettings,
    running: Option<Running>,
    _folder: TempDir,
}

/// Options of a world.
#[derive(Default)]
pub struct Setup {
    /// Policy of the operator.
    pub operator: Option<&'static str>,
    /// The App has no permission to write checks.
    pub no_checks: bool,
    /// Decide, but write nothing.
    pub dry_run: bool,
    /// Policy file of the repository before the App is installed.
    pub file: Option<&'static str>,
    /// Policy file of the organisation's repository, on which the App is installed, too.
    pub organisation: Option<&'static str>,
}

impl World {
    pub async fn new() -> Self {
        Self::with(Setup::default()).await
    }

    pub async fn with(setup: Setup) -> Self {
        let clock = Arc::new(SimClock::new("2026-03-02T10:00:00Z".parse().unwrap()));
        let mut options = Options::new(APP, KEY.1.clone(), SecretString::from(SECRET), clock.clone());
        if setup.no_checks {
            options.permissions.insert("checks".to_owned(), "read".to_owned());
        }
        let sim = SimForge::start(options).await.unwrap();
        sim.create_repo(REPO).unwrap();
        let ada = sim.person("ada", REPO).unwrap();
        sim.set_role(REPO, "ada", "write").unwrap();
        if let Some(text) = setup.file {
            ada.push("main", &[commit(Some(text))]).unwrap();
        }
        let mut repositories = vec![REPO];
        if let Some(text) = setup.organisation {
            sim.create_repo("acme/.github").unwrap();
            sim.person("ada", "acme/.github").unwrap().push("main", &[commit(Some(text))]).unwrap();
            repositories.push("acme/.github");
        }
        sim.take_pending();
        sim.install("boss", &repositories).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let store = store::open(&new_database(&folder.path().join("test.db")).await).await.unwrap();
        let operator = setup.operator.map(str::to_owned);
        let settings = BotSettings { dry_run: setup.dry_run, ..BotSettings::default() };
        let mut world = Self { sim, clock, ada, store, operator, settings, running: None, _folder: folder };
        world.start().await;
        world.settle().await;
        world
    }

    async fn start(&mut self) {
        let forge: Arc<dyn Forge> = Arc::new(
            GitHub::new(GitHubConfig {
                name: ForgeName::github(),
                app_id: APP,
                private_key: KEY.0.clone().into(),
                webhook_secrets: vec![SECRET.to_owned().into()],
                api_url: self.sim.api_url(),
                rate_limits: true,
                clock: self.clock.clone(),
            })
            .unwrap(),
        );
        let operator = self.operator.as_ref().map(|text| policy::parse("operator.yml", text).unwrap());
        let bot = Bot::start(Parts {
            store: self.store.clone(),
            forges: vec![forge.clone()],
            clock: self.clock.clone(),
            policies: Arc::new(FilePolicies::new(operator).unwrap()),
            alerts: Alerts::default(),
            events: EventConnections::default(),
            notices: Notices::default(),
            settings: self.settings.clone(),
        });
        let (shutdown, ending) = watch::channel(false);
        let metrics = Metrics::detached().unwrap();
        let state = ServerState::new([forge], Senders::default(), bot.intake(), metrics, Limits::default(), ending);
        let public = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let admin = TcpListener::bind("127.0.0.1:0").await.unwrap();
        self.sim.set_webhook_url(&format!("http://{}/webhooks/github", public.local_addr().unwrap()));
        let server = tokio::spawn(serve(state, public, admin));
        self.running = Some(Running { bot, server, _shutdown: shutdown });
    }

    /// Restarts the bot on the same store, optionally with another operator's policy.
    pub async fn restart(&mut self, operator: Option<&str>) {
        if let Some(running) = self.running.take() {
            running.server.abort();
            assert!(running.bot.shutdown(Duration::from_secs(10)).await);
        }
        self.operator = operator.map(str::to_owned);
        self.start().await;
    }

    fn bot(&self) -> &Bot {
        &self.running.as_ref().unwrap().bot
    }

    /// Delivers pending webhooks and their consequences, until nothing is left to do now.
    pub async fn settle(&self) {
        let settling = async {
            loop {
                let sent = self.sim.deliver_pending().await;
                self.bot().idle().await;
                if sent.is_empty() {
                    return;
                }
                assert!(sent.iter().all(|(_, status)| *status == 202), "{sent:?}");
            }
        };
        tokio::time::timeout(Duration::from_mins(1), settling).await.unwrap();
    }

    /// Advances the time by `by`, stopping at each time that somebody waits for.
    pub async fn run(&self, by: SignedDuration) {
        let end = self.clock.now().checked_add(by).unwrap();
        loop {
            self.settle().await;
            match self.bot().next_wake() {
                Some(at) if at <= end => self.clock.set(at),
                _ => break,
            }
        }
        self.clock.set(end);
        self.settle().await;
    }

    /// Advances the time by a minute, in which all pending work is done.
    pub async fn minute(&self) {
        self.run(SignedDuration::from_mins(1)).await;
    }

    /// Pushes the policy file to a branch (`None` removes it); returns the commit.
    pub fn push(&self, branch: &str, text: Option<&str>) -> String {
        self.ada.push(branch, &[commit(text)]).unwrap().made.remove(0)
    }

    /// Opens a pull request from a branch; returns its number.
    pub fn pull(&self, head: &str) -> u64 {
        let new = NewPull { head: head.to_owned(), title: "Change".to_owned(), ..NewPull::default() };
        self.ada.open_pull(&new).unwrap().made
    }

    pub fn labels(&self, item: u64) -> Vec<String> {
        self.sim.visible_labels(REPO, item).into_iter().collect()
    }

    /// Returns the successful requests with this method and route.
    pub fn asked(&self, method: &str, route: &str) -> Vec<Exchange> {
        let all = self.sim.requests().into_iter();
        all.filter(|e| e.method == method && e.route == route && e.status.is_some_and(|s| s < 300)).collect()
    }

    /// Returns the number of requests to any of these routes, successful or not.
    pub fn calls(&self, routes: &[&str]) -> usize {
        self.sim.requests().iter().filter(|e| routes.contains(&e.route.as_str())).count()
    }

    /// Returns the number of requests with this method and route, successful or not.
    pub fn calls_of(&self, method: &str, route: &str) -> usize {
        self.sim.requests().iter().filter(|e| e.method == method && e.route == route).count()
    }

    /// Returns the body of the last check run that was written, with the commit in the route.
    pub fn check(&self) -> Value {
        let all = self.sim.requests();
        let written = all.iter().rev().find(|e| {
            e.method != "GET" && [CHECKS, CHECK].contains(&e.route.as_str()) && e.status.is_some_and(|s| s < 300)
        });
        written.unwrap().response.clone().unwrap()
    }

    /// Returns the last request that wrote a check run.
    pub fn check_request(&self) -> Value {
        let all = self.sim.requests();
        let written = all.iter().rev().find(|e| e.method != "GET" && [CHECKS, CHECK].contains(&e.route.as_str()));
        written.unwrap().request.clone().unwrap()
    }

    /// Returns the notes of all deliveries, oldest first.
    pub async fn notes(&self) -> Vec<String> {
        let filter = DeliveryFilter { limit: 500, ..DeliveryFilter::default() };
        self.store.deliveries(&filter).await.unwrap().into_iter().rev().map(|row| row.note).collect()
    }

    /// Returns the number of effects that failed for good.
    pub async fn dead(&self) -> usize {
        self.store.effects(true, 100).await.unwrap().len()
    }

    /// Returns the numbers of all issues that the App opened.
    pub fn issues_by_us(&self) -> BTreeSet<u64> {
        self.asked("POST", ISSUES).iter().map(|e| e.response.as_ref().unwrap()["number"].as_u64().unwrap()).collect()
    }
}

impl Drop for World {
    /// Checks that GitHub describes every request and answer.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            for exchange in self.sim.requests().iter().filter(|e| e.fault.is_none()) {
                check_exchange(exchange).unwrap_or_else(|why| panic!("{why}"));
            }
        }
    }
}

/// Creates a commit that writes or removes the policy file.
pub fn commit(text: Option<&str>) -> NewCommit {
    NewCommit { message: "Policy".to_owned(), files: vec![(FILE.to_owned(), text.map(str::to_owned))] }
}
