//! `phasebot report`: delivery metrics and flow, from the database.

mod shown;
mod text;

use std::io::Write;

use jiff::{SignedDuration, Timestamp};

use crate::{
    app::{
        clock::SystemClock,
        insight::{
            self, csv,
            report::{Asked, Report},
        },
    },
    cli::{Context, Failure, runtime, store, target::RepositoryRef},
    insight::Step,
    port::{
        clock::Clock,
        store::{RepositoryRow, Store},
    },
    settings::duration,
};

/// Show delivery metrics and the flow of work.
///
/// The five DORA metrics, cycle time, work in progress, and waits at gates.
///
/// Reads the database while `serve` runs; sends no request to the forge. `docs/metrics.md` defines
/// every figure. A figure without data is shown as `none`, never as 0.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  phasebot report --repo acme/shop --since 30d\n  phasebot report --repo acme/shop --service web --by week --format md\n  phasebot report --by month --since 365d --format csv > metrics.csv"
)]
pub struct Args {
    /// Repository, as OWNER/NAME or its id; default: every repository.
    #[arg(long, value_name = "OWNER/NAME")]
    pub repo: Option<RepositoryRef>,
    /// Only this service of the policy.
    #[arg(long, value_name = "NAME")]
    pub service: Option<String>,
    /// This environment instead of production.
    #[arg(long, value_name = "NAME")]
    pub environment: Option<String>,
    /// Time to look back: whole days, and today so far.
    #[arg(long, value_name = "TIME", default_value = "90d", value_parser = days)]
    pub since: u16,
    /// Also show each part of that time.
    #[arg(long, value_name = "STEP")]
    pub by: Option<By>,
    /// Output format.
    #[arg(long, value_enum, default_value_t)]
    pub format: ReportFormat,
}

/// Parts of the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum By {
    /// Days.
    Day,
    /// Weeks from Monday to Sunday.
    Week,
    /// Months.
    Month,
}

impl By {
    fn step(self) -> Step {
        match self {
            Self::Day => Step::Day,
            Self::Week => Step::Week,
            Self::Month => Step::Month,
        }
    }
}

/// Output format of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum ReportFormat {
    /// Text for people.
    #[default]
    Text,
    /// Markdown.
    Md,
    /// JSON with every figure.
    Json,
    /// Comma-separated values, one line for each repository and part.
    Csv,
}

fn days(text: &str) -> Result<u16, String> {
    let length: SignedDuration = duration(text)?;
    let days = length.as_hours().div_euclid(24);
    match u16::try_from(days) {
        Ok(days) if days > 0 && length.as_secs() == i64::from(days) * 86_400 && days <= 3_660 => Ok(days),
        _ => Err("expected a number of days from 1d to 3660d".to_owned()),
    }
}

/// Runs the command on the store that the settings name.
pub(super) fn run(args: &Args, context: &Context, out: &mut dyn Write) -> Result<(), Failure> {
    let loaded = context.settings()?;
    context.start_logs(&loaded)?;
    runtime()?.block_on(async {
        let store = store::open(&loaded.settings).await?;
        perform(args, store.as_ref(), SystemClock.now(), out).await
    })
}

/// Runs the command on `store`.
pub async fn perform(args: &Args, store: &dyn Store, now: Timestamp, out: &mut dyn Write) -> Result<(), Failure> {
    let mut reports = Vec::new();
    for row in repositories(args, store).await? {
        reports.extend(report(args, store, &row, now).await?);
    }
    if reports.is_empty() {
        let none = "nothing is recorded yet; `phasebot doctor` says whether deliveries arrive";
        return Err(Failure::Message(none.to_owned()));
    }
    match args.format {
        ReportFormat::Text => text::write(&reports, args.by, out),
        ReportFormat::Md => text::write_markdown(&reports, args.by, out),
        ReportFormat::Json => {
            writeln!(out, "{}", serde_json::json!(reports))?;
            Ok(())
        }
        ReportFormat::Csv => {
            write!(out, "{}", csv::report_header())?;
            for report in &reports {
                write!(out, "{}", csv::of_report(report))?;
            }
            Ok(())
        }
    }
}

async fn repositories(args: &Args, store: &dyn Store) -> Result<Vec<RepositoryRow>, Failure> {
    match &args.repo {
        Some(wanted) => Ok(vec![wanted.row(store).await?]),
        None => Ok(store.all_repositories().await?),
    }
}

/// Computes the report of a repository; `None` if none was asked for by name and it has no rows.
async fn report(
    args: &Args,
    store: &dyn Store,
    row: &RepositoryRow,
    now: Timestamp,
) -> Result<Option<Report>, Failure> {
    let asked = Asked {
        days: args.since,
        step: args.by.map(By::step),
        service: args.service.clone(),
        environment: args.environment.clone(),
    };
    let rows = insight::rows(store, &row.repo, asked.rows_since(now)).await?;
    let Some(terms) = &rows.terms else {
        let name = &row.full_name;
        return match args.repo {
            Some(_) => Err(Failure::Message(format!("{name}: nothing is recorded of it yet"))),
            None => Ok(None),
        };
    };
    if let Some(service) = args.service.as_ref().filter(|service| !terms.services.contains(service)) {
        if args.repo.is_none() {
            return Ok(None);
        }
        let known = if terms.services.is_empty() { "none".to_owned() } else { terms.services.join(", ") };
        let name = &row.full_name;
        return Err(Failure::Message(format!("{name} has no service {service:?}; its policy names: {known}")));
    }
    let complete = insight::is_complete(store, &row.repo, terms).await?;
    Ok(Report::of(row, &rows, complete, &asked, now))
}
