//! `/override`: lets a gate pass although a condition does not hold.

use super::{
    Place, Row,
    grammar::{Given, Kind, must},
    run::{Answer, Turn},
    say,
};
use crate::domain::permission::Role;

pub(super) static ROW: Row = Row {
    name: "override",
    forms: &[&[must("CONDITION", Kind::Words), must("reason", Kind::After)]],
    least: Role::Maintain,
    place: Place::Anywhere,
    forks: false,
    help: "Lets a gate pass without the named conditions, for a time",
    run,
};

fn run(turn: &mut Turn<'_>, _: &Given) -> Answer {
    Answer::Refused(say::no_gates(turn.policy, "release"))
}
