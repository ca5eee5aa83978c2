//! `phasebot explain`.

mod account;
mod words;

use std::{
    fs::File,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

pub(super) use crate::cli::explain::words::effect;
use crate::{
    app::clock::SystemClock,
    cli::{Failure, Format, explain::account::Account, policy},
    domain::id::ForgeName,
    forge::github::decode::decode,
    policy::{Rank, built_in},
    port::clock::Clock,
};

/// No forge sends a longer body.
const LONGEST: u64 = 25 * 1024 * 1024;

/// Tell what an event would do, and why.
///
/// Shows which phase it leads to, by which rule, and with which effects, for a
/// phasebot that has seen nothing else. Uses no network.
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
pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let policy = match &args.policy {
        Some(file) => policy::load(file, Rank::Repository)?,
        None => built_in(),
    };
    let body = read(&args.payload)?;
    // A GitHub App's own number tells its own check runs from others', and there is no App here.
    let decoded = decode(&ForgeName::github(), 0, &args.event, &body, SystemClock.now());
    let account = Account::of(&args.event, decoded, &policy);
    match args.format {
        Format::Text => words::write(&account, out)?,
        Format::Json => writeln!(out, "{}", serde_json::json!(account))?,
    }
    Ok(())
}

/// Reads a payload; `-` is stdin.
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let shown = path.display();
    let unreadable = |error: io::Error| Failure::Message(format!("{shown} can't be read: {error}"));
    let source: Box<dyn Read> =
        if path == Path::new("-") { Box::new(io::stdin()) } else { Box::new(File::open(path).map_err(unreadable)?) };
    let mut body = Vec::new();
    source.take(LONGEST + 1).read_to_end(&mut body).map_err(unreadable)?;
    if body.len() as u64 > LONGEST {
        return Err(Failure::Message(format!("{shown} is longer than 25 MiB: no forge sends that")));
    }
    Ok(body)
}
