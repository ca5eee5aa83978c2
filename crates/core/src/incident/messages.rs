//! Messages about incidents. None contains text of an alert.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use crate::{
    incident::{loop_closure::Loop, timeline::FiringPeriod, view::IncidentView},
    text::message::{duration, moment, quoted},
};

/// Returns the comment for a resolved incident: how long it lasted, its cause and its fix; with
/// `closes`, phasebot closes the issue.
pub(super) fn resolved(run: Option<FiringPeriod>, view: Option<&IncidentView>, closes: bool) -> String {
    let lasted = run.and_then(|run| Some((run.from, run.until?)));
    let mut text = match lasted {
        Some((from, until)) => format!("✅ **Resolved** after {}.", lasting(until.duration_since(from))),
        None => "✅ **Resolved.**".to_owned(),
    };
    if let Some(item) = view.and_then(|view| view.cause_item) {
        let _ = write!(text, " Cause: #{item}.");
    }
    if let Some(item) = view.and_then(|view| view.fix.as_ref()?.item) {
        let _ = write!(text, " Fixed by #{item}.");
    }
    if !closes {
        text.push_str(" Whoever follows up closes this issue.");
    }
    text
}

/// Returns the comment for an incident that fires again.
pub(super) fn again(run: Option<FiringPeriod>, zone: &TimeZone) -> String {
    let since = run.map_or_else(String::new, |run| format!(" since {}", moment(run.from, zone)));
    format!("🔥 **Firing again**{since}. Take it with `/ack`.")
}

/// Formats how long an incident lasted: in minutes from two minutes on.
pub(super) fn lasting(span: SignedDuration) -> String {
    duration(if span.as_secs() < 120 { span } else { SignedDuration::from_mins(span.as_mins()) })
}

/// Returns the text below the rendered template: staleness, and loop closure.
pub(super) fn more(stale: bool, lives_by: Option<&Loop>, now: Timestamp, zone: &TimeZone) -> String {
    let mut text = String::new();
    if stale {
        text.push_str(
            "\n\n⏳ No message came for a long time, and the source does not report the end. If it is over, comment \
             `/resolve`.",
        );
    }
    if let Some(lives_by) = lives_by.filter(|l| l.at <= now) {
        let change = lives_by.pull.map_or_else(|| "a linked change".to_owned(), |pull| format!("#{pull}"));
        let _ = write!(
            text,
            "\n\n✅ **Loop closed** {}: {change} runs where the alert fired, and it has been quiet since.",
            moment(lives_by.at, zone)
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
