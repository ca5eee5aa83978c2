//! `/hold`: holds releases and deployments that contain the item.

use crate::{
    command::{
        Place, Row,
        grammar::{Given, Kind, must},
        run::{CommandResult, Invocation},
    },
    domain::{fact::command::CommandAction, permission::Role},
    text::message::quoted,
};

pub(super) static ROW: Row = Row {
    name: "hold",
    forms: &[&[must("REASON", Kind::Text)]],
    least: Role::Triage,
    place: Place::Anywhere,
    forks: true,
    help: "Holds the item; several holds may stand. `/hold cancel` is `/unhold`",
    run,
};

fn run(turn: &mut Invocation<'_>, given: &Given) -> CommandResult {
    let commands = turn.facts.commands_on(turn.id.item);
    // Numbers are never reused, so that a late `/unhold` can't lift a newer hold.
    let last = commands.iter().filter_map(|(_, command)| match &command.action {
        Some(CommandAction::Hold { name, .. }) => name.strip_prefix('h')?.parse::<u32>().ok(),
        _ => None,
    });
    let name = format!("h{}", last.max().unwrap_or(0).saturating_add(1));
    let done = format!("recorded as {}", quoted(&name));
    turn.action = Some(CommandAction::Hold { name, reason: given.text("REASON").to_owned() });
    CommandResult::Done(done)
}
