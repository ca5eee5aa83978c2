//! `/mute`: keeps an incident quiet for a time.

use super::{
    Place, Row,
    grammar::{Given, Kind, may, must},
    run::{Answer, Turn},
    say,
};
use crate::domain::permission::Role;

pub(super) static ROW: Row = Row {
    name: "mute",
    forms: &[&[must("length", Kind::Length), may("reason", Kind::Text)]],
    least: Role::Triage,
    place: Place::Feedback,
    forks: true,
    help: "Keeps the incident quiet for a time",
    run,
};

fn run(_: &mut Turn<'_>, _: &Given) -> Answer {
    Answer::Refused(say::no_alerts())
}
