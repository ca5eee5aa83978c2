//! `/unmute`: unmutes an incident's notifications.

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
    name: "unmute",
    forms: &[&[]],
    least: Role::Triage,
    place: Place::Feedback,
    forks: true,
    help: "Ends the mute of the incident",
    run,
};

fn run(turn: &mut Invocation<'_>, _: &Given) -> CommandResult {
    if !turn.shows_incident() {
        return CommandResult::Refused(messages::no_incident());
    }
    turn.action = Some(CommandAction::Unmute);
    CommandResult::Done("recorded".to_owned())
}
