//! `/cause`: records the change that caused an incident.

use crate::{
    command::{
        Place, Row,
        grammar::{Given, Kind, must},
        messages,
        run::{CommandResult, Invocation},
    },
    domain::{fact::command::CommandAction, permission::Role},
};

pub(super) static ROW: Row = Row {
    name: "cause",
    forms: &[&[must("REF|none", Kind::Word)]],
    least: Role::Triage,
    place: Place::Feedback,
    forks: true,
    help: "Names the change that caused the incident, or `none`",
    run,
};

fn run(turn: &mut Invocation<'_>, given: &Given) -> CommandResult {
    if !turn.shows_incident() {
        return CommandResult::Refused(messages::no_incident());
    }
    let name = given.text("REF|none");
    if name.eq_ignore_ascii_case("none") {
        turn.action = Some(CommandAction::Cause { change: None });
        return CommandResult::Done("no change caused it".to_owned());
    }
    let Some(change) = turn.change(name) else { return CommandResult::Misread(messages::no_change(name)) };
    let done = format!("caused by {change}");
    turn.action = Some(CommandAction::Cause { change: Some(change) });
    CommandResult::Done(done)
}
