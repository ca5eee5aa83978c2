//! `/approve`: one of the approvals that a gate asks for.

use super::{
    Place, Row,
    grammar::{Given, Kind, must},
    run::{Answer, Turn},
    say,
};
use crate::domain::permission::Role;

pub(super) static ROW: Row = Row {
    name: "approve",
    forms: &[&[must("release", Kind::Literal)], &[must("deploy", Kind::Literal), must("ENV", Kind::Word)]],
    least: Role::Maintain,
    place: Place::Anywhere,
    forks: false,
    help: "Approves a release or a deployment that waits for it",
    run,
};

fn run(turn: &mut Turn<'_>, given: &Given) -> Answer {
    if given.has("release") {
        return Answer::Refused(say::no_gates(turn.policy, "release"));
    }
    match turn.environment(given.text("ENV")) {
        Ok(environment) => Answer::Refused(say::no_gates(turn.policy, &environment)),
        Err(why) => Answer::Misread(why),
    }
}
