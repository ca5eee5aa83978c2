//! `/ack`: acknowledges an incident.

use crate::{
    command::{
        Place, Row,
        grammar::Given,
        messages,
        run::{CommandResult, Invocation},
    },
    domain::{fact::command::CommandAction, permission::Role},
};

pub(super) static ROW: Row = Row {
    name: "ack",
    forms: &[&[]],
    least: Role::Triage,
    place: Place::Feedback,
    forks: true,
    help: "Acknowledges the incident",
    run,
};

fn run(turn: &mut Invocation<'_>, _: &Given) -> CommandResult {
    if !turn.shows_incident() {
        return CommandResult::Refused(messages::no_incident());
    }
    turn.action = Some(CommandAction::Ack);
    CommandResult::Done("recorded".to_owned())
}
