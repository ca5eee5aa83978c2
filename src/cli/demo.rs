//! `phasebot demo`.

use std::io::Write;

use super::{Context, Failure};

/// Show the whole loop on this machine: no account, no network.
///
/// Starts the bot and a simulated forge in one process, and plays a story
/// through all eight phases over real signed HTTP. Each event is shown with what
/// the bot did and why. Stays up until Ctrl-C.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  phasebot demo\n  phasebot demo --exit --speed 10")]
pub(super) struct Args {
    /// End after the story: with 0 only if every step came out as expected.
    #[arg(long)]
    pub(super) exit: bool,
    /// How much faster than its usual pace the story is told.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = speed)]
    pub(super) speed: f64,
}

/// Plays the story.
pub(super) fn run(args: &Args, context: &Context, _out: &mut dyn Write) -> Result<(), Failure> {
    tracing::debug!(exit = args.exit, speed = args.speed, plain = context.no_color(), "demo");
    Err(Failure::Message("this build has no simulated forge to show".to_owned()))
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(factor) if factor.is_finite() && factor > 0.0 => Ok(factor),
        _ => Err("expected a number above 0".to_owned()),
    }
}
