//! `/status`: how the item stands.

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
    name: "status",
    forms: &[&[]],
    least: Role::Read,
    place: Place::Anywhere,
    forks: true,
    help: "Shows phase, environments, holds and locks, and keeps them up to date",
    run,
};

fn run(turn: &mut Turn<'_>, _: &Given) -> Answer {
    turn.deed = Some(Deed::Show(Wanted::Status));
    Answer::Done(String::new())
}
