//! `/mute`: keeps an incident quiet for a time.

use crate::{
    command::{
        Place, Row,
        grammar::{Given, Kind, may, must},
        messages,
        run::{Answer, Turn},
    },
    domain::{fact::command::Deed, permission::Role},
};

pub(super) static ROW: Row = Row {
    name: "mute",
    forms: &[&[must("length", Kind::Length), may("reason", Kind::Text)]],
    least: Role::Triage,
    place: Place::Feedback,
    forks: true,
    help: "Keeps the incident quiet for a time",
    run,
};

fn run(turn: &mut Turn<'_>, given: &Given) -> Answer {
    if !turn.shows_incident() {
        return Answer::Refused(messages::no_incident());
    }
    let until = given.length("length").and_then(|length| turn.at.checked_add(length).ok());
    let Some(until) = until else { return Answer::Misread(messages::no_length()) };
    let reason = given.optional("reason").map(str::to_owned);
    turn.deed = Some(Deed::Mute { until, reason });
    Answer::Done(format!("quiet until {}", messages::time(until, turn.policy)))
}
