//! `phasebot doctor`: is everything right, and if not, what to do about it.

mod alerts;
mod app;
mod database;
mod gates;
mod hook;
mod local;
mod need;
mod reach;
mod report;
mod repositories;

use std::{io::Write, sync::Arc};

pub(super) use crate::cli::doctor::report::Report;
use crate::{
    app::clock::SystemClock,
    cli::{
        Context, Failure, Format,
        doctor::report::{Finding, Verdict},
        runtime,
    },
    port::clock::Clock,
    settings::Settings,
    telemetry,
};

/// Check that everything is right, and say what to do where it is not.
///
/// One line for each check: settings, key, clock, database, the App and its
/// webhook, what each installation grants against what its repositories'
/// policies need, rate limits, alert connections. Changes nothing. Ends with 0
/// if nothing has to be done.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  phasebot doctor\n  phasebot doctor --format json")]
pub(super) struct Args {
    /// How to print the result.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// When it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Occasion {
    /// At any time.
    AnyTime,
    /// At the end of `setup`: the bot does not run yet.
    BeforeTheFirstStart,
}

/// Runs the command.
pub(super) fn run(args: &Args, context: &Context, out: &mut dyn Write) -> Result<(), Failure> {
    // The findings are the output; the log is for what goes wrong beside them.
    let filter = context.variable("PHASEBOT_LOG").filter(|filter| !filter.is_empty()).unwrap_or("warn");
    telemetry::start_logs(filter, crate::settings::LogFormat::Text, context.no_color())?;
    let report = runtime()?.block_on(examine(context, Arc::new(SystemClock), Occasion::AnyTime));
    match args.format {
        Format::Text => report.text(out)?,
        Format::Json => report.json(out)?,
    }
    if report.is_well() { Ok(()) } else { Err(Failure::Reported) }
}

/// All checks, in the order in which what they need becomes known.
pub(super) async fn examine(context: &Context, clock: Arc<dyn Clock>, occasion: Occasion) -> Report {
    let mut report = Report::default();
    let settings = match context.settings() {
        Ok(loaded) => {
            report.extend(local::settings(&loaded));
            loaded.settings
        }
        Err(error) => {
            report.add(Finding::new("config", Verdict::Fail, error.to_string()).remedy("repair the settings"));
            return report;
        }
    };
    report.extend(local::policy(&settings));
    report.extend(database::check(&settings).await);
    match local::credentials(&settings, &mut report) {
        Some(credentials) => app::check(&settings, &credentials, clock, occasion, &mut report).await,
        None => report.add(
            Finding::new("app", Verdict::Fail, "not asked: the credentials are not complete")
                .remedy("put right what stands above, or run phasebot setup"),
        ),
    }
    report
}

/// The address that GitHub is to send webhooks to.
fn webhook_url(settings: &Settings) -> String {
    format!("{}/webhooks/github", settings.public_url)
}
