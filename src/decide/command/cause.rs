//! `/cause`: which change caused an incident.

use super::{
    Place, Row,
    grammar::{Given, Kind, must},
    run::{Answer, Turn},
    say,
};
use crate::domain::permission::Role;

pub(super) static ROW: Row = Row {
    name: "cause",
    forms: &[&[must("REF|none", Kind::Word)]],
    least: Role::Triage,
    place: Place::Feedback,
    forks: true,
    help: "Names the change that caused the incident, or `none`",
    run,
};

fn run(_: &mut Turn<'_>, _: &Given) -> Answer {
    Answer::Refused(say::no_alerts())
}
