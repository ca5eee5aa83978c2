//! `/unfreeze`: ends a freeze before its time.

use crate::{
    command::{
        Place, Row,
        grammar::{Given, Kind, must},
        messages,
        run::{CommandResult, Invocation},
    },
    domain::{fact::command::CommandAction, permission::Role, rule::name_key},
    text::message::quoted,
};

pub(super) static ROW: Row = Row {
    name: "unfreeze",
    forms: &[&[must("ENV|all", Kind::Word)]],
    least: Role::Maintain,
    place: Place::Anywhere,
    forks: true,
    help: "Ends a freeze that was set by `/freeze`",
    run,
};

fn run(turn: &mut Invocation<'_>, given: &Given) -> CommandResult {
    let environment = name_key(given.text("ENV|all"));
    let freezes = turn.facts.freezes(turn.now);
    let Some(freeze) = freezes.get(environment.as_str()) else {
        return CommandResult::Refused(messages::nothing_to_lift("unfreeze", &environment, &turn.environments()));
    };
    let done = format!("ended the freeze by {}", quoted(&freeze.by.login));
    turn.guard(CommandAction::Unfreeze { environment });
    CommandResult::Done(done)
}
