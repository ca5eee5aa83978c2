//! The `phasebot` program: reads the command line, runs it, says how it ended.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use phasebot::cli::{Cli, Failure};

fn main() -> ExitCode {
    // Ends with 2 on wrong usage, and with 0 after --help and --version.
    let cli = Cli::of_arguments().unwrap_or_else(|wrong| wrong.exit());
    let environment =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    match cli.run(environment.collect(), &mut io::stdout()) {
        Ok(()) | Err(Failure::OutputClosed) => ExitCode::SUCCESS,
        Err(Failure::Reported) => ExitCode::FAILURE,
        Err(failure) => {
            // Nobody is left to tell if stderr is closed too.
            drop(writeln!(io::stderr(), "error: {failure}"));
            ExitCode::FAILURE
        }
    }
}
