//! `phasebot notify`: sends a test to a target of notices.

use std::{io::Write, sync::Arc};

use crate::{
    app::clock::SystemClock,
    cli::{Context, Failure, notices, runtime},
    port::{
        clock::Clock,
        notify::{Content, Message},
    },
    telemetry,
};

/// Send a test to a target of notices.
///
/// Sends one message to the target `[notices.NAME]` of the settings, and prints what the target
/// answered. Needs neither a database nor a forge.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  phasebot notify --test ops")]
pub(super) struct Args {
    /// Name of the target.
    #[arg(long, value_name = "NAME")]
    test: String,
}

/// Runs the command.
pub(super) fn run(args: &Args, context: &Context, out: &mut dyn Write) -> Result<(), Failure> {
    let loaded = context.settings()?;
    let filter = context.variable("PHASEBOT_LOG").filter(|filter| !filter.is_empty()).unwrap_or("warn");
    telemetry::start_logs(filter, crate::settings::LogFormat::Text, context.no_color())?;
    let targets = &loaded.settings.notices;
    let Some(setting) = targets.get(&args.test) else {
        let known: Vec<&str> = targets.keys().map(String::as_str).collect();
        let known =
            if known.is_empty() { "there are none".to_owned() } else { format!("there are {}", known.join(", ")) };
        return Err(Failure::Message(format!("the settings have no target [notices.{}]: {known}", args.test)));
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let notifier = notices::notifier(&args.test, setting, &clock)?;
    let id = format!("msg_test_{:016x}", rand::random::<u64>());
    let message = Message { id: &id, content: Content::Test, now: clock.now() };
    let answer = runtime()?.block_on(notifier.post(&message));
    match answer {
        Ok(_) => {
            let name = &args.test;
            writeln!(out, "{name}: the target accepted the test. Look whether it is there.")?;
            Ok(())
        }
        Err(error) => Err(Failure::Message(format!("notices.{}: {error}", args.test))),
    }
}
