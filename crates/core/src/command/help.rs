//! `/help`: which commands the asker may use here.

use crate::{
    command::{
        Place, Row,
        grammar::Given,
        run::{Answer, Turn},
    },
    domain::{
        fact::command::{Deed, Wanted},
        permission::Role,
    },
};

pub(super) static ROW: Row = Row {
    name: "help",
    forms: &[&[]],
    least: Role::Read,
    place: Place::Anywhere,
    forks: true,
    help: "Lists the commands that you may use here",
    run,
};

fn run(turn: &mut Turn<'_>, _: &Given) -> Answer {
    turn.deed = Some(Deed::Show(Wanted::Help));
    Answer::Done(String::new())
}
