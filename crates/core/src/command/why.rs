//! `/why`: what put the item into its phase, and what would move it on; or
//! how a gate stands.

use crate::{
    command::{
        Place, Row,
        gate::{self, DEPLOY, ENVIRONMENT, RELEASE},
        grammar::Given,
        messages,
        run::{Answer, Turn},
    },
    domain::{
        fact::command::{Deed, Wanted},
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

fn run(turn: &mut Turn<'_>, given: &Given) -> Answer {
    if !given.has(RELEASE.name) && !given.has(ENVIRONMENT.name) {
        turn.deed = Some(Deed::Show(Wanted::Why));
        return Answer::Done(String::new());
    }
    if let Some(why) = messages::gates_off(turn.policy) {
        return Answer::Refused(why);
    }
    match gate::named(turn.policy, given) {
        Ok(Some(gate)) => {
            turn.deed = Some(Deed::ShowGate { gate });
            Answer::Done(String::new())
        }
        Ok(None) => Answer::Misread(messages::usage("the gate is missing", &ROW)),
        Err(why) => Answer::Refused(why),
    }
}
