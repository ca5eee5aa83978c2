//! `/audit`: who ran what on the item.

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
    name: "audit",
    forms: &[&[]],
    least: Role::Write,
    place: Place::Anywhere,
    forks: true,
    help: "Shows who ran what here, by what right, and what came of it",
    run,
};

fn run(turn: &mut Turn<'_>, _: &Given) -> Answer {
    turn.deed = Some(Deed::Show(Wanted::Audit));
    Answer::Done(String::new())
}
