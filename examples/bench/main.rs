//! Measures phasebot on this machine. `scripts/bench` runs it; `docs/performance.md` explains it.
//!
//! Everything that is compared is measured in one run, in turns: machines differ
//! and have moods, so that only ratios mean something elsewhere.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

mod body;
mod copies;
mod life;
mod load;
mod machine;
mod measure;
mod peer;
mod server;
mod stub;

use std::{path::PathBuf, time::Duration};

use clap::{Parser, Subcommand};

/// An error ends the program.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Measures phasebot on this machine.
#[derive(Parser)]
struct Cli {
    /// Seconds of each round.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Rounds of everything that is compared; the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds of the latency measurement.
    #[arg(long, default_value_t = 30)]
    paced_seconds: u64,
    /// Also compare an empty database with one of so many deliveries; fills it first.
    #[arg(long, value_name = "N")]
    rows: Option<u64>,
    /// A PostgreSQL server, as a URL without a database: also measures replicas there.
    #[arg(long, env = "PHASEBOT_TEST_POSTGRES", value_name = "URL")]
    postgres: Option<String>,
    /// Changes in the life of one repository.
    #[arg(long, default_value_t = 10_000)]
    changes: u64,
    /// Services of that repository; 0: it has none.
    #[arg(long, default_value_t = 0)]
    services: u64,
    /// Items of the repository whose pages are read; ten times as many in `--repositories`.
    #[arg(long, default_value_t = 100_000)]
    page_items: u64,
    /// Repositories among which the ten times as many items are.
    #[arg(long, default_value_t = 1_000)]
    page_repositories: u64,
    /// Only these parts: rate, latency, overload, items, life, peers, growth, replicas, pages, fill. The
    /// last two only if they are named.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Folder for databases; on the disk that is to be measured.
    #[arg(long, default_value = "target/bench")]
    folder: PathBuf,
    #[command(subcommand)]
    part: Option<Part>,
}

#[derive(Subcommand)]
enum Part {
    /// The server that the ratio is taken to; started by the bench itself.
    #[command(hide = true)]
    VerifyOnly,
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    if let Some(Part::VerifyOnly) = cli.part {
        return server::serve_verify_only();
    }
    // One thread: the servers need the processors.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let plan = measure::Plan {
        lasting: Duration::from_secs(cli.seconds),
        rounds: cli.rounds.max(1),
        paced: Duration::from_secs(cli.paced_seconds),
        folder: cli.folder,
    };
    let wanted = |part: &str| cli.only.is_empty() || cli.only.iter().any(|p| p == part);
    runtime.block_on(async {
        println!("{}", machine::describe(&plan.folder)?);
        println!("| measured | value | target | |\n| --- | --- | --- | --- |");
        if wanted("rate") {
            measure::rate(&plan).await?;
        }
        if wanted("latency") {
            measure::latency(&plan).await?;
        }
        if wanted("overload") {
            measure::overload(&plan).await?;
        }
        if wanted("items") {
            measure::items(&plan).await?;
        }
        if wanted("life") {
            measure::life(&plan, cli.changes, cli.services).await?;
        }
        if wanted("peers") {
            measure::peers(&plan).await?;
        }
        let named = |part: &str| cli.only.iter().any(|p| p == part);
        let sizes = measure::PageSizes { items: cli.page_items, repositories: cli.page_repositories };
        if named("pages") {
            measure::pages(&plan, sizes, cli.postgres.as_deref()).await?;
        }
        if named("fill") {
            measure::fill(&plan, sizes, cli.postgres.as_deref()).await?;
        }
        if let Some(rows) = cli.rows.filter(|_| wanted("growth")) {
            measure::growth(&plan, rows).await?;
        }
        if let Some(server) = cli.postgres.filter(|_| wanted("replicas")) {
            measure::replicas(&plan, &server).await?;
        }
        Ok(())
    })
}
