//! `/why`: shows what put the item into its phase and what would move it on, or the state of a
//! gate.

use crate::{
    command::{
        Place, Row,
        gate::{self, DEPLOY, ENVIRONMENT, RELEASE},
        grammar::Given,
        messages,
        run::{CommandResult, Invocation},
    },
    domain::{
        fact::command::{CommandAction, Wanted},
        permission::Role,
    },
};

pub(super) static ROW: Row = Row {
    name: "why",
    forms: &[&[], &[RELEASE], &[DEPLOY, ENVIRONMENT]],
    least: Role::Read,
    place: Place::Anywhere,
    forks: true,
    help: "Explains the phase, or what a gate waits for",
    run,
};

fn run(turn: &mut Invocation<'_>, given: &Given) -> CommandResult {
    if !given.has(RELEASE.name) && !given.has(ENVIRONMENT.name) {
        turn.action = Some(CommandAction::Show(Wanted::Why));
        return CommandResult::Done(String::new());
    }
    if let Some(why) = messages::gates_off(turn.facts, turn.policy) {
        return CommandResult::Refused(why);
    }
    match gate::named(turn.policy, given) {
        Ok(Some(gate)) => {
            turn.action = Some(CommandAction::ShowGate { gate });
            CommandResult::Done(String::new())
        }
        Ok(None) => CommandResult::Misread(messages::usage("the gate is missing", &ROW, "")),
        Err(why) => CommandResult::Refused(why),
    }
}
