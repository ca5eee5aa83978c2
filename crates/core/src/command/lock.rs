//! `/lock`: asks that nothing be deployed to an environment.

use crate::{
    command::{
        Place, Row,
        grammar::{Given, Kind, Value, may, must},
        messages,
        run::{Answer, Turn},
    },
    domain::{
        fact::{command::Deed, lock::LockOwner},
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

fn run(turn: &mut Turn<'_>, given: &Given) -> Answer {
    let environment = match turn.environment(given.text("ENV")) {
        Ok(environment) => environment,
        Err(why) => return Answer::Misread(why),
    };
    let locks = turn.facts.locks(turn.now);
    if let Some(lock) = locks.get(environment.as_str()) {
        match lock.owner(&turn.request.by, Some(turn.id.item)) {
            LockOwner::Same => {}
            LockOwner::OtherItem(_) | LockOwner::Other => return Answer::Refused(messages::locked(lock, turn.policy)),
        }
    }
    let until = given.length("for").and_then(|length| turn.at.checked_add(length).ok());
    let done =
        until.map_or_else(|| "recorded".to_owned(), |at| format!("recorded until {}", messages::time(at, turn.policy)));
    turn.guard(Deed::Lock { environment, until, reason: given.optional("reason").map(str::to_owned) });
    Answer::Done(done)
}
