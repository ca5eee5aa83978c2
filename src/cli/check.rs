//! `phasebot check`.

use std::{io::Write, path::PathBuf};

use super::Failure;

/// Check policy files.
///
/// Says file, line and column, what is wrong, and the nearest valid key.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  phasebot check\n  phasebot check .github/phasebot.yml config/operator.yml\n  phasebot check --schema > phasebot.schema.json"
)]
pub(super) struct Args {
    /// The files.
    #[arg(value_name = "FILE", default_value = ".github/phasebot.yml", conflicts_with = "schema")]
    pub(super) files: Vec<PathBuf>,
    /// Print the JSON Schema of a policy file instead.
    #[arg(long)]
    pub(super) schema: bool,
}

/// Checks the files.
pub(super) fn run(args: &Args, _out: &mut dyn Write) -> Result<(), Failure> {
    let what = if args.schema { "print the schema of policy files" } else { "read policy files" };
    Err(Failure::Message(format!("this build can't {what} ({} named)", args.files.len())))
}
