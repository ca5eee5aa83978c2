//! `/locks`: lists every lock, freeze and hold of the repository.

use crate::{
    command::{
        Place, Row,
        grammar::Given,
        messages,
        run::{CommandResult, Invocation},
        status_comment::section,
    },
    domain::{permission::Role, policy::Mode},
};

pub(super) static ROW: Row = Row {
    name: "locks",
    forms: &[&[]],
    least: Role::Read,
    place: Place::Anywhere,
    forks: true,
    help: "Lists every lock, freeze and hold of the repository",
    run,
};

fn run(turn: &mut Invocation<'_>, _: &Given) -> CommandResult {
    let (facts, policy) = (&*turn.facts, turn.policy);
    let line = |guard: &_| format!("- {}", messages::guard(guard, policy));
    let locks: Vec<String> = facts.locks(turn.now).values().map(line).collect();
    let mut freezes: Vec<String> = facts.freezes(turn.now).values().map(line).collect();
    freezes.extend(messages::calendar_freezes(policy, None, turn.now).into_iter().map(|words| format!("- {words}")));
    let mut holds: Vec<String> = Vec::new();
    for item in facts.held_items() {
        holds.extend(facts.holds(item).iter().map(line));
    }
    let mut text = String::new();
    section(&mut text, "Locks", &locks);
    section(&mut text, "Freezes", &freezes);
    section(&mut text, "Holds", &holds);
    if text.is_empty() {
        return CommandResult::Told("Nothing is locked, frozen or on hold.".to_owned());
    }
    if policy.mode != Mode::Act {
        text.push('\n');
        text.push_str(messages::NOT_ENFORCED);
    }
    CommandResult::Told(text.trim().to_owned())
}
