//! `/deploy`: brings a commit to an environment.

use super::{
    Place, Row,
    grammar::{Given, Kind, Value, may, must},
    run::{Answer, Turn},
    say,
};
use crate::domain::permission::Role;

pub(super) static ROW: Row = Row {
    name: "deploy",
    forms: &[&[
        must("ENV", Kind::Word),
        may("ref", Kind::Key(Value::Ref)),
        may("key=value", Kind::Pairs),
        may("dry-run", Kind::Flag),
    ]],
    least: Role::Write,
    place: Place::Anywhere,
    forks: false,
    help: "Deploys to an environment; `dry-run` tells what would happen",
    run,
};

fn run(turn: &mut Turn<'_>, given: &Given) -> Answer {
    match turn.environment(given.text("ENV")) {
        Ok(environment) => Answer::Refused(say::no_deploys(turn.policy, &environment)),
        Err(why) => Answer::Misread(why),
    }
}
