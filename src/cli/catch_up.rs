//! `phasebot catch-up`: fetches missed deliveries from the forge.

use std::{io::Write, sync::Arc};

use jiff::SignedDuration;
use serde_json::json;

use crate::{
    app::{CatchUp, CatchUpError, Caught, Letterbox, clock::SystemClock},
    cli::{Context, Failure, Format, assembly, runtime, store},
    port::{
        clock::Clock,
        forge::{Forge, ForgeError},
        store::Store,
    },
    settings::duration,
};

/// Fetch missed deliveries from the forge.
///
/// Compares the forge's list of deliveries with the stored ones. Works while `serve` runs: `serve`
/// processes the fetched deliveries, and does the same fetch by itself at its start and every few
/// minutes. GitHub keeps deliveries for three days. Without --since, the list is walked back to where
/// the last walk ended.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  phasebot catch-up\n  phasebot catch-up --since 24h")]
pub struct Args {
    /// Time to look back, such as 24h.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    since: Option<SignedDuration>,
    /// Output format.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
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
        perform(args, &store, &forge, &clock, out).await
    })
}

/// Runs the command.
pub async fn perform(
    args: &Args,
    store: &Arc<dyn Store>,
    forge: &Arc<dyn Forge>,
    clock: &Arc<dyn Clock>,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let door = Letterbox { store: store.clone(), forge: forge.clone(), clock: clock.clone() };
    let catch_up = CatchUp { store: store.as_ref(), forge: forge.as_ref(), door: &door, clock: clock.as_ref() };
    let since = args.since.and_then(|since| clock.now().checked_sub(since).ok());
    loop {
        let caught = catch_up.walk(since).await.map_err(failure)?;
        match args.format {
            Format::Text => writeln!(out, "{}: {}", forge.name(), sentence(&caught))?,
            Format::Json => writeln!(
                out,
                "{}",
                json!({
                    "forge": forge.name().0, "seen": caught.seen, "taken": caught.taken,
                    "lost": caught.lost, "gone": caught.gone, "skipped": caught.skipped,
                })
            )?,
        }
        if !caught.more {
            return Ok(());
        }
    }
}

fn sentence(caught: &Caught) -> String {
    let Caught { seen, taken, lost, gone, skipped, .. } = caught;
    let mut text = format!("{seen} deliveries looked at, {taken} taken in");
    if *lost > 0 {
        text = format!("{text}, of which {lost} had been acknowledged and lost");
    }
    if *gone > 0 {
        text = format!("{text}; {gone} are missing and the forge does not have them any more");
    }
    if *skipped > 0 {
        text = format!("{text}; {skipped} can't be had now: run it again to ask for them");
    }
    text
}

fn failure(error: CatchUpError) -> Failure {
    let stays = "what was taken in stays; run it again to go on";
    Failure::Message(match error {
        CatchUpError::Forge(ForgeError::RateLimited { until }) => format!("the forge limits us until {until}; {stays}"),
        other => format!("{other}; {stays}"),
    })
}
