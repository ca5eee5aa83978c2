//! `/release publish`: publishes a draft release through its gate.

use super::{
    Place, Row,
    grammar::{Given, Kind, must},
    run::{Answer, Turn},
    say,
};
use crate::domain::permission::Role;

pub(super) static ROW: Row = Row {
    name: "release",
    forms: &[&[must("publish", Kind::Literal), must("TAG", Kind::Word)]],
    least: Role::Maintain,
    place: Place::Anywhere,
    forks: false,
    help: "Publishes the draft release of a tag through its gate",
    run,
};

fn run(turn: &mut Turn<'_>, _: &Given) -> Answer {
    Answer::Refused(say::no_deploys(turn.policy, "release"))
}
