//! `/milestone`: puts an item into an open milestone by its title, or removes it from one.

use crate::{
    command::{
        Place, Row,
        grammar::{Given, Kind, must},
        run::{CommandResult, Invocation},
    },
    domain::{effect::Effect, permission::Role},
};

pub(super) static ROW: Row = Row {
    name: "milestone",
    forms: &[&[must("NAME", Kind::Text)]],
    least: Role::Triage,
    place: Place::Anywhere,
    forks: true,
    help: "Sets an open milestone; `none` removes it",
    run,
};

fn run(turn: &mut Invocation<'_>, given: &Given) -> CommandResult {
    let name = given.text("NAME");
    let milestone = (!name.eq_ignore_ascii_case("none")).then(|| name.to_owned());
    CommandResult::Effect(Box::new(Effect::SetMilestone { item: turn.id.item, milestone, command: turn.id }))
}
