//! `/freeze`: freezes deployments to an environment, or to all, until a time.

use crate::{
    command::{
        Place, Row,
        grammar::{Given, Kind, Value, must},
        messages,
        run::{CommandResult, Invocation},
    },
    domain::{
        fact::command::{ALL, CommandAction},
        permission::Role,
        rule::name_key,
    },
};

pub(super) static ROW: Row = Row {
    name: "freeze",
    forms: &[&[must("ENV|all", Kind::Word), must("until", Kind::Key(Value::Time)), must("reason", Kind::Text)]],
    least: Role::Maintain,
    place: Place::Anywhere,
    forks: true,
    help: "Freezes an environment, or all, until a time",
    run,
};

fn run(turn: &mut Invocation<'_>, given: &Given) -> CommandResult {
    let environment = match name_key(given.text("ENV|all")) {
        all if all == ALL => all,
        name => match turn.environment(&name) {
            Ok(environment) => environment,
            Err(why) => return CommandResult::Misread(why),
        },
    };
    let Some(until) = given.time("until") else {
        return CommandResult::Misread(messages::usage("`until` is missing", &ROW, ""));
    };
    let done = format!("recorded until {}", messages::time(until, turn.policy));
    turn.guard(CommandAction::Freeze { environment, until, reason: given.text("reason").to_owned() });
    CommandResult::Done(done)
}
