//! `/unmute`: lets an incident speak again.

use super::{
    Place, Row,
    grammar::Given,
    run::{Answer, Turn},
    say,
};
use crate::domain::permission::Role;

pub(super) static ROW: Row = Row {
    name: "unmute",
    forms: &[&[]],
    least: Role::Triage,
    place: Place::Feedback,
    forks: true,
    help: "Lets the incident speak again",
    run,
};

fn run(_: &mut Turn<'_>, _: &Given) -> Answer {
    Answer::Refused(say::no_alerts())
}
