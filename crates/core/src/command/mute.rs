//! `/mute`: mutes an incident's notifications for a time.

use crate::{
    command::{
        Place, Row,
        grammar::{Given, Kind, may, must},
        messages,
        run::{CommandResult, Invocation},
    },
    domain::{fact::command::CommandAction, permission::Role},
};

pub(super) static ROW: Row = Row {
    name: "mute",
    forms: &[&[must("length", Kind::Length), may("reason", Kind::Text)]],
    least: Role::Triage,
    place: Place::Feedback,
    forks: true,
    help: "Mutes notifications about the incident for a time",
    run,
};

fn run(turn: &mut Invocation<'_>, given: &Given) -> CommandResult {
    if !turn.shows_incident() {
        return CommandResult::Refused(messages::no_incident());
    }
    let until = given.length("length").and_then(|length| turn.at.checked_add(length).ok());
    let Some(until) = until else { return CommandResult::Misread(messages::no_length()) };
    let reason = given.optional("reason").map(str::to_owned);
    turn.action = Some(CommandAction::Mute { until, reason });
    CommandResult::Done(format!("quiet until {}", messages::time(until, turn.policy)))
}
