//! `/resolve`: an incident is over.

use super::{
    Place, Row,
    grammar::Given,
    run::{Answer, Turn},
    say,
};
use crate::domain::permission::Role;

pub(super) static ROW: Row = Row {
    name: "resolve",
    forms: &[&[]],
    least: Role::Triage,
    place: Place::Feedback,
    forks: true,
    help: "Ends the incident",
    run,
};

fn run(_: &mut Turn<'_>, _: &Given) -> Answer {
    Answer::Refused(say::no_alerts())
}
