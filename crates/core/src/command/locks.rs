//! `/locks`: lists every lock, freeze and hold of the repository.

use crate::{
    command::{
        Place, Row,
        grammar::Given,
        messages,
        run::{CommandResult, Invocation},
    },
    domain::{fact::command::Guard, permission::Role, policy::Mode},
    text::{links::Links, times::Times},
};

/// Limit on each list.
const MOST_LISTED: usize = 20;

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
    let times = Times::new(&policy.commands.zone, turn.now);
    let all = |guards: Vec<Guard<'_>>, line: fn(&Guard<'_>, &Times) -> String| {
        bounded(guards.iter().map(|guard| line(guard, &times)).collect())
    };
    let mut rows = all(facts.locks(turn.now).into_values().collect(), messages::lock_line);
    rows.extend(all(facts.freezes(turn.now).into_values().collect(), messages::freeze_line));
    rows.extend(bounded(messages::calendar_freezes(policy, None, turn.now)));
    rows.extend(all(facts.held_items().into_iter().flat_map(|item| facts.holds(item)).collect(), messages::hold_line));
    if rows.is_empty() {
        return CommandResult::Told("Nothing is locked, frozen or on hold.".to_owned());
    }
    let mut text = rows.iter().map(|row| format!("- {row}")).collect::<Vec<_>>().join("\n");
    if policy.mode != Mode::Act {
        text.push_str("\n\n");
        text.push_str(&messages::not_enforced(&Links::of(facts)));
    }
    CommandResult::Told(text)
}

fn bounded(mut rows: Vec<String>) -> Vec<String> {
    let more = rows.len().saturating_sub(MOST_LISTED);
    rows.truncate(MOST_LISTED);
    rows.extend((more > 0).then(|| format!("and {more} more")));
    rows
}
