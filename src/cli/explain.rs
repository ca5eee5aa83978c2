//! `phasebot explain`.

use std::{io::Write, path::PathBuf};

use super::{Failure, Format};

/// Tell what an event would do, and why.
///
/// Shows which phase it leads to, by which rule, and with which effects. Uses no network.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  phasebot explain --event pull_request merged.json\n  phasebot explain --event issues opened.json --policy .github/phasebot.yml --format json"
)]
pub(super) struct Args {
    /// The forge's name for the event, as in its header: issues, pull_request, push …
    #[arg(long, value_name = "NAME")]
    pub(super) event: String,
    /// The webhook's body; - reads it from stdin.
    #[arg(value_name = "PAYLOAD.json")]
    pub(super) payload: PathBuf,
    /// A policy file; else the built-in policy.
    #[arg(long, value_name = "FILE")]
    pub(super) policy: Option<PathBuf>,
    /// How to write it.
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: Format,
}

/// Explains.
pub(super) fn run(args: &Args, _out: &mut dyn Write) -> Result<(), Failure> {
    tracing::debug!(event = args.event, policy = ?args.policy, format = ?args.format, "explain");
    Err(Failure::Message(format!("{}: this build can't explain events", args.payload.display())))
}
