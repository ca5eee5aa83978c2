//! Putting the bot and its server together: `serve`, `demo` and the tests of
//! whole flows all run what is made here.

use std::{future::Future, net::SocketAddr, pin::Pin, sync::Arc};

use secrecy::SecretString;
use tokio::{net::TcpListener, sync::watch};

use crate::{
    app::{Alerts, Bot, BotSettings, Parts, PolicySource},
    cli::Failure,
    domain::id::ForgeName,
    forge::github::{GitHub, GitHubConfig},
    http::{self, Admin, Limits, ServerState},
    port::{clock::Clock, forge::Forge, store::Store},
    settings::{Credentials, Settings},
    telemetry::{LogLevel, Metrics},
};

/// What a program is made of.
pub struct Materials {
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// The forges it serves.
    pub forges: Vec<Arc<dyn Forge>>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Which policy is in force where.
    pub policies: Arc<dyn PolicySource>,
    /// The monitoring connections.
    pub alerts: Alerts,
    /// How the bot is to run.
    pub bot: BotSettings,
    /// The server's limits.
    pub limits: Limits,
    /// The figures that `/metrics` shows.
    pub metrics: Metrics,
    /// Takes webhooks.
    pub public: TcpListener,
    /// Serves `/metrics` and `/admin`.
    pub admin: TcpListener,
}

/// How operators are served.
#[derive(Default)]
pub struct Operators {
    /// Which log lines are written, where that can be changed.
    pub log: Option<LogLevel>,
    /// What they have to show.
    pub token: Option<SecretString>,
    /// By which names they reach the private address.
    pub hosts: Vec<String>,
}

/// A running bot, and its server ready to run.
pub struct Program {
    /// The bot; it works already.
    pub bot: Bot,
    /// Serves both addresses until `shutdown`, then until what is being served
    /// is answered. Dropping it cuts all connections.
    pub serving: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// `true` ends the server, and says so at `/readyz`.
    pub shutdown: watch::Sender<bool>,
}

impl Program {
    /// Starts the bot. Must be called within a Tokio runtime.
    pub fn start(materials: Materials) -> Self {
        Self::start_with(materials, Operators::default())
    }

    /// As [`Program::start`], with what operators may use.
    pub fn start_with(materials: Materials, operators: Operators) -> Self {
        let Materials { store, forges, clock, policies, alerts, bot, limits, metrics, public, admin } = materials;
        let sources = alerts.sources();
        let parts = Parts { store: store.clone(), forges: forges.clone(), clock, policies, alerts, settings: bot };
        let bot = Bot::start(parts);
        let (shutdown, ending) = watch::channel(false);
        let Operators { log, token, hosts } = operators;
        let operators = Admin { store, switches: bot.switches(), log, token, hosts };
        let state = ServerState::with_operators(
            forges,
            sources,
            bot.intake(),
            metrics.clone(),
            limits,
            ending,
            Some(operators),
        );
        let serving = async move {
            tokio::select! {
                () = http::serve(state, public, admin) => {}
                () = metrics.upkeep() => {}
            }
        };
        Self { bot, serving: Box::pin(serving), shutdown }
    }
}

/// The adapter for a GitHub instance.
pub fn github(config: GitHubConfig) -> Result<Arc<dyn Forge>, Failure> {
    adapter(config).map(|adapter| adapter as Arc<dyn Forge>)
}

fn adapter(config: GitHubConfig) -> Result<Arc<GitHub>, Failure> {
    GitHub::new(config).map(Arc::new).map_err(|error| Failure::Message(format!("[github]: {error}")))
}

/// The adapter for the GitHub instance that the settings name.
pub(super) fn github_of(
    settings: &Settings,
    credentials: &Credentials,
    clock: Arc<dyn Clock>,
) -> Result<Arc<GitHub>, Failure> {
    adapter(GitHubConfig {
        name: ForgeName::github(),
        app_id: credentials.app_id,
        private_key: credentials.private_key.clone(),
        webhook_secrets: credentials.webhook_secrets.clone(),
        api_url: settings.github.api_url.clone(),
        clock,
    })
}

/// Listens on the address that a setting names.
pub async fn bind(setting: &str, address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address)
        .await
        .map_err(|error| Failure::Message(format!("{setting}: can't listen on {address}: {error}")))
}
