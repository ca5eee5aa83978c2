//! `/freeze`: asks that nothing be deployed until a time.

use crate::{
    command::{
        Place, Row,
        grammar::{Given, Kind, Value, must},
        messages,
        run::{Answer, Turn},
    },
    domain::{
        fact::command::{ALL, Deed},
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

fn run(turn: &mut Turn<'_>, given: &Given) -> Answer {
    let environment = match name_key(given.text("ENV|all")) {
        all if all == ALL => all,
        name => match turn.environment(&name) {
            Ok(environment) => environment,
            Err(why) => return Answer::Misread(why),
        },
    };
    let Some(until) = given.time("until") else { return Answer::Misread(messages::usage("`until` is missing", &ROW)) };
    let done = format!("recorded until {}", messages::time(until, turn.policy));
    turn.guard(Deed::Freeze { environment, until, reason: given.text("reason").to_owned() });
    Answer::Done(done)
}
