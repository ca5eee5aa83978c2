//! `phasebot serve`: runs the bot.

use std::{future::Future, io, sync::Arc, time::Duration};

use tokio::{net::TcpListener, sync::watch};

use crate::{
    app::{BotSettings, OnRemoval, clock::SystemClock, crash},
    cli::{
        Context, Failure, alerts,
        assembly::{self, Materials, Operators, Pages, Program},
        events, notices, policy,
        reload::Reload,
        runtime, store,
    },
    forge::github::sign_in::GitHubSignIn,
    http,
    port::{clock::Clock, store::Store},
    settings::{Credentials, Loaded, Removal, Settings},
    telemetry::{LogLevel, Metrics},
    web::{Access, Sessions},
};

/// Run the bot (the default command).
///
/// Receives webhooks and alerts, decides, and writes to the forge. On SIGTERM and Ctrl-C it accepts
/// nothing new, finishes what it began, and exits.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  phasebot serve\n  phasebot serve --config /etc/phasebot.toml")]
pub struct Args {}

/// Serves until a signal arrives.
pub(super) fn run(_: &Args, context: &Context) -> Result<(), Failure> {
    let loaded = context.settings()?;
    let log = context.start_logs(&loaded)?;
    let credentials = loaded.settings.credentials()?;
    for warning in &credentials.warnings {
        tracing::warn!("{warning}");
    }
    // Only tests make the program crash at a chosen point; release builds reject the variable.
    if let Some(spec) = context.variable("PHASEBOT_CRASH_AT") {
        crash::arm(spec).map_err(Failure::Message)?;
    }
    runtime()?.block_on(serve(loaded, &credentials, log, context))
}

async fn serve(loaded: Loaded, credentials: &Credentials, log: LogLevel, context: &Context) -> Result<(), Failure> {
    let settings = &loaded.settings;
    let metrics = Metrics::install()?;
    let policies = policy::operators(settings.policy_file.as_deref())?;
    let store = store::open_to_serve(settings).await?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let (alerts, sources) = alerts::renewable(&settings.alerts, &clock)?;
    let (events, event_sources) = events::renewable(settings, &clock)?;
    let (notices, notice_targets) = notices::renewable(&settings.notices, &clock)?;
    let github = assembly::github_of(settings, credentials, clock.clone())?;
    let pages = pages(settings, &store).await?;
    let web = pages.as_ref().map(|pages| bound(&pages.listener));
    let operators =
        Operators { log: Some(log), token: settings.admin_token.clone(), hosts: settings.admin_hosts.clone(), pages };
    let materials = Materials {
        store,
        forges: vec![github.clone()],
        clock: clock.clone(),
        policies: policies.clone(),
        alerts,
        events,
        notices,
        bot: BotSettings {
            dry_run: settings.dry_run,
            workers: settings.workers,
            retention: settings.retention,
            on_removal: match settings.on_removal {
                Removal::Keep => OnRemoval::Keep,
                Removal::Delete => OnRemoval::Delete,
            },
            catch_up: settings.catch_up.is_positive().then_some(settings.catch_up),
            ..BotSettings::default()
        },
        limits: http::Limits { connections: settings.max_connections, ..http::Limits::default() },
        metrics,
        public: assembly::bind("listen", settings.listen).await?,
        admin: assembly::bind("admin_listen", settings.admin_listen).await?,
    };
    let (listen, admin) = (bound(&materials.public), bound(&materials.admin));
    let program = Program::start_with(materials, operators);
    tracing::info!(%listen, %admin, dry_run = settings.dry_run, "phasebot serves");
    if let Some(web) = web {
        tracing::info!(%web, "the web pages are served");
    }
    let grace = settings.shutdown_grace.unsigned_abs();
    let reload = Reload {
        environment: context.environment.clone(),
        config: context.config.clone(),
        github,
        policies,
        alerts: sources,
        events: event_sources,
        notices: notice_targets,
        clock,
    };
    let renewing = tokio::spawn(reload.watch(loaded));
    let served = until_signal(program.serving, &program.shutdown, grace).await;
    renewing.abort();
    if !program.bot.shutdown(grace).await {
        tracing::warn!("work was still under way after {grace:?}; it goes on at the next start");
    }
    served.map_err(|error| Failure::Message(format!("signals can't be heard: {error}")))
}

/// Opens the web pages, if they are switched on.
async fn pages(settings: &Settings, store: &Arc<dyn Store>) -> Result<Option<Pages>, Failure> {
    let Some(address) = settings.web_listen else { return Ok(None) };
    let access = match &settings.github.client_secret {
        Some(secret) if !settings.web_open => {
            let github = &settings.github;
            let (id, api, web) = (github.client_id.clone(), github.api_url.clone(), github.web_url.clone());
            let github = GitHubSignIn::new(id, secret.clone(), api, web)
                .map_err(|error| Failure::Message(format!("[github]: {error}")))?;
            let url = settings.web_url.clone();
            Access::SignIn(Box::new(Sessions::new(Arc::new(github), &settings.web_secrets, url, store.clone())))
        }
        // The settings were checked: this is the address of this machine.
        _ if settings.web_open => Access::Open,
        _ => {
            let what = "web_listen needs `web_open = true`, or what people sign in with: see docs/pages.md";
            return Err(Failure::Message(what.to_owned()));
        }
    };
    Ok(Some(Pages {
        listener: assembly::bind("web_listen", address).await?,
        store: store::open_pages(settings).await?,
        forge_url: settings.github.web_url.clone(),
        access,
    }))
}

/// Returns the actual address of a listener: with port 0, the system chooses the port.
fn bound(listener: &TcpListener) -> String {
    listener.local_addr().map_or_else(|error| error.to_string(), |it| it.to_string())
}

/// Runs `serving` until it ends by itself, or until SIGTERM or Ctrl-C and for at most `grace`
/// longer.
///
/// A signal sets `shutdown` to `true`: from then on the bot is not ready and accepts nothing new. A
/// second signal ends the wait.
pub async fn until_signal(
    serving: impl Future<Output = ()>,
    shutdown: &watch::Sender<bool>,
    grace: Duration,
) -> io::Result<()> {
    let mut signals = Signals::new()?;
    tokio::pin!(serving);
    tokio::select! {
        () = &mut serving => return Ok(()),
        name = signals.next() => tracing::info!("{name}: ending within {grace:?}"),
    }
    shutdown.send_replace(true);
    tokio::select! {
        () = serving => tracing::info!("ended in good order"),
        () = tokio::time::sleep(grace) => tracing::warn!("requests were still being served after {grace:?}: cut"),
        name = signals.next() => tracing::warn!("{name} again: cut"),
    }
    Ok(())
}

/// Signals that end the program.
#[cfg(unix)]
pub(super) struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};

        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    pub(super) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// Signals that end the program.
#[cfg(not(unix))]
pub(super) struct Signals;

#[cfg(not(unix))]
impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self)
    }

    pub(super) async fn next(&mut self) -> &'static str {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        "Ctrl-C"
    }
}
