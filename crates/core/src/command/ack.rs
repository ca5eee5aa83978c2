//! `/ack`: someone looks after an incident.

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
    name: "ack",
    forms: &[&[]],
    least: Role::Triage,
    place: Place::Feedback,
    forks: true,
    help: "Tells that you look after the incident",
    run,
};

fn run(turn: &mut Turn<'_>, _: &Given) -> Answer {
    if !turn.shows_incident() {
        return Answer::Refused(messages::no_incident());
    }
    turn.deed = Some(Deed::Ack);
    Answer::Done("recorded".to_owned())
}
