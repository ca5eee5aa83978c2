//! `/status`: shows the item's status comment.

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
    name: "status",
    forms: &[&[]],
    least: Role::Read,
    place: Place::Anywhere,
    forks: true,
    help: "Shows phase, environments, holds and locks, and keeps them up to date",
    run,
};

fn run(turn: &mut Invocation<'_>, _: &Given) -> CommandResult {
    turn.action = Some(CommandAction::Show(Wanted::Status));
    CommandResult::Done(String::new())
}
