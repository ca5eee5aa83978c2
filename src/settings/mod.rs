//! The operator's settings.
//!
//! Later ones win: built-in defaults, the file, the environment. A key `a.b`
//! is `PHASEBOT_A__B` in the environment; a secret may also be named by a file,
//! `PHASEBOT_A__B_FILE`. `config/phasebot.example.toml` lists every setting.
//!
//! [`key`] has one row per setting: a setting without a row can't be set, and a
//! key or variable without a row is an error.

mod alert;
mod credential;
mod environment;
mod file;
mod key;
mod problem;
mod value;

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use jiff::SignedDuration;
use secrecy::SecretString;

pub use alert::{AlertConnection, AlertFields, AlertKind, AlertRoute, AlertType};
pub use credential::Credentials;
pub use problem::{Place, Problem, SettingsError};
pub use value::{duration, log_filter};

/// Where the settings are read when nobody names a file.
pub const DEFAULT_FILE: &str = "config/phasebot.toml";

/// All settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Public address: webhooks, alerts, health.
    pub listen: SocketAddr,
    /// Private address: metrics.
    pub admin_listen: SocketAddr,
    /// How the world reaches `listen`; without a slash at its end.
    pub public_url: String,
    /// Where everything is kept.
    pub database_url: DatabaseUrl,
    /// Decide and record, never write to a forge.
    pub dry_run: bool,
    /// Which log lines to write: a level, or `target=level` pairs.
    pub log: String,
    /// How to write them.
    pub log_format: LogFormat,
    /// The operator's policy; `None`: the built-in one.
    pub policy_file: Option<PathBuf>,
    /// How long decided deliveries are kept.
    pub retention: SignedDuration,
    /// How often the forge is asked for missed deliveries; zero: never.
    pub catch_up: SignedDuration,
    /// What becomes of what is kept of a repository that is taken from the App.
    pub on_removal: Removal,
    /// What `/admin` takes as its bearer token; needed where `admin_listen` is not on loopback.
    pub admin_token: Option<SecretString>,
    /// Names that `admin_listen` answers to, beside `localhost` and IP addresses; lower case.
    pub admin_hosts: Vec<String>,
    /// Connections served at a time on each address; more of them wait.
    pub max_connections: usize,
    /// Repositories decided on at a time.
    pub workers: usize,
    /// How long running work may take to end after a signal to stop.
    pub shutdown_grace: SignedDuration,
    /// The forge instance named `github`.
    pub github: Github,
    /// Monitoring connections by name.
    pub alerts: BTreeMap<String, AlertConnection>,
}

/// The forge instance named `github`.
#[derive(Debug, Clone)]
pub struct Github {
    /// The App's number; 0 if not set.
    pub app_id: u64,
    /// The App's private key, a PEM file.
    pub private_key_file: Option<PathBuf>,
    /// The App's private key itself, from the environment; goes before the file.
    pub private_key: Option<SecretString>,
    /// Webhook secrets: one, or two while one replaces the other.
    pub webhook_secrets: Vec<SecretString>,
    /// Root of the API; without a slash at its end.
    pub api_url: String,
    /// Root of the web pages; without a slash at its end.
    pub web_url: String,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Where everything is kept.
#[derive(Debug, Clone)]
pub enum DatabaseUrl {
    /// An SQLite file, relative to the working directory or absolute.
    Sqlite(PathBuf),
    /// A PostgreSQL server; the address may hold a password.
    Postgres(SecretString),
}

/// Settings with what an operator should hear about them.
#[derive(Debug)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// Sentences for the log; nothing here stops the program.
    pub warnings: Vec<String>,
    /// The file that was read, if one was.
    pub file: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            admin_listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 9090)),
            public_url: "http://127.0.0.1:8080".to_owned(),
            database_url: DatabaseUrl::Sqlite(PathBuf::from("phasebot.db")),
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
            api_url: "https://api.github.com".to_owned(),
            web_url: "https://github.com".to_owned(),
        }
    }
}

impl Settings {
    /// Reads the settings.
    ///
    /// `config` is the file that the command line names. It must exist, as must
    /// the one that `PHASEBOT_CONFIG` names; [`DEFAULT_FILE`] need not. The
    /// environment is given, so that tests need not change the process's own.
    /// All problems are reported at once.
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
        let settings = draft.finish()?;
        Ok(Loaded { settings, warnings: Vec::new(), file })
    }

    /// The settings that a text in the form of the file describes. Reads nothing else.
    pub fn parse(name: &Path, text: &str) -> Result<Self, SettingsError> {
        let mut draft = Draft::default();
        file::read(&mut draft, name, text);
        draft.finish()
    }
}

/// What becomes of what is kept of a repository that is taken from the App.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// It stays.
    Keep,
    /// It is deleted.
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
    problems: Vec<Problem>,
}

impl Draft {
    fn finish(mut self) -> Result<Settings, SettingsError> {
        for (name, draft) in self.alerts {
            self.problems.extend(draft.problems(&name));
            self.settings.alerts.insert(name, draft.connection);
        }
        if self.problems.is_empty() { Ok(self.settings) } else { Err(SettingsError(self.problems)) }
    }
}
