//! `phasebot explain`: shows what an event would do.

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
    forge::github::decode::{EVENTS, decode},
    policy::{Rank, built_in},
    port::clock::Clock,
};

/// Maximum size of a webhook's body, in bytes; no forge sends a larger one.
const LONGEST: u64 = 25 * 1024 * 1024;

/// Show what an event would do, and why.
///
/// Shows the resulting phase, the rule and the effects, for a phasebot that has seen nothing else.
/// Uses no network.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  phasebot explain --event pull_request merged.json\n  phasebot explain --event issues opened.json --policy phasebot.yml\n  phasebot explain --event push - < push.json"
)]
pub(super) struct Args {
    /// The forge's name of the event, as in its header: issues, pull_request, push …
    #[arg(long, value_name = "NAME")]
    pub(super) event: String,
    /// File with the webhook's body; - reads it from stdin.
    #[arg(value_name = "PAYLOAD.json")]
    pub(super) payload: PathBuf,
    /// Policy file; default: the built-in policy.
    #[arg(long, value_name = "FILE")]
    pub(super) policy: Option<PathBuf>,
    /// Output format.
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: Format,
}

/// Runs the command.
pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let policy = match &args.policy {
        Some(file) => policy::load(file, Rank::Repository)?,
        None => built_in(),
    };
    if let Some(near) = misspelt(&args.event) {
        let event = args.event.escape_debug();
        return Err(Failure::Message(format!("phasebot uses no event `{event}`; did you mean `{near}`?")));
    }
    let body = read(&args.payload)?;
    // An App's id identifies its own check runs. There is no App here, so the id is 0.
    let decoded = decode(&ForgeName::github(), 0, &args.event, &body, SystemClock.now());
    let account = Account::of(&args.event, decoded, &policy);
    match args.format {
        Format::Text => words::write(&account, out)?,
        Format::Json => writeln!(out, "{}", serde_json::json!(account))?,
    }
    Ok(())
}

/// Returns the event that was probably meant by a name that is almost one.
fn misspelt(event: &str) -> Option<&'static str> {
    let distance = |known: &str| strsim::damerau_levenshtein(event, known);
    let near = EVENTS.into_iter().min_by_key(|known| distance(known))?;
    (1..=2).contains(&distance(near)).then_some(near)
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
