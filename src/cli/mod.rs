//! Command line of `phasebot`, with one file per subcommand.

pub mod alerts;
pub mod assembly;
pub mod backfill;
mod backup;
pub mod catch_up;
pub mod check;
pub mod deliveries;
#[cfg(feature = "demo")]
mod demo;
mod doctor;
pub mod events;
mod explain;
mod healthcheck;
pub mod notices;
mod notify;
mod policy;
mod reload;
pub mod report;
pub mod serve;
mod setup;
mod store;
pub mod target;
mod text;
pub mod why;

use std::{
    fmt,
    io::{self, IsTerminal as _, Write},
    path::PathBuf,
};

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};

use crate::{
    port::store::StoreError,
    settings::{Loaded, Settings, SettingsError},
    store::OpenError,
    telemetry::{self, LogLevel, TelemetryError},
    version,
};

/// Label every issue and pull request with its DevOps phase, and explain why.
#[derive(Debug, Parser)]
#[command(
    name = "phasebot",
    version,
    long_version = version::LONG,
    after_help = "Without a command, phasebot serves.\n\nExamples:\n  phasebot demo\n  phasebot setup --public-url https://phasebot.example.com\n  phasebot --config /etc/phasebot.toml serve"
)]
pub struct Cli {
    /// Settings file; default: the one that PHASEBOT_CONFIG names, else config/phasebot.toml if it
    /// exists.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Subcommands. The help of most is the doc comment of their arguments.
#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Args),
    #[cfg(feature = "demo")]
    Demo(demo::Args),
    Setup(setup::Args),
    Doctor(doctor::Args),
    Check(check::CheckArgs),
    Explain(explain::Args),
    Why(why::Args),
    Report(report::Args),
    Deliveries(deliveries::Args),
    CatchUp(catch_up::Args),
    Backfill(backfill::Args),
    Backup(backup::Args),
    Healthcheck(healthcheck::Args),
    Notify(notify::Args),
}

/// Output format of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// Text for people.
    #[default]
    Text,
    /// JSON for scripts.
    Json,
}

/// Reasons why a command failed. The text is for the user and includes the remedy.
#[derive(Debug)]
pub enum Failure {
    /// An error with its complete message.
    Message(String),
    /// The settings are invalid.
    Settings(SettingsError),
    /// The reader of the output has closed it, so no message is needed.
    OutputClosed,
    /// The output already contains the error.
    Reported,
}

/// Returns a command whose help fits into [`text::WIDTH`] columns, with its subcommands.
fn folded(command: clap::Command) -> clap::Command {
    let fold = |words: &dyn fmt::Display, columns: usize| {
        let lines = words.to_string();
        lines.lines().map(|line| text::wrapped(line, columns).join("\n")).collect::<Vec<_>>().join("\n")
    };
    let command = match command.get_long_about().map(|about| fold(about, text::WIDTH)) {
        Some(about) => command.long_about(about),
        None => command,
    };
    // The help of an argument stands beside its name.
    let command = command.mut_args(|arg| match arg.get_help().map(|help| fold(help, text::WIDTH - 26)) {
        Some(help) => arg.help(help),
        None => arg,
    });
    command.mut_subcommands(folded)
}

impl Cli {
    /// Reads the command line of the program.
    pub fn of_arguments() -> Result<Self, clap::Error> {
        let matches = folded(Self::command()).try_get_matches()?;
        Self::from_arg_matches(&matches)
    }

    /// Runs the command. Writes output to `out` and logs to stderr.
    pub fn run(self, environment: Vec<(String, String)>, out: &mut dyn Write) -> Result<(), Failure> {
        let context = Context { config: self.config, environment };
        match self.command.unwrap_or(Command::Serve(serve::Args {})) {
            Command::Serve(args) => serve::run(&args, &context),
            #[cfg(feature = "demo")]
            Command::Demo(args) => demo::run(&args, &context, out),
            Command::Setup(args) => setup::run(&args, &context, out),
            Command::Doctor(args) => doctor::run(&args, &context, out),
            Command::Check(args) => check::run(&args, &context, out),
            Command::Explain(args) => explain::run(&args, out),
            Command::Why(args) => why::run(&args, &context, out),
            Command::Report(args) => report::run(&args, &context, out),
            Command::Deliveries(args) => deliveries::run(&args, &context, out),
            Command::CatchUp(args) => catch_up::run(&args, &context, out),
            Command::Backfill(args) => backfill::run(&args, &context, out),
            Command::Backup(args) => backup::run(&args, &context, out),
            Command::Healthcheck(args) => healthcheck::run(&args, &context, out),
            Command::Notify(args) => notify::run(&args, &context, out),
        }
    }
}

/// Input of every command.
pub struct Context {
    /// Settings file that the command line names.
    config: Option<PathBuf>,
    /// Environment variables at the program's start.
    environment: Vec<(String, String)>,
}

impl Context {
    /// Loads the settings.
    fn settings(&self) -> Result<Loaded, Failure> {
        Ok(Settings::load(self.config.as_deref(), self.environment.iter().cloned())?)
    }

    /// Starts logging as the settings say, and logs the settings' warnings.
    fn start_logs(&self, loaded: &Loaded) -> Result<LogLevel, Failure> {
        let settings = &loaded.settings;
        let level = telemetry::start_logs(&settings.log, settings.log_format, self.no_color())?;
        for warning in &loaded.warnings {
            tracing::warn!("{warning}");
        }
        Ok(level)
    }

    /// Returns a copy of the context with other values for these variables.
    fn with_variables(&self, variables: &[(String, String)]) -> Self {
        let replaced = |name: &str| {
            let file = name.strip_suffix("_FILE").unwrap_or(name);
            variables.iter().any(|(new, _)| new == name || new == file)
        };
        let kept = self.environment.iter().filter(|(name, _)| !replaced(name)).cloned();
        Self { config: self.config.clone(), environment: kept.chain(variables.iter().cloned()).collect() }
    }

    /// Returns an environment variable.
    fn variable(&self, name: &str) -> Option<&str> {
        self.environment.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Returns whether stdout shows colours, and the user wants them.
    fn shows_colours(&self) -> bool {
        io::stdout().is_terminal() && !self.no_color() && self.variable("TERM") != Some("dumb")
    }

    /// Returns whether the user wants no colours: <https://no-color.org>.
    fn no_color(&self) -> bool {
        self.environment.iter().any(|(name, value)| name == "NO_COLOR" && !value.is_empty())
    }
}

/// Creates a Tokio runtime for a command that waits for I/O.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Message(format!("the async runtime can't be started: {error}")))
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(message) => f.write_str(message),
            Self::Settings(error) => write!(f, "invalid settings\n{error}"),
            Self::OutputClosed => f.write_str("the output was closed"),
            Self::Reported => f.write_str("see above"),
        }
    }
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        Self::Settings(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Message(error.to_string())
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        Self::Message(error.to_string())
    }
}

impl From<TelemetryError> for Failure {
    fn from(error: TelemetryError) -> Self {
        Self::Message(error.to_string())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::OutputClosed
        } else {
            Self::Message(format!("the output can't be written: {error}"))
        }
    }
}
