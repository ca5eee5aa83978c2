//! `/unhold`: lifts a hold by its name, the only hold if no name is given, or all.

use crate::{
    command::{
        Place, Row,
        grammar::{Given, Kind, may},
        messages,
        run::{CommandResult, Invocation},
    },
    domain::{fact::command::CommandAction, permission::Role},
};

pub(super) static ROW: Row = Row {
    name: "unhold",
    forms: &[&[may("ID", Kind::Word)]],
    least: Role::Triage,
    place: Place::Anywhere,
    forks: true,
    help: "Lifts the hold; of several the named one, or `all`",
    run,
};

fn run(turn: &mut Invocation<'_>, given: &Given) -> CommandResult {
    // A command that waited or came late does not lift a hold that was written after it.
    let mut standing = turn.facts.holds(turn.id.item);
    standing.retain(|hold| hold.since <= turn.at);
    let wanted = given.optional("ID");
    let names: Vec<String> = match (wanted, standing.as_slice()) {
        (None, [only]) => vec![only.name.to_owned()],
        (None, _) => Vec::new(),
        (Some(name), all) if name.eq_ignore_ascii_case("all") => all.iter().map(|hold| hold.name.to_owned()).collect(),
        (Some(name), all) => {
            all.iter().filter(|hold| hold.name.eq_ignore_ascii_case(name)).map(|hold| hold.name.to_owned()).collect()
        }
    };
    if names.is_empty() {
        return CommandResult::Refused(messages::no_hold(wanted, &standing));
    }
    let done = format!("lifted {}", messages::list(names.iter().map(String::as_str)));
    turn.action = Some(CommandAction::Unhold { names });
    CommandResult::Done(done)
}
