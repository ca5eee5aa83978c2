//! `phasebot backfill`: reads an existing repository into the facts.

use std::{
    io::{self, IsTerminal, Write},
    sync::Arc,
};

use jiff::SignedDuration;

use crate::{
    app::{Backfill, BackfillError, Progress, Wanted, clock::SystemClock},
    cli::{Context, Failure, assembly, runtime, store},
    port::{
        clock::Clock,
        forge::{Forge, ForgeError},
        store::Store,
    },
    settings::duration,
};

/// Read the history of an existing repository.
///
/// Reads what was merged, tagged and deployed before phasebot was installed. Works while `serve` runs, which processes what was read. Writes nothing to the forge unless
/// --write-labels is set. If a run is interrupted, the next run continues where it stopped.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  phasebot backfill acme/shop\n  phasebot backfill acme/shop --since 90d --write-labels"
)]
pub struct Args {
    /// Repository.
    #[arg(value_name = "OWNER/NAME", value_parser = full_name)]
    repository: String,
    /// Time to look back, such as 90d; default: all of it.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    since: Option<SignedDuration>,
    /// Write labels on the items that were read.
    #[arg(long)]
    write_labels: bool,
}

fn full_name(text: &str) -> Result<String, String> {
    let part = |part: &str| {
        !matches!(part, "" | "." | "..")
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    match text.split_once('/') {
        Some((owner, name)) if part(owner) && part(name) => Ok(text.to_owned()),
        _ => Err("expected OWNER/NAME".to_owned()),
    }
}

/// Runs the command with the store and forge that the settings name.
pub(super) fn run(args: &Args, context: &Context, out: &mut dyn Write) -> Result<(), Failure> {
    let loaded = context.settings()?;
    context.start_logs(&loaded)?;
    let credentials = loaded.settings.credentials()?;
    runtime()?.block_on(async {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let forge: Arc<dyn Forge> = assembly::github_of(&loaded.settings, &credentials, clock.clone())?;
        let store = store::open(&loaded.settings).await?;
        let mut bar = Bar { terminal: io::stderr().is_terminal() };
        perform(args, store.as_ref(), forge.as_ref(), clock.as_ref(), &mut |progress| bar.show(progress), out).await
    })
}

/// Runs the command. Calls `tell` after each page.
pub async fn perform(
    args: &Args,
    store: &dyn Store,
    forge: &dyn Forge,
    clock: &dyn Clock,
    tell: &mut (dyn FnMut(&Progress) + Send),
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let wanted = Wanted {
        full_name: args.repository.clone(),
        since: args.since.and_then(|since| clock.now().checked_sub(since).ok()),
        write: args.write_labels,
    };
    let backfill = Backfill { store, forge, clock };
    let read = loop {
        match backfill.read(&wanted, tell).await {
            Ok(read) => break read,
            Err(BackfillError::Forge(ForgeError::RateLimited { until })) => {
                writeln!(out, "the forge limits us; going on at {until}")?;
                clock.sleep_until(until).await;
            }
            Err(error) => {
                let stays = "what was read stays; run it again to go on";
                return Err(Failure::Message(format!("{error}; {stays}")));
            }
        }
    };
    let name = &args.repository;
    let labels = if args.write_labels { "and puts labels on" } else { "and writes nothing to the forge" };
    writeln!(out, "{name}: {read} things read; `phasebot serve` decides them in its turn, {labels}")?;
    Ok(())
}

/// Shows progress on stderr: a bar on a terminal, otherwise one line per page.
struct Bar {
    terminal: bool,
}

impl Bar {
    const WIDTH: u64 = 30;

    fn show(&mut self, progress: &Progress) {
        let Progress { part, read, expected, .. } = progress;
        let known = expected.filter(|expected| expected >= read);
        let of = known.map_or_else(String::new, |expected| format!(" of {expected}"));
        let line = match (self.terminal, known) {
            (false, _) => format!("{part}: {read}{of} read\n"),
            (true, known) => {
                let full = known.map_or(0, |expected| read * Self::WIDTH / expected.max(1));
                let bar: String = (0..Self::WIDTH).map(|at| if at < full { '█' } else { '░' }).collect();
                format!("\r\u{1b}[2K{bar} {part}: {read}{of}")
            }
        };
        // If stderr is closed, an error cannot be reported.
        let mut stderr = io::stderr();
        drop(stderr.write_all(line.as_bytes()).and_then(|()| stderr.flush()));
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if self.terminal {
            drop(writeln!(io::stderr()));
        }
    }
}
