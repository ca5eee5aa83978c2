//! `/assign`: assigns people to an item; without names, the sender.

use crate::{
    command::{
        Place, Row,
        grammar::{Given, Kind, may},
        messages,
        run::{CommandResult, Invocation},
    },
    domain::{effect::Effect, permission::Role},
};

/// Limit on the assignees of one item, which GitHub sets.
const MOST: usize = 10;

pub(super) static ROW: Row = Row {
    name: "assign",
    forms: &[&[may("user", Kind::Users)]],
    least: Role::Triage,
    place: Place::Anywhere,
    forks: true,
    help: "Assigns people; without names, you",
    run,
};

fn run(turn: &mut Invocation<'_>, given: &Given) -> CommandResult {
    let mut logins = given.words("user").to_vec();
    if logins.is_empty() {
        logins.push(turn.request.by.login.clone());
    }
    if logins.len() > MOST {
        return CommandResult::Misread(messages::too_many_people(MOST));
    }
    CommandResult::Effect(Box::new(Effect::Assign { item: turn.id.item, logins, command: Some(turn.id) }))
}
