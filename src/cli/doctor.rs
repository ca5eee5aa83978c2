//! `phasebot doctor`: checks the installation and suggests remedies.

mod app;
mod connections;
mod database;
mod gates;
mod hook;
mod local;
mod need;
mod notices;
mod planetscale;
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
    forge::github::inspect::App,
    port::clock::Clock,
    settings::Settings,
    telemetry,
};

/// Check the installation, and suggest remedies.
///
/// Prints one line per check: settings, key, clock, database, the App and its webhook, the
/// permissions of each installation compared with what its repositories' policies need, rate
/// limits, alert and event connections, databases with schema changes, targets of notices. Changes nothing. Exits with 0 if nothing needs to be done.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  phasebot doctor\n  phasebot doctor --format json")]
pub(super) struct Args {
    /// Output format.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Time at which the checks run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Occasion {
    /// At any time.
    AnyTime,
    /// At the end of `setup`, when the bot does not run yet.
    BeforeTheFirstStart,
}

/// Runs the command.
pub(super) fn run(args: &Args, context: &Context, out: &mut dyn Write) -> Result<(), Failure> {
    // The findings are the output; the log only shows further errors.
    let filter = context.variable("PHASEBOT_LOG").filter(|filter| !filter.is_empty()).unwrap_or("warn");
    telemetry::start_logs(filter, crate::settings::LogFormat::Text, context.no_color())?;
    let report = runtime()?.block_on(examine(context, Arc::new(SystemClock), Occasion::AnyTime));
    match args.format {
        Format::Text => report.text(out)?,
        Format::Json => report.json(out)?,
    }
    if report.is_well() { Ok(()) } else { Err(Failure::Reported) }
}

/// Runs all checks, each after those whose results it needs.
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
    planetscale::check(&settings, &clock, &mut report).await;
    notices::check(&settings, &clock, &mut report).await;
    match local::credentials(&settings, &mut report) {
        Some(credentials) => app::check(&settings, &credentials, clock, occasion, &mut report).await,
        None => report.add(
            Finding::new("app", Verdict::Fail, "not asked: the credentials are not complete")
                .remedy("put right what stands above, or run phasebot setup"),
        ),
    }
    report
}

/// Returns the address that GitHub should send webhooks to.
fn webhook_url(settings: &Settings) -> String {
    format!("{}/webhooks/github", settings.public_url)
}

/// Returns the address of the App's settings page.
fn settings_page(settings: &Settings, app: &App) -> String {
    let web = &settings.github.web_url;
    if app.owner.kind == "Organization" {
        format!("{web}/organizations/{}/settings/apps/{}", app.owner.login, app.slug)
    } else {
        format!("{web}/settings/apps/{}", app.slug)
    }
}
