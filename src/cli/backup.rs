//! `phasebot backup`: copies the database while the bot runs.

use std::{io::Write, path::PathBuf};

use crate::{
    cli::{Context, Failure},
    settings::DatabaseUrl,
    store::sqlite,
};

/// Copy the SQLite database to a new file, also while the bot runs.
///
/// The copy contains everything that was committed before it began. It is either complete or
/// absent, and only its owner can read it.
///
/// To restore it: stop phasebot, remove phasebot.db-wal and phasebot.db-shm, put the copy in the
/// place of phasebot.db, start phasebot, and run `phasebot catch-up`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  phasebot backup /var/backups/phasebot-2026-03-02.db")]
pub(super) struct Args {
    /// Path of the copy; the file must not exist yet.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Runs the command.
pub(super) fn run(args: &Args, context: &Context, out: &mut dyn Write) -> Result<(), Failure> {
    let settings = context.settings()?.settings;
    let DatabaseUrl::Sqlite(path) = &settings.database_url else {
        let says = "this is for SQLite; for PostgreSQL use its own pg_dump, or your provider's backups";
        return Err(Failure::Message(says.to_owned()));
    };
    let bytes = sqlite::back_up(path, &args.file).map_err(|error| Failure::Message(error.to_string()))?;
    writeln!(out, "{}: {bytes} bytes", args.file.display())?;
    Ok(())
}
