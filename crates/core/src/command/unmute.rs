//! `/unmute`: lets an incident speak again.

use crate::{
    command::{
        Place, Row,
        grammar::Given,
        messages,
        run::{Answer, Turn},
    },
    domain::{fact::command::Deed, permission::Role},
};

pub(super) static ROW: Row = Row {
    name: "unmute",
    forms: &[&[]],
    least: Role::Triage,
    place: Place::Feedback,
    forks: true,
    help: "Lets the incident speak again",
    run,
};

fn run(turn: &mut Turn<'_>, _: &Given) -> Answer {
    if !turn.shows_incident() {
        return Answer::Refused(messages::no_incident());
    }
    turn.deed = Some(Deed::Unmute);
    Answer::Done("recorded".to_owned())
}
