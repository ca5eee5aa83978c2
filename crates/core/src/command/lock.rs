//! `/lock`: locks an environment against deployments.

use crate::{
    command::{
        Place, Row,
        grammar::{Given, Kind, Value, may, must},
        messages,
        run::{CommandResult, Invocation},
    },
    domain::{
        fact::{command::CommandAction, lock::LockOwner},
        permission::Role,
    },
};

pub(super) static ROW: Row = Row {
    name: "lock",
    forms: &[&[must("ENV", Kind::Word), may("for", Kind::Key(Value::Length)), may("reason", Kind::Text)]],
    least: Role::Write,
    place: Place::Anywhere,
    forks: true,
    help: "Locks an environment, for a time or until `/unlock`",
    run,
};

fn run(turn: &mut Invocation<'_>, given: &Given) -> CommandResult {
    let environment = match turn.environment(given.text("ENV")) {
        Ok(environment) => environment,
        Err(why) => return CommandResult::Misread(why),
    };
    let locks = turn.facts.locks(turn.now);
    if let Some(lock) = locks.get(environment.as_str()) {
        match lock.owner(&turn.request.by, Some(turn.id.item)) {
            LockOwner::Same => {}
            LockOwner::OtherItem(_) | LockOwner::Other => {
                return CommandResult::Refused(messages::locked(lock, turn.policy));
            }
        }
    }
    let until = given.length("for").and_then(|length| turn.at.checked_add(length).ok());
    let done =
        until.map_or_else(|| "recorded".to_owned(), |at| format!("recorded until {}", messages::time(at, turn.policy)));
    turn.guard(CommandAction::Lock { environment, until, reason: given.optional("reason").map(str::to_owned) });
    CommandResult::Done(done)
}
