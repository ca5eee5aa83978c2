//! Messages about incidents. None contains text of an alert.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::{
    incident::{loop_closure::Loop, timeline::FiringPeriod},
    text::message::{duration, quoted},
};

/// Formats a time as issues show it.
pub(super) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// Returns the comment for a resolved incident.
pub(super) fn resolved(run: Option<FiringPeriod>) -> String {
    let Some((from, until)) = run.and_then(|run| Some((run.from, run.until?))) else {
        return "**Resolved.**".to_owned();
    };
    format!("**Resolved**: quiet since {}, after {}.", time(until), duration(until.duration_since(from)))
}

/// Returns the comment for an incident that fires again.
pub(super) fn again(run: Option<FiringPeriod>) -> String {
    run.map_or_else(|| "**Firing again.**".to_owned(), |run| format!("**Firing again** since {}.", time(run.from)))
}

/// Returns the text below the rendered template: the service, staleness, and loop closure.
pub(super) fn more(service: Option<&str>, stale: bool, lives_by: Option<&Loop>, now: Timestamp) -> String {
    let mut text = String::new();
    if let Some(service) = service {
        let _ = write!(text, "\n\nService: {}", quoted(service));
    }
    if stale {
        text.push_str(
            "\n\nNothing was heard of it for a long time, and its source does not tell when it is over: \
             `/resolve` ends it.",
        );
    }
    if let Some(lives_by) = lives_by.filter(|l| l.at <= now) {
        let change = lives_by.pull.map_or_else(|| "a linked change".to_owned(), |pull| format!("#{pull}"));
        let _ = write!(
            text,
            "\n\n**Loop closed** {}: {change} runs where the alert fired, and it has been quiet since.",
            time(lives_by.at)
        );
    }
    text
}

/// Returns the reason for which an issue entered its first phase.
pub(super) fn origin(environment: Option<&str>) -> String {
    match environment {
        Some(environment) => format!("an alert fired in {}", quoted(environment)),
        None => "an alert fired".to_owned(),
    }
}
