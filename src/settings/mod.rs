//! The operator's settings.
//!
//! Precedence, lowest first: built-in defaults, the file, the environment. A key `a.b` is
//! `PHASEBOT_A__B` in the environment; a secret may also be in a file named by
//! `PHASEBOT_A__B_FILE`. `config/phasebot.example.toml` lists every setting.
//!
//! [`key`] has one row for each setting: a setting without a row cannot be set, and a key or
//! variable without a row is an error.

mod alert;
mod credential;
mod environment;
mod event;
mod file;
mod key;
mod notice;
mod problem;
mod value;
mod verdict;

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use jiff::SignedDuration;
use secrecy::SecretString;

pub use crate::settings::alert::{AlertConnection, AlertFields, AlertKind, AlertRoute, AlertType};
pub use crate::settings::credential::Credentials;
pub use crate::settings::event::{EventConnection, EventFields, EventKind};
pub use crate::settings::notice::{NoticeTarget, NoticeTargetKind};
pub use crate::settings::problem::{Place, Problem, SettingsError};
pub use crate::settings::value::{duration, log_filter};
pub use crate::settings::verdict::VerdictConnection;

/// File that is read if no other is named.
pub const DEFAULT_FILE: &str = "config/phasebot.toml";

/// All settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Public address: webhooks, alerts, health.
    pub listen: SocketAddr,
    /// Private address: metrics.
    pub admin_listen: SocketAddr,
    /// Public address of `listen`, without a slash at its end.
    pub public_url: String,
    /// Address of the web pages; `None` serves none.
    pub web_listen: Option<SocketAddr>,
    /// Public address of `web_listen`, without a slash at its end.
    pub web_url: String,
    /// Secrets that seal the cookies of the web pages: one, or two while one replaces the other.
    pub web_secrets: Vec<SecretString>,
    /// True if the web pages show everything to everyone who reaches `web_listen`.
    pub web_open: bool,
    /// Database.
    pub database_url: DatabaseUrl,
    /// True to back up an SQLite file before its schema is migrated.
    pub backup_before_migration: bool,
    /// Evaluates and records, but never writes to a forge.
    pub dry_run: bool,
    /// Log filter: a level, or `target=level` pairs.
    pub log: String,
    /// Format of log lines.
    pub log_format: LogFormat,
    /// The operator's policy; `None` uses the built-in one.
    pub policy_file: Option<PathBuf>,
    /// Time for which decided deliveries are kept.
    pub retention: SignedDuration,
    /// Interval at which the forge is asked for missed deliveries; zero disables it.
    pub catch_up: SignedDuration,
    /// Treatment of stored data when a repository is removed from the App.
    pub on_removal: Removal,
    /// Bearer token for `/admin`; required if `admin_listen` is not on loopback.
    pub admin_token: Option<SecretString>,
    /// Host names of `admin_listen`, beside `localhost` and IP addresses; lower case.
    pub admin_hosts: Vec<String>,
    /// Maximum connections served at a time on each address; more of them wait.
    pub max_connections: usize,
    /// Maximum repositories evaluated at a time.
    pub workers: usize,
    /// Time for running work to end after a signal to stop.
    pub shutdown_grace: SignedDuration,
    /// The forge instance named `github`.
    pub github: Github,
    /// Monitoring connections by name.
    pub alerts: BTreeMap<String, AlertConnection>,
    /// Connections of systems that deploy without the forge, by name.
    pub events: BTreeMap<String, EventConnection>,
    /// Verdict connections by name.
    pub verdicts: BTreeMap<String, VerdictConnection>,
    /// Targets of notices by name.
    pub notices: BTreeMap<String, NoticeTarget>,
}

/// The forge instance named `github`.
#[derive(Debug, Clone)]
pub struct Github {
    /// The App's id; 0 if not set.
    pub app_id: u64,
    /// File with the App's private key, in PEM.
    pub private_key_file: Option<PathBuf>,
    /// The App's private key itself, from the environment; takes precedence over the file.
    pub private_key: Option<SecretString>,
    /// Webhook secrets: one, or two while one replaces the other.
    pub webhook_secrets: Vec<SecretString>,
    /// The App's client id, for people to sign in; empty if not set.
    pub client_id: String,
    /// The App's client secret.
    pub client_secret: Option<SecretString>,
    /// Root of the API, without a slash at its end.
    pub api_url: String,
    /// Root of the web pages, without a slash at its end.
    pub web_url: String,
    /// Whether writes keep to GitHub's published limits.
    pub rate_limits: bool,
}

/// Formats of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Database address.
#[derive(Debug, Clone)]
pub enum DatabaseUrl {
    /// An SQLite file, relative to the working directory or absolute.
    Sqlite(PathBuf),
    /// A PostgreSQL server; the address may hold a password.
    Postgres(SecretString),
}

/// Settings, with warnings for the operator.
#[derive(Debug)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// Warnings for the log; none stops the program.
    pub warnings: Vec<String>,
    /// The file that was read, if one was.
    pub file: Option<PathBuf>,
}

/// Root of the API of github.com.
const GITHUB_API: &str = "https://api.github.com";

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            admin_listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 9090)),
            public_url: "http://127.0.0.1:8080".to_owned(),
            web_listen: None,
            web_url: "http://127.0.0.1:8081".to_owned(),
            web_secrets: Vec::new(),
            web_open: false,
            database_url: DatabaseUrl::Sqlite(PathBuf::from("phasebot.db")),
            backup_before_migration: true,
            dry_run: false,
            log: "info".to_owned(),
            log_format: LogFormat::Text,
            policy_file: None,
            retention: SignedDuration::from_hours(30 * 24),
            catch_up: SignedDuration::from_mins(5),
            on_removal: Removal::Keep,
            admin_token: None,
            admin_hosts: Vec::new(),
            max_connections: 2048,
            workers: 4,
            shutdown_grace: SignedDuration::from_secs(20),
            github: Github::default(),
            alerts: BTreeMap::new(),
            events: BTreeMap::new(),
            verdicts: BTreeMap::new(),
            notices: BTreeMap::new(),
        }
    }
}

impl Default for Github {
    fn default() -> Self {
        Self {
            app_id: 0,
            private_key_file: None,
            private_key: None,
            webhook_secrets: Vec::new(),
            client_id: String::new(),
            client_secret: None,
            api_url: GITHUB_API.to_owned(),
            web_url: "https://github.com".to_owned(),
            rate_limits: true,
        }
    }
}

impl Github {
    fn problems(&self) -> Option<Problem> {
        // Enterprise Cloud with data residency is github.com under another name.
        let is_cloud = self.api_url == GITHUB_API || self.api_url.trim_end_matches('/').ends_with(".ghe.com");
        (!self.rate_limits && is_cloud).then(|| {
            let message = "is false, but github.com limits the writes of every App".to_owned();
            let help = "remove the setting, or set github.api_url to the Enterprise Server's".to_owned();
            Problem::new(Place::Setting("github.rate_limits".to_owned()), message).with_help(help)
        })
    }
}

impl Settings {
    /// Reads the settings.
    ///
    /// `config` is the file named on the command line. It must exist, as must the one that
    /// `PHASEBOT_CONFIG` names; [`DEFAULT_FILE`] need not. The environment is an argument, so that
    /// tests need not change the process's own. All problems are reported at once.
    pub fn load(
        config: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Loaded, SettingsError> {
        let environment: BTreeMap<String, String> = environment.into_iter().collect();
        let named = config.map(PathBuf::from).or_else(|| environment.get("PHASEBOT_CONFIG").map(PathBuf::from));
        let mut draft = Draft::default();
        let file = named.clone().or_else(|| Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.exists()));
        if let Some(path) = &file {
            match std::fs::read_to_string(path) {
                Ok(text) => file::read(&mut draft, path, &text),
                Err(error) => draft
                    .problems
                    .push(Problem::new(Place::Path(path.clone()), format!("the settings file can't be read: {error}"))),
            }
        }
        environment::read(&mut draft, &environment);
        let settings = draft.into_settings()?;
        Ok(Loaded { settings, warnings: Vec::new(), file })
    }

    /// Parses settings in the form of the file. Reads nothing else.
    pub fn parse(name: &Path, text: &str) -> Result<Self, SettingsError> {
        let mut draft = Draft::default();
        file::read(&mut draft, name, text);
        draft.into_settings()
    }
}

/// Treatment of stored data when a repository is removed from the App.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// Keeps it.
    Keep,
    /// Deletes it.
    Delete,
}

impl Removal {
    /// Every choice with its name.
    pub const ALL: [(Self, &'static str); 2] = [(Self::Keep, "keep"), (Self::Delete, "delete")];
}

impl LogFormat {
    /// Every format with its name.
    pub const ALL: [(Self, &'static str); 2] = [(Self::Text, "text"), (Self::Json, "json")];
}

/// Settings while they are read.
#[derive(Default)]
struct Draft {
    settings: Settings,
    alerts: BTreeMap<String, alert::Draft>,
    events: BTreeMap<String, event::Draft>,
    verdicts: BTreeMap<String, verdict::Draft>,
    notices: BTreeMap<String, notice::Draft>,
    problems: Vec<Problem>,
}

impl Draft {
    fn into_settings(mut self) -> Result<Settings, SettingsError> {
        for (name, draft) in self.alerts {
            self.problems.extend(draft.problems(&name));
            self.settings.alerts.insert(name, draft.connection);
        }
        for (name, draft) in self.events {
            self.problems.extend(draft.problems(&name));
            self.settings.events.insert(name, draft.connection);
        }
        for (name, draft) in self.verdicts {
            self.problems.extend(draft.problem(&name));
            self.settings.verdicts.insert(name, draft.connection);
        }
        for (name, draft) in self.notices {
            self.problems.extend(draft.problems(&name));
            self.settings.notices.insert(name, draft.target);
        }
        self.problems.extend(self.settings.github.problems());
        if self.problems.is_empty() { Ok(self.settings) } else { Err(SettingsError(self.problems)) }
    }
}
