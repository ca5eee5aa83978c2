//! `/phase`: a person's override of the phase, which outranks the facts until then.

use crate::{
    command::{
        Place, Row,
        grammar::{Given, Kind, may, must},
        messages,
        run::{CommandResult, Invocation},
    },
    domain::{fact::item::OverrideKind, permission::Role},
    text::message::quoted,
};

pub(super) static ROW: Row = Row {
    name: "phase",
    forms: &[
        &[must("auto", Kind::Literal)],
        &[must("NAME", Kind::Word), may("pin", Kind::Flag), may("reason", Kind::Text)],
    ],
    least: Role::Triage,
    place: Place::Anywhere,
    forks: true,
    help: "Sets the phase; `pin` keeps it there; `auto` follows the facts again",
    run,
};

fn run(turn: &mut Invocation<'_>, given: &Given) -> CommandResult {
    if given.has("auto") {
        return match turn.mark(OverrideKind::Auto, None) {
            Ok(()) => CommandResult::Done("the phase follows the facts again".to_owned()),
            Err(why) => CommandResult::Refused(why),
        };
    }
    let name = given.text("NAME");
    // The label names its phase, too.
    let index = turn.policy.phase_index(name).or_else(|| turn.policy.label_index(name));
    let Some(index) = index else {
        return CommandResult::Misread(messages::no_phase(turn.policy, name));
    };
    let (phase, pin) = (turn.policy.phases[index].name.clone(), given.has("pin"));
    if let Some(why) = turn.closed_for_phases().filter(|_| !pin) {
        return CommandResult::Refused(messages::closed(why));
    }
    let done = format!("{} {}", if pin { "pinned to" } else { "set to" }, quoted(&phase));
    match turn.mark(OverrideKind::Baseline { phase, pin }, given.optional("reason").map(str::to_owned)) {
        Ok(()) => CommandResult::Done(done),
        Err(why) => CommandResult::Refused(why),
    }
}
