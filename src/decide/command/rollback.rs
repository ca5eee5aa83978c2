//! `/rollback`: deploys the last good commit and locks the environment.

use super::{
    Place, Row,
    grammar::{Given, Kind, Value, may, must},
    run::{Answer, Turn},
    say,
};
use crate::domain::permission::Role;

pub(super) static ROW: Row = Row {
    name: "rollback",
    forms: &[&[must("ENV", Kind::Word), may("to", Kind::Key(Value::Ref))]],
    least: Role::Write,
    place: Place::Anywhere,
    forks: false,
    help: "Deploys the last good commit and locks the environment",
    run,
};

fn run(turn: &mut Turn<'_>, given: &Given) -> Answer {
    match turn.environment(given.text("ENV")) {
        Ok(environment) => Answer::Refused(say::no_deploys(turn.policy, &environment)),
        Err(why) => Answer::Misread(why),
    }
}
