//! Assembles the bot and its server for `serve`, `demo` and the tests of whole flows.

use std::{future::Future, net::SocketAddr, pin::Pin, sync::Arc};

use secrecy::SecretString;
use tokio::{net::TcpListener, sync::watch};

use crate::{
    app::{Alerts, Bot, BotSettings, EventConnections, Notices, Parts, PolicySource},
    cli::Failure,
    domain::id::ForgeName,
    forge::github::{GitHub, GitHubConfig},
    http::{self, Admin, Limits, Senders, ServerState},
    port::{clock::Clock, forge::Forge, pages::PageStore, store::Store},
    settings::{Credentials, Settings},
    telemetry::{LogLevel, Metrics},
    web::{self, Access},
};

/// Parts that a program is assembled from.
pub struct Materials {
    /// Storage.
    pub store: Arc<dyn Store>,
    /// Forges that the bot serves.
    pub forges: Vec<Arc<dyn Forge>>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
    /// Source of the policies in force.
    pub policies: Arc<dyn PolicySource>,
    /// Monitoring connections.
    pub alerts: Alerts,
    /// Connections of systems that deploy without the forge.
    pub events: EventConnections,
    /// Targets of notices.
    pub notices: Notices,
    /// Settings of the bot.
    pub bot: BotSettings,
    /// Limits of the server.
    pub limits: Limits,
    /// Metrics that `/metrics` serves.
    pub metrics: Metrics,
    /// Listener for webhooks.
    pub public: TcpListener,
    /// Listener for `/metrics` and `/admin`.
    pub admin: TcpListener,
}

/// Parts that a program may do without: access settings for operators, and the web pages.
#[derive(Default)]
pub struct Operators {
    /// Log level, if it can be changed at run time.
    pub log: Option<LogLevel>,
    /// Token that operators must present.
    pub token: Option<SecretString>,
    /// Host names that the private address accepts.
    pub hosts: Vec<String>,
    /// The web pages.
    pub pages: Option<Pages>,
}

/// The web pages of a program.
pub struct Pages {
    /// Their listener.
    pub listener: TcpListener,
    /// Their reads.
    pub store: Arc<dyn PageStore>,
    /// Root of the forge's own pages.
    pub forge_url: String,
    /// Who may see what.
    pub access: Access,
}

/// A running bot and a server that is ready to run.
pub struct Program {
    /// The bot, already working.
    pub bot: Bot,
    /// Serves both addresses until `shutdown`, then until all running requests are answered.
    /// Dropping it cuts all connections.
    pub serving: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// Sending `true` ends the server; `/readyz` reports this.
    pub shutdown: watch::Sender<bool>,
}

impl Program {
    /// Starts the bot. Requires a Tokio runtime.
    pub fn start(materials: Materials) -> Self {
        Self::start_with(materials, Operators::default())
    }

    /// Starts the bot like [`Program::start`], with access settings for operators.
    pub fn start_with(materials: Materials, operators: Operators) -> Self {
        let Materials { store, forges, clock, policies, alerts, events, notices, bot, limits, metrics, public, admin } =
            materials;
        let senders = Senders { alerts: alerts.sources(), events: events.sources() };
        let parts = Parts {
            store: store.clone(),
            forges: forges.clone(),
            clock: clock.clone(),
            policies: policies.clone(),
            alerts,
            events,
            notices,
            settings: bot,
        };
        let bot = Bot::start(parts);
        let (shutdown, ending) = watch::channel(false);
        let Operators { log, token, hosts, pages } = operators;
        let (page_limits, page_ending) = (limits.clone(), ending.clone());
        let (mut api, mut pages_served) = (None, None);
        if let Some(Pages { listener, store, forge_url, access }) = pages {
            let routes = web::routes(web::Parts { store, policies, clock, forge_url, access });
            api = Some(routes.operators);
            pages_served = Some((listener, routes.pages));
        }
        let serve_pages = async move {
            let Some((listener, routes)) = pages_served else { return };
            http::serve_pages(listener, routes, page_limits, page_ending).await;
        };
        let operators = Admin { store, switches: bot.switches(), log, token, hosts, api };
        let state = ServerState::with_operators(
            forges,
            senders,
            bot.intake(),
            metrics.clone(),
            limits,
            ending,
            Some(operators),
        );
        let serving = async move {
            tokio::select! {
                ((), ()) = async { tokio::join!(http::serve(state, public, admin), serve_pages) } => {}
                () = metrics.upkeep() => {}
            }
        };
        Self { bot, serving: Box::pin(serving), shutdown }
    }
}

/// Creates the adapter for a GitHub instance.
pub fn github(config: GitHubConfig) -> Result<Arc<dyn Forge>, Failure> {
    adapter(config).map(|adapter| adapter as Arc<dyn Forge>)
}

fn adapter(config: GitHubConfig) -> Result<Arc<GitHub>, Failure> {
    GitHub::new(config).map(Arc::new).map_err(|error| Failure::Message(format!("[github]: {error}")))
}

/// Creates the adapter for the GitHub instance in the settings.
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
        rate_limits: settings.github.rate_limits,
        clock,
    })
}

/// Listens on the address of a setting; `setting` is the setting's name, for errors.
pub async fn bind(setting: &str, address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address)
        .await
        .map_err(|error| Failure::Message(format!("{setting}: can't listen on {address}: {error}")))
}
