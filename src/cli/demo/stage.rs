//! Environment of the demo: the real bot and its server, the simulated forge, and one simulated
//! clock for both.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use rand::RngExt;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use crate::{
    app::{
        Bot, BotSettings, EventConnections, Notices,
        clock::{SimClock, SystemClock, after},
    },
    cli::{
        Failure, alerts,
        assembly::{self, Materials, Operators, Pages, Program},
        demo::seed,
        policy::operators,
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
use phasebot_forge_sim::{AppKey, Delivery, Options, SimError, SimForge};

/// Repository of the story.
pub(super) const REPO: &str = "acme/shop";
/// Repository of the generated half year.
pub(super) const HISTORY: &str = "acme/warehouse";
/// Monitoring connection of the story.
const CONNECTION: &str = "prod";
/// App id.
const APP_ID: u64 = 4711;
/// Monday, 2 March 2026, 09:00 UTC plus half a second: the forge's timestamps are whole seconds, so
/// they lie just before the bot's reactions.
const START: Timestamp = Timestamp::constant(1_772_442_000, 500_000_000);
/// Length of the story, at whose end the half year ends, too.
const STORY: SignedDuration = SignedDuration::from_mins(9 * 60 + 20);
/// Time-out for steps that normally take milliseconds.
const PATIENCE: Duration = Duration::from_mins(1);

/// A delivery that was sent, with the HTTP status of the answer.
pub(super) type Sent = (Delivery, u16);

/// All running parts of the demo.
pub(super) struct Stage {
    pub(super) forge: SimForge,
    pub(super) clock: Arc<SimClock>,
    pub(super) policy: Arc<Policy>,
    pub(super) public: SocketAddr,
    pub(super) admin: SocketAddr,
    pub(super) web: SocketAddr,
    store: Arc<dyn Store>,
    repo: RepoKey,
    history: RepoKey,
    bot: Bot,
    server: JoinHandle<()>,
    shutdown: watch::Sender<bool>,
    folder: TempDir,
    /// Bearer token of the monitoring system.
    token: SecretString,
}

impl Stage {
    /// Starts everything, on free ports of this machine.
    pub(super) async fn set() -> Result<Self, Failure> {
        let clock = Arc::new(SimClock::new(START));
        let (private_key, key) = AppKey::generate().map_err(simulation)?;
        let secret: SecretString = hex::encode(rand::rng().random::<[u8; 16]>()).into();
        let forge = SimForge::start(Options::new(APP_ID, key, secret.clone(), clock.clone())).await;
        let forge = forge.map_err(simulation)?;
        let id = forge.create_repo(REPO).map_err(simulation)?;
        let history = forge.create_repo(HISTORY).map_err(simulation)?;

        let folder = tempfile::Builder::new().prefix("phasebot-demo-").tempdir();
        let folder =
            folder.map_err(|error| Failure::Message(format!("no temporary directory can be made: {error}")))?;
        let url = format!("sqlite://{}", folder.path().join("demo.db").display());
        let store = store::open(&url).await.map_err(|error| Failure::Message(error.to_string()))?;
        let reads = store::open_pages(&url).await.map_err(|error| Failure::Message(error.to_string()))?;
        let github = assembly::github(GitHubConfig {
            name: ForgeName::github(),
            app_id: APP_ID,
            private_key: private_key.into(),
            webhook_secrets: vec![secret],
            api_url: forge.api_url(),
            rate_limits: true,
            clock: clock.clone(),
        })?;
        let written = folder.path().join("policy.yml");
        std::fs::write(&written, "mode: act\n").map_err(|error| Failure::Message(error.to_string()))?;
        let token: SecretString = hex::encode(rand::rng().random::<[u8; 16]>()).into();
        let any_clock: Arc<dyn Clock> = clock.clone();
        let (public, admin, web) = (listener().await?, listener().await?, listener().await?);
        let (public_at, admin_at, web_at) = (address(&public)?, address(&admin)?, address(&web)?);
        let pages = Pages { listener: web, store: reads, forge_url: forge.web_url(), access: Access::Open };
        let policy = Arc::new(policy::built_in());
        let materials = Materials {
            store: store.clone(),
            forges: vec![github],
            clock: clock.clone(),
            policies: operators(Some(&written))?,
            alerts: alerts::connections(&monitoring(&token)?.alerts, &any_clock)?,
            events: EventConnections::default(),
            notices: Notices::default(),
            bot: BotSettings::default(),
            limits: Limits::default(),
            metrics: Metrics::install()?,
            public,
            admin,
        };
        let program = Program::start_with(materials, Operators { pages: Some(pages), ..Operators::default() });
        forge.set_webhook_url(&format!("http://{public_at}/webhooks/github"));
        Ok(Self {
            forge,
            clock,
            policy,
            public: public_at,
            admin: admin_at,
            web: web_at,
            store,
            repo: RepoKey { forge: ForgeName::github(), id },
            history: RepoKey { forge: ForgeName::github(), id: history },
            bot: program.bot,
            server: tokio::spawn(program.serving),
            shutdown: program.shutdown,
            folder,
            token,
        })
    }

    /// Sends the pending webhooks, and those that the bot's actions cause, until nothing is left to
    /// do at the current time.
    pub(super) async fn settle(&self) -> Result<Vec<Sent>, Failure> {
        let mut all = Vec::new();
        let settling = async {
            loop {
                let sent = self.forge.deliver_pending().await;
                self.bot.idle().await;
                if sent.is_empty() {
                    return;
                }
                all.extend(sent);
            }
        };
        let settled = tokio::time::timeout(PATIENCE, settling).await;
        settled.map_err(|_| Failure::Message("the bot does not come to rest; the log may say why".to_owned()))?;
        Ok(all)
    }

    /// Posts an alert that began ten minutes ago, as Alertmanager does; returns the status of the
    /// answer.
    pub(super) async fn alert(&self, state: &str) -> Result<u16, Failure> {
        let began = self.clock.now().checked_sub(SignedDuration::from_mins(10)).unwrap_or(START);
        let labels = json!({ "alertname": "CartIsSlow", "environment": "production", "severity": "critical" });
        let body = json!({
            "version": "4",
            "groupKey": "{}:{alertname=\"CartIsSlow\"}",
            "truncatedAlerts": 0,
            "status": state,
            "receiver": "phasebot",
            "groupLabels": { "alertname": "CartIsSlow" },
            "commonLabels": labels,
            "commonAnnotations": {},
            "externalURL": "http://alertmanager.example",
            "alerts": [{
                "status": state,
                "labels": labels,
                "annotations": { "summary": "Half of all carts take more than 5 s" },
                "startsAt": began.to_string(),
                "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": "http://prometheus.example/graph",
                "fingerprint": "c6eadffa33fcdf37",
            }],
        });
        let url = format!("http://{}/alerts/{CONNECTION}", self.public);
        self.forge.post(&url, self.token.expose_secret(), body.to_string()).await.map_err(simulation)
    }

    /// Advances the clock by `by`, stopping at each time that the bot waits for.
    pub(super) async fn pass(&self, by: SignedDuration) -> Result<Vec<Sent>, Failure> {
        let end = after(self.clock.now(), by);
        let mut all = self.settle().await?;
        while let Some(at) = self.bot.next_wake().filter(|at| (self.clock.now()..=end).contains(at)) {
            self.clock.set(at);
            all.extend(self.settle().await?);
        }
        self.clock.set(end);
        all.extend(self.settle().await?);
        Ok(all)
    }

    /// Begins to generate half a year of another repository.
    pub(super) fn half_year(&self) -> JoinHandle<Result<(), Failure>> {
        tokio::spawn(seed::seed(self.store.clone(), self.policy.clone(), self.history.clone(), HISTORY, START + STORY))
    }

    /// Lets the clock run at normal speed.
    pub(super) fn let_time_run(&self) {
        self.clock.set_speed(1.0);
    }

    /// Returns the bot's stored derivation for an item.
    pub(super) async fn derived(&self, item: ItemId) -> Result<Option<Derived>, Failure> {
        let rows = self.store.items(&self.repo).await?;
        let row = rows.into_iter().find(|row| row.item == item);
        Ok(row.and_then(|row| serde_json::from_str(&row.derived).ok()))
    }

    /// Returns the phase labels that are visible on an item.
    pub(super) fn phase_labels(&self, item: ItemId) -> BTreeSet<String> {
        let mut labels = self.forge.visible_labels(REPO, item);
        labels.retain(|label| self.policy.label_index(label).is_some());
        labels
    }

    /// Stops everything and removes the data.
    pub(super) async fn clear(self) {
        self.shutdown.send_replace(true);
        self.bot.shutdown(Duration::from_secs(2)).await;
        self.server.abort();
        drop(self.store);
        if let Err(error) = self.folder.close() {
            tracing::warn!("the temporary directory can't be removed: {error}");
        }
    }
}

/// Returns the settings of an Alertmanager connection with this bearer token.
fn monitoring(token: &SecretString) -> Result<Settings, Failure> {
    let token = token.expose_secret();
    let text = format!(
        "[alerts.{CONNECTION}]\nkind = \"alertmanager\"\nsecrets = [\"{token}\"]\nrepositories = [\"{REPO}\"]\n"
    );
    Settings::parse(Path::new("demo.toml"), &text).map_err(|error| Failure::Message(error.to_string()))
}

/// Converts an error of the simulation.
#[expect(clippy::needless_pass_by_value, reason = "as map_err hands it over")]
pub(super) fn simulation(error: SimError) -> Failure {
    Failure::Message(format!("the simulated forge: {error}"))
}

async fn listener() -> Result<TcpListener, Failure> {
    assembly::bind("demo", SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await
}

fn address(listener: &TcpListener) -> Result<SocketAddr, Failure> {
    listener.local_addr().map_err(|error| Failure::Message(format!("no address: {error}")))
}

// The simulation uses the bot's clock.
impl phasebot_forge_sim::Clock for SimClock {
    fn now(&self) -> Timestamp {
        Clock::now(self)
    }
}

impl phasebot_forge_sim::Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Clock::now(self)
    }
}
