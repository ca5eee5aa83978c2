//! `/help`: lists the commands that the sender may use here.

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
    name: "help",
    forms: &[&[]],
    least: Role::Read,
    place: Place::Anywhere,
    forks: true,
    help: "Lists the commands that you may use here",
    run,
};

fn run(turn: &mut Invocation<'_>, _: &Given) -> CommandResult {
    turn.action = Some(CommandAction::Show(Wanted::Help));
    CommandResult::Done(String::new())
}
