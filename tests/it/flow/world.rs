//! Environment of a flow: the bot and its server as `serve` assembles them, the GitHub adapter,
//! SQLite in a file, and the simulated forge, with one simulated clock for all.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};
use phasebot::{
    app::{Alerts, Bot, BotSettings, EventConnections, FilePolicies, Notices, clock::SimClock},
    cli::{
        alerts,
        assembly::{self, Materials, Operators, Pages, Program},
        events, notices,
    },
    domain::{
        derived::Derived,
        id::{ForgeName, ItemId, RepoKey},
        policy::Policy,
    },
    forge::github::GitHubConfig,
    http::Limits,
    policy,
    port::{clock::Clock, store::Store},
    settings::Settings,
    store,
    telemetry::Metrics,
    web::Access,
};
use phasebot_forge_sim::{
    AppKey, Delivery, Exchange, LabelChange, NewCommit, NewDeployment, NewPull, Options, Person, SimForge,
};
use secrecy::SecretString;
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{openapi::check_exchange, support::database::new_database};

/// Repository of most flows.
pub const REPO: &str = "acme/shop";
/// Login of the bot on the forge.
pub const BOT: &str = "phasebot[bot]";

const APP: u64 = 4711;
const PRIVATE_KEY: &str = include_str!("../../fixtures/test-key.pem");

/// A delivery that was sent, with the HTTP status of the answer.
pub type Sent = (Delivery, u16);

/// Options of a flow.
#[derive(Default)]
pub struct Setup {
    /// Policy file of the repository; empty: none.
    pub policy: &'static str,
    pub dry_run: bool,
    /// See [`Options::base_path`].
    pub base_path: &'static str,
    /// Settings of the bot; `None`: the usual ones.
    pub bot: Option<BotSettings>,
    /// Sections `[alerts.NAME]`, `[events.NAME]` and `[notices.NAME]` of the settings.
    pub alerts: &'static str,
    /// Start time; `None`: a Monday morning.
    pub start: Option<Timestamp>,
    /// The clock, where something else has it, too; `None`: a new one.
    pub clock: Option<Arc<SimClock>>,
    /// The forge enforces its limits.
    pub enforce_limits: bool,
    /// The App is not yet installed.
    pub not_installed: bool,
    /// Storage; `None`: a new file.
    pub store: Option<Arc<dyn Store>>,
    /// Serve the web pages; not with a `store`.
    pub pages: Option<Access>,
    /// Serve the web pages at an address with this access, in place of `pages`.
    pub sign_in: Option<SignIn>,
}

/// Token of operators.
pub const OPERATORS: &str = "the operators' own token";

/// Makes the access to the pages from the forge, the store and the address of the pages.
pub type SignIn = fn(&SimForge, Arc<dyn Store>, String) -> Access;

/// Environment of a flow.
pub struct World {
    pub forge: SimForge,
    pub clock: Arc<SimClock>,
    pub store: Arc<dyn Store>,
    pub bot: Bot,
    pub installation: u64,
    /// Address of the bot's server.
    pub address: SocketAddr,
    /// Address of the web pages, if they are served.
    pub web: Option<SocketAddr>,
    /// The private address.
    pub admin: SocketAddr,
    policy: Arc<Policy>,
    repo: RepoKey,
    server: JoinHandle<()>,
    _folder: TempDir,
}

impl Drop for World {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl World {
    /// Installs the App on `acme/shop`, where `bob` has write access; nothing else has happened.
    pub async fn new() -> Self {
        Self::with(Setup::default()).await
    }

    pub async fn with(setup: Setup) -> Self {
        // Not a whole second: a forge's own times are, so they lie just before ours.
        let start = setup.start.unwrap_or("2026-03-02T09:00:00.5Z".parse().unwrap());
        let clock = setup.clock.unwrap_or_else(|| Arc::new(SimClock::new(start)));
        let secret = SecretString::from("a webhook secret");
        let key = AppKey::from_private_pem(PRIVATE_KEY).unwrap();
        let mut options = Options::new(APP, key, secret.clone(), clock.clone());
        setup.base_path.clone_into(&mut options.base_path);
        options.enforce_limits = setup.enforce_limits;
        let forge = SimForge::start(options).await.unwrap();
        let id = forge.create_repo(REPO).unwrap();
        forge.set_role(REPO, "bob", "write").unwrap();

        let folder = TempDir::new().unwrap();
        let database = new_database(&folder.path().join("flow.db")).await;
        let store = match setup.store {
            Some(store) => store,
            None => store::open(&database).await.unwrap(),
        };
        let listening = listener().await;
        let url = format!("http://{}", listening.local_addr().unwrap());
        let access = setup.sign_in.map(|access| access(&forge, store.clone(), url)).or(setup.pages);
        let pages = match access {
            Some(access) => Some(Pages {
                listener: listening,
                store: store::open_pages(&database).await.unwrap(),
                forge_url: forge.web_url(),
                access,
            }),
            None => None,
        };
        let web = pages.as_ref().map(|pages| pages.listener.local_addr().unwrap());
        let github = assembly::github(GitHubConfig {
            name: ForgeName::github(),
            app_id: APP,
            private_key: PRIVATE_KEY.into(),
            webhook_secrets: vec![secret],
            api_url: forge.api_url(),
            rate_limits: true,
            clock: clock.clone(),
        });
        let policy = match setup.policy {
            "" => policy::built_in(),
            text => policy::load(policy::PATH, text).unwrap(),
        };
        let policy = Arc::new(policy);
        let (public, admin) = (listener().await, listener().await);
        let (address, private) = (public.local_addr().unwrap(), admin.local_addr().unwrap());
        forge.set_webhook_url(&format!("http://{address}/webhooks/github"));
        let materials = Materials {
            store: store.clone(),
            forges: vec![github.unwrap()],
            clock: clock.clone(),
            policies: Arc::new(FilePolicies::new(None).unwrap()),
            alerts: connections(setup.alerts, &clock),
            events: event_connections(setup.alerts, &clock),
            notices: targets_of(setup.alerts, &clock),
            bot: setup.bot.unwrap_or(BotSettings { dry_run: setup.dry_run, ..BotSettings::default() }),
            limits: Limits::default(),
            metrics: Metrics::detached().unwrap(),
            public,
            admin,
        };
        let program =
            Program::start_with(materials, Operators { pages, token: Some(OPERATORS.into()), ..Operators::default() });
        let mut world = Self {
            forge,
            clock,
            store,
            bot: program.bot,
            installation: 0,
            address,
            web,
            admin: private,
            policy,
            repo: RepoKey { forge: ForgeName::github(), id },
            server: tokio::spawn(async move {
                // The server ends when nobody holds the sender any more.
                let _shutdown = program.shutdown;
                program.serving.await;
            }),
            _folder: folder,
        };
        if !setup.policy.is_empty() {
            let files = vec![(policy::PATH.to_owned(), Some(setup.policy.to_owned()))];
            let commit = NewCommit { message: "Our policy".to_owned(), files };
            world.person("bob").push("main", &[commit]).unwrap();
        }
        if !setup.not_installed {
            world.installation = world.forge.install("alice", &[REPO]).unwrap().made;
            world.settle().await;
        }
        world
    }

    /// Returns a person who works on `acme/shop`.
    pub fn person(&self, login: &str) -> Person {
        self.forge.person(login, REPO).unwrap()
    }

    /// Returns the forge's id of `acme/shop`.
    pub fn forge_id(&self) -> u64 {
        self.repo.id
    }

    /// Sends the pending webhooks, and those that the bot's actions cause, until nothing is left to
    /// do at the current time.
    pub async fn settle(&self) -> Vec<Sent> {
        let mut all = Vec::new();
        loop {
            let sent = self.forge.deliver_pending().await;
            self.bot.idle().await;
            if sent.is_empty() {
                return all;
            }
            all.extend(sent);
        }
    }

    /// Advances the time by `by`, stopping at each time that the bot waits for.
    pub async fn run(&self, by: SignedDuration) -> Vec<Sent> {
        let end = self.clock.now().checked_add(by).unwrap();
        let mut all = self.settle().await;
        while let Some(at) = self.bot.next_wake().filter(|at| *at <= end) {
            self.clock.set(at);
            all.extend(self.settle().await);
        }
        self.clock.set(end);
        all.extend(self.settle().await);
        all
    }

    /// Advances the time by a minute, which is enough for every rate-limited write.
    pub async fn minute(&self) -> Vec<Sent> {
        self.run(SignedDuration::from_mins(1)).await
    }

    /// Returns the visible phase label of an item. Fails if there are two.
    pub fn label(&self, item: ItemId) -> Option<String> {
        self.label_in(REPO, item)
    }

    pub fn label_in(&self, full_name: &str, item: ItemId) -> Option<String> {
        let mut labels = self.forge.visible_labels(full_name, item);
        labels.retain(|label| self.policy.label_index(label).is_some());
        assert!(labels.len() <= 1, "#{item} carries {labels:?}");
        labels.pop_first()
    }

    /// Asserts an item's phase; an empty name means no phase label.
    #[track_caller]
    pub fn in_phase(&self, item: ItemId, phase: &str) {
        let expected = (!phase.is_empty()).then(|| format!("phase/{phase}"));
        assert_eq!(self.label(item), expected, "#{item}");
    }

    /// Returns the bot's stored derivation for an item.
    pub async fn derived(&self, item: ItemId) -> Option<Derived> {
        let rows = self.store.items(&self.repo).await.unwrap();
        let row = rows.into_iter().find(|row| row.item == item)?;
        serde_json::from_str(&row.derived).ok()
    }

    /// Returns every phase label that an item showed, in order. Fails if two ever showed at once.
    pub fn phases_shown(&self, item: ItemId) -> Vec<String> {
        let mut on: BTreeSet<String> = BTreeSet::new();
        let mut shown = Vec::new();
        for change in self.phase_changes(item) {
            if change.added {
                on.insert(change.label.clone());
                shown.push(change.label.trim_start_matches("phase/").to_owned());
            } else {
                on.remove(&change.label);
            }
            assert!(on.len() <= 1, "#{item} carried {on:?} at {}", change.at);
        }
        shown
    }

    /// Returns the changes of an item's phase labels.
    pub fn phase_changes(&self, item: ItemId) -> Vec<LabelChange> {
        let mut history = self.forge.label_history(REPO, item);
        history.retain(|change| self.policy.label_index(&change.label).is_some());
        history
    }

    /// Returns the bot's comments.
    pub fn comments_of_ours(&self, item: ItemId) -> Vec<String> {
        let all = self.forge.comments(REPO, item).into_iter();
        all.filter(|(author, _)| author == BOT).map(|(_, text)| text).collect()
    }

    /// Returns the requests since the last [`SimForge::clear_requests`], by name.
    pub fn calls(&self) -> Vec<String> {
        self.forge.requests().iter().map(Exchange::name).collect()
    }

    /// Returns the requests that change the forge; creating a token is not one.
    pub fn writes(&self) -> Vec<Exchange> {
        let mut all = self.forge.requests();
        all.retain(|exchange| exchange.is_write() && !exchange.route.ends_with("/access_tokens"));
        all
    }

    /// Checks that nothing failed for good, and that GitHub describes every request.
    pub async fn check(&self) {
        super::wire::keep(&self.forge.requests());
        for exchange in self.forge.requests() {
            if exchange.fault.is_none() {
                check_exchange(&exchange).unwrap_or_else(|why| panic!("{why}"));
            }
        }
        let stats = self.store.stats().await.unwrap();
        assert_eq!((stats.pending, stats.quarantined, stats.dead_deliveries, stats.dead_effects), (0, 0, 0, 0));
        assert_eq!(stats.queued_effects, [0, 0, 0]);
    }

    // ── Parts of stories ──

    /// bob pushes `branch` and opens a pull request from it; returns its number.
    pub fn open_pull(&self, branch: &str, body: &str) -> ItemId {
        let bob = self.person("bob");
        bob.push(branch, &[NewCommit::from(format!("Work on {branch}"))]).unwrap();
        let new = NewPull {
            head: branch.to_owned(),
            title: format!("Work on {branch}"),
            body: body.to_owned(),
            ..NewPull::default()
        };
        bob.open_pull(&new).unwrap().made
    }

    /// Starts a deployment; returns its id.
    pub fn deploy(&self, reference: &str, environment: &str) -> u64 {
        let deployer = self.person("deployer[bot]");
        let new = NewDeployment {
            reference: reference.to_owned(),
            environment: environment.to_owned(),
            ..NewDeployment::default()
        };
        let id = deployer.deployment(&new).unwrap().made;
        deployer.deployment_status(id, "in_progress").unwrap();
        id
    }

    /// Ends a deployment.
    pub fn deployed(&self, id: u64, how: &str) {
        self.person("deployer[bot]").deployment_status(id, how).unwrap();
    }

    /// Passes both kinds of checks on a commit.
    pub fn pass_checks(&self, sha: &str) {
        let (actions, jenkins) = (self.person("github-actions"), self.person("jenkins"));
        let check = actions.start_check(sha, "unit tests").unwrap().made;
        jenkins.status(sha, "jenkins", "pending").unwrap();
        actions.complete_check(check, "success").unwrap();
        jenkins.status(sha, "jenkins", "success").unwrap();
    }
}

fn connections(settings: &str, clock: &Arc<SimClock>) -> Alerts {
    let settings = Settings::parse(Path::new("settings"), settings).unwrap();
    let clock: Arc<dyn Clock> = clock.clone();
    alerts::connections(&settings.alerts, &clock).unwrap_or_else(|_| panic!("the connections can't be made"))
}

fn event_connections(settings: &str, clock: &Arc<SimClock>) -> EventConnections {
    let settings = Settings::parse(Path::new("settings"), settings).unwrap();
    let clock: Arc<dyn Clock> = clock.clone();
    events::connections(&settings, &clock).unwrap_or_else(|_| panic!("the connections can't be made"))
}

fn targets_of(settings: &str, clock: &Arc<SimClock>) -> Notices {
    let settings = Settings::parse(Path::new("settings"), settings).unwrap();
    let clock: Arc<dyn Clock> = clock.clone();
    notices::targets(&settings.notices, &clock).unwrap_or_else(|_| panic!("the targets can't be made"))
}

async fn listener() -> TcpListener {
    assembly::bind("test", SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap()
}
