//! `phasebot serve`.

use std::{future::Future, io, time::Duration};

use tokio::sync::watch;

use super::{Context, Failure};

/// Run the bot (also what no command does).
///
/// Ends in good order on SIGTERM and Ctrl-C.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  phasebot serve\n  phasebot serve --config /etc/phasebot.toml")]
pub struct Args {}

/// Serves until a signal.
pub(super) fn run(_: &Args, context: &Context) -> Result<(), Failure> {
    let loaded = context.settings()?;
    context.start_logs(&loaded)?;
    let credentials = loaded.settings.credentials()?;
    for warning in &credentials.warnings {
        tracing::warn!("{warning}");
    }
    Err(Failure::Message("this build has no worker to serve with".to_owned()))
}

/// Runs `serving` until it ends by itself, or until SIGTERM or Ctrl-C and at most `grace` more.
///
/// At the signal `shutdown` becomes `true`: from then on the bot is not ready
/// and takes in nothing new. A second signal ends the wait.
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

#[cfg(unix)]
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};

        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> &'static str {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        "Ctrl-C"
    }
}
