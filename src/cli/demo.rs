//! `phasebot demo`: runs the real bot and a simulated forge through a story.

mod drawing;
mod half_year;
mod page;
mod play;
mod seed;
mod stage;
mod story;
mod summary;

use std::{
    io::{IsTerminal, Write, stdout},
    time::Duration,
};

use tokio::task::JoinHandle;

use crate::{
    cli::{
        Context, Failure,
        demo::{
            page::{Page, Style},
            play::Play,
            stage::Stage,
        },
        runtime,
        serve::Signals,
    },
    settings::LogFormat,
    telemetry,
};

/// Pause after a step at the normal pace, in a terminal.
const PACE: Duration = Duration::from_millis(1200);
/// Pause after a step if the output is not a terminal.
const PACE_UNWATCHED: Duration = Duration::from_millis(100);

/// Show the whole loop, without an account or a network.
///
/// Starts the bot and a simulated forge on this machine in one process, and plays a story through all eight phases
/// over real signed HTTP. Shows each event with what the bot did and why. Keeps running until
/// Ctrl-C.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  phasebot demo\n  phasebot demo --exit --speed 10")]
pub(super) struct Args {
    /// Exit after the story; with 0 only if every step had the expected result.
    #[arg(long)]
    pub(super) exit: bool,
    /// Speed of the story relative to its normal pace.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = speed)]
    pub(super) speed: f64,
}

/// Plays the story.
pub(super) fn run(args: &Args, context: &Context, out: &mut dyn Write) -> Result<(), Failure> {
    // The story goes to stdout. Of the operator's settings, the demo uses only those for logs.
    let filter = context.variable("PHASEBOT_LOG").filter(|filter| !filter.is_empty()).unwrap_or("warn");
    telemetry::start_logs(filter, LogFormat::Text, context.no_color())?;
    let watched = stdout().is_terminal();
    let pause = (if watched { PACE } else { PACE_UNWATCHED }).div_f64(args.speed.max(0.001));
    let mut page = Page::new(out, Style::of(|name| context.variable(name), watched));
    let runtime = runtime()?;
    runtime.block_on(async {
        let mut signals = Signals::new().map_err(|error| Failure::Message(format!("signals: {error}")))?;
        let stage = tokio::select! {
            stage = Stage::set() => stage?,
            _ = signals.next() => return Ok(()),
        };
        // Decided while the story goes on, for the charts of the pages.
        let history = (!args.exit).then(|| stage.half_year());
        let told = tokio::select! {
            told = tell(&stage, &mut page, pause, args.exit) => Some(told),
            _ = signals.next() => None,
        };
        // After Ctrl-C the user wants the program to end, without a summary.
        let outcome = match told {
            None => Ok(()),
            Some(Ok(())) if !args.exit => stay(&stage, &mut page, &mut signals, history).await,
            Some(told) => told,
        };
        stage.clear().await;
        outcome
    })
}

/// Plays the whole story. With `judge`, an unexpected result is an error.
async fn tell(stage: &Stage, page: &mut Page<'_>, pause: Duration, judge: bool) -> Result<(), Failure> {
    let mut play = Play::new(stage, pause)?;
    play::open(page)?;
    for step in story::steps() {
        play.step(page, &step).await?;
    }
    summary::write(stage, page).await?;
    let odd = play.odd();
    if odd.is_empty() {
        return Ok(());
    }
    let said = format!("the story did not come out as expected\n{}", odd.join("\n"));
    if judge { Err(Failure::Message(said)) } else { Ok(page.line(&page.alarm(&said))?) }
}

/// Keeps everything running for people to explore, with the clock at normal speed.
async fn stay(
    stage: &Stage,
    page: &mut Page<'_>,
    signals: &mut Signals,
    history: Option<JoinHandle<Result<(), Failure>>>,
) -> Result<(), Failure> {
    let seeded = match history {
        Some(history) => tokio::select! {
            seeded = history => seeded.map_err(|error| Failure::Message(error.to_string()))?,
            _ = signals.next() => return Ok(()),
        },
        None => Ok(()),
    };
    summary::addresses(stage, page, seeded.is_ok())?;
    if let Err(error) = seeded {
        page.line(&page.alarm(&format!("the generated half year is missing: {error}")))?;
    }
    stage.let_time_run();
    let _ = signals.next().await;
    Ok(())
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(factor) if factor.is_finite() && factor > 0.0 => Ok(factor),
        _ => Err("expected a number above 0".to_owned()),
    }
}
