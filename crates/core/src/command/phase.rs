//! `/phase`: a person's word on the phase goes before the facts until then.

use crate::{
    command::{
        Place, Row,
        grammar::{Given, Kind, may, must},
        messages,
        run::{Answer, Turn},
    },
    domain::{fact::item::Word, permission::Role},
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

fn run(turn: &mut Turn<'_>, given: &Given) -> Answer {
    if given.has("auto") {
        return match turn.mark(Word::Auto, None) {
            Ok(()) => Answer::Done("the phase follows the facts again".to_owned()),
            Err(why) => Answer::Refused(why),
        };
    }
    let name = given.text("NAME");
    let Some(index) = turn.policy.phase_index(name) else {
        return Answer::Misread(messages::no_phase(turn.policy, name));
    };
    let (phase, pin) = (turn.policy.phases[index].name.clone(), given.has("pin"));
    if let Some(why) = turn.closed_for_phases().filter(|_| !pin) {
        return Answer::Refused(messages::closed(why));
    }
    let done = format!("{} {}", if pin { "pinned to" } else { "set to" }, quoted(&phase));
    match turn.mark(Word::Baseline { phase, pin }, given.optional("reason").map(str::to_owned)) {
        Ok(()) => Answer::Done(done),
        Err(why) => Answer::Refused(why),
    }
}
