//! `/why`: what put the item into its phase, and what would move it on.

use super::{
    Place, Row,
    grammar::{Given, Kind, must},
    run::{Answer, Turn},
    say,
};
use crate::domain::{
    fact::command::{Deed, Wanted},
    permission::Role,
};

pub(super) static ROW: Row = Row {
    name: "why",
    forms: &[&[], &[must("release", Kind::Literal)], &[must("deploy", Kind::Literal), must("ENV", Kind::Word)]],
    least: Role::Read,
    place: Place::Anywhere,
    forks: true,
    help: "Explains the phase, or what a gate waits for",
    run,
};

fn run(turn: &mut Turn<'_>, given: &Given) -> Answer {
    if given.has("release") {
        return Answer::Refused(say::no_gates(turn.policy, "release"));
    }
    if let Some(name) = given.optional("ENV") {
        return match turn.environment(name) {
            Ok(environment) => Answer::Refused(say::no_gates(turn.policy, &environment)),
            Err(why) => Answer::Misread(why),
        };
    }
    turn.deed = Some(Deed::Show(Wanted::Why));
    Answer::Done(String::new())
}
