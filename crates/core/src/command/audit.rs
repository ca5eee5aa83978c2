//! `/audit`: shows who ran which commands on the item.

use crate::{
    command::{
        Place, Row,
        grammar::Given,
        run::{CommandResult, Invocation},
    },
    domain::{
        fact::command::{CommandAction, Wanted},
        permission::Role,
    },
};

pub(super) static ROW: Row = Row {
    name: "audit",
    forms: &[&[]],
    least: Role::Write,
    place: Place::Anywhere,
    forks: true,
    help: "Shows who ran which commands here, by what right, and with what result",
    run,
};

fn run(turn: &mut Invocation<'_>, _: &Given) -> CommandResult {
    turn.action = Some(CommandAction::Show(Wanted::Audit));
    CommandResult::Done(String::new())
}
