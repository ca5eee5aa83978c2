//! Messages about incidents. None contains text of an alert.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use crate::{
    domain::turn::{Act, Turn},
    incident::{loop_closure::Loop, timeline::FiringPeriod, view::IncidentView},
    text::{
        headline,
        message::{command_line, duration, moment, person, quoted, written},
        times::Times,
    },
};

/// What people did about an incident, as far as its turn depends on it.
pub(super) struct Care<'a> {
    /// It is over.
    pub(super) resolved: bool,
    /// phasebot closes the issue then.
    pub(super) closes: bool,
    /// The account that acknowledged it, and when.
    pub(super) acked: Option<(&'a str, Timestamp)>,
    /// End of its mute.
    pub(super) muted_until: Option<Timestamp>,
    /// Command that undoes the likeliest suspect.
    pub(super) rollback: Option<&'a str>,
}

/// Returns who acts next on an incident.
pub(super) fn turn(care: &Care<'_>, times: &Times) -> Turn {
    if care.resolved {
        return after(care.acked.map(|(by, _)| by), care.closes);
    }
    let act = match care.rollback {
        Some(rollback) => Act::comment(written(rollback)).and(" if the suspected change is the cause, else fix it"),
        None => Act::from("fix it"),
    };
    match (care.acked, care.muted_until) {
        (Some((by, at)), _) => Turn::people(format!("{} (acknowledged it at {})", person(by), times.at(at)), act),
        (None, Some(until)) => Turn::by_itself(format!("it is muted until {}", times.at(until))),
        (None, None) => takes(),
    }
}

/// Returns who acts when an incident is over.
fn after(acked_by: Option<&str>, closes: bool) -> Turn {
    let who = acked_by.map_or_else(|| "whoever is on call".to_owned(), person);
    if closes {
        Turn::by_itself("phasebot closes this issue")
    } else {
        Turn::people(who, "close this issue when nothing is left to follow up")
    }
}

/// Returns the comment for a resolved incident: how long it lasted, its cause and its fix; with
/// `closes`, phasebot closes the issue.
pub(super) fn resolved(run: Option<FiringPeriod>, view: Option<&IncidentView>, closes: bool) -> String {
    let lasted = run.and_then(|run| Some((run.from, run.until?)));
    let mut state = match lasted {
        Some((from, until)) => format!("resolved after {}", lasting(until.duration_since(from))),
        None => "resolved".to_owned(),
    };
    if let Some(item) = view.and_then(|view| view.cause_item) {
        let _ = write!(state, ", caused by #{item}");
    }
    if let Some(item) = view.and_then(|view| view.fix.as_ref()?.item) {
        let _ = write!(state, ", fixed by #{item}");
    }
    let acked_by = view.and_then(|view| view.acked_by.as_deref());
    format!("✅ {}", headline::line(&state, &after(acked_by, closes)))
}

/// Returns the comment for an incident that fires again.
pub(super) fn again(run: Option<FiringPeriod>, zone: &TimeZone) -> String {
    let since = run.map_or_else(String::new, |run| format!(" since {}", moment(run.from, zone)));
    format!("🔥 {}", headline::line(&format!("firing again{since}"), &takes()))
}

/// Returns the turn while nobody takes care of an incident.
fn takes() -> Turn {
    Turn::people("whoever is on call", Act::comment(command_line(&["ack"])).and(" to take it"))
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
