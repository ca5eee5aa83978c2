//! Reloads secrets, keys and policies while the bot runs.
//!
//! Reloads on SIGHUP, and when a file with settings changes. If anything is invalid, nothing
//! changes, and the error is logged.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use crate::{
    app::FilePolicies,
    cli::{Failure, alerts, events, notices, policy},
    forge::github::GitHub,
    port::clock::Clock,
    settings::{Loaded, Settings},
};

/// Interval between checks of the files.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Everything that can be reloaded.
pub(super) struct Reload {
    pub(super) environment: Vec<(String, String)>,
    pub(super) config: Option<PathBuf>,
    pub(super) github: Arc<GitHub>,
    pub(super) policies: Arc<FilePolicies>,
    pub(super) alerts: alerts::Sources,
    pub(super) events: events::Sources,
    pub(super) notices: notices::Targets,
    pub(super) clock: Arc<dyn Clock>,
}

/// State of the files: time of the last change, and size.
type Stamp = Vec<(PathBuf, Option<(SystemTime, u64)>)>;

impl Reload {
    /// Watches forever. `loaded` holds the settings in force.
    pub(super) async fn watch(self, loaded: Loaded) {
        let mut files = self.files(&loaded);
        let mut seen = stamp(&files);
        let mut hangup = Hangup::new();
        let mut look = tokio::time::interval(LOOK_EVERY);
        loop {
            let why = tokio::select! {
                () = hangup.next() => "SIGHUP",
                _ = look.tick() => {
                    let now = stamp(&files);
                    if now == seen {
                        continue;
                    }
                    "a file changed"
                }
            };
            // Taken before reading, so that a change during the reload is noticed.
            seen = stamp(&files);
            match self.renew() {
                Ok(renewed) => {
                    tracing::info!("{why}: secrets, key and policy are renewed");
                    let named = self.files(&renewed);
                    if named != files {
                        // Other files may have changed since they were read: read them once more.
                        files = named;
                        seen.clear();
                    }
                }
                Err(failure) => tracing::error!("{why}: what was in force stays so: {failure}"),
            }
        }
    }

    /// Loads and validates everything before any of it takes effect.
    fn renew(&self) -> Result<Loaded, Failure> {
        let loaded = Settings::load(self.config.as_deref(), self.environment.iter().cloned())?;
        let credentials = loaded.settings.credentials()?;
        policy::operators(loaded.settings.policy_file.as_deref())?;
        self.github
            .renew(&credentials.private_key, &credentials.webhook_secrets)
            .map_err(|error| Failure::Message(format!("[github]: {error}")))?;
        policy::renew(&self.policies, loaded.settings.policy_file.as_deref())?;
        alerts::renew(&self.alerts, &loaded.settings.alerts, &self.clock);
        events::renew(&self.events, &loaded.settings);
        notices::renew(&self.notices, &loaded.settings.notices, &self.clock);
        Ok(loaded)
    }

    /// Returns the files that the settings come from.
    fn files(&self, loaded: &Loaded) -> Vec<PathBuf> {
        let settings = &loaded.settings;
        let named = [loaded.file.clone(), settings.github.private_key_file.clone(), settings.policy_file.clone()];
        let secrets =
            self.environment.iter().filter(|(name, _)| name.starts_with("PHASEBOT_") && name.ends_with("_FILE"));
        let secrets = secrets.map(|(_, file)| PathBuf::from(file));
        named.into_iter().flatten().chain(secrets).collect()
    }
}

fn stamp(files: &[PathBuf]) -> Stamp {
    let look = |file: &Path| {
        let known = std::fs::metadata(file).ok()?;
        Some((known.modified().ok()?, known.len()))
    };
    files.iter().map(|file| (file.clone(), look(file))).collect()
}

/// The signal that requests a reload.
#[cfg(unix)]
struct Hangup(Option<tokio::signal::unix::Signal>);

#[cfg(unix)]
impl Hangup {
    fn new() -> Self {
        let signal = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup());
        Self(signal.inspect_err(|error| tracing::warn!(%error, "SIGHUP can't be heard")).ok())
    }

    async fn next(&mut self) {
        match &mut self.0 {
            Some(signal) => drop(signal.recv().await),
            None => std::future::pending().await,
        }
    }
}

/// There is no such signal here; only files are watched.
#[cfg(not(unix))]
struct Hangup;

#[cfg(not(unix))]
impl Hangup {
    fn new() -> Self {
        Self
    }

    async fn next(&mut self) {
        std::future::pending().await
    }
}
