//! `/ack`: someone looks after an incident.

use super::{
    Place, Row,
    grammar::Given,
    run::{Answer, Turn},
    say,
};
use crate::domain::permission::Role;

pub(super) static ROW: Row = Row {
    name: "ack",
    forms: &[&[]],
    least: Role::Triage,
    place: Place::Feedback,
    forks: true,
    help: "Tells that you look after the incident",
    run,
};

fn run(_: &mut Turn<'_>, _: &Given) -> Answer {
    Answer::Refused(say::no_alerts())
}
