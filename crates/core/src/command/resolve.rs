//! `/resolve`: an incident is over.

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
    name: "resolve",
    forms: &[&[]],
    least: Role::Triage,
    place: Place::Feedback,
    forks: true,
    help: "Ends the incident",
    run,
};

fn run(turn: &mut Turn<'_>, _: &Given) -> Answer {
    if !turn.shows_incident() {
        return Answer::Refused(messages::no_incident());
    }
    turn.deed = Some(Deed::Resolve);
    Answer::Done("recorded; it counts again if the alert fires anew".to_owned())
}
