//! `/promote`: deploys the commit that runs in the environment before.

use super::{
    Place, Row,
    grammar::{Given, Kind, must},
    run::{Answer, Turn},
    say,
};
use crate::domain::permission::Role;

pub(super) static ROW: Row = Row {
    name: "promote",
    forms: &[&[must("ENV", Kind::Word)]],
    least: Role::Write,
    place: Place::Anywhere,
    forks: false,
    help: "Deploys the very commit that runs in the environment before it",
    run,
};

fn run(turn: &mut Turn<'_>, given: &Given) -> Answer {
    match turn.environment(given.text("ENV")) {
        Ok(environment) => Answer::Refused(say::no_deploys(turn.policy, &environment)),
        Err(why) => Answer::Misread(why),
    }
}
