//! `/locks`: lists every lock, freeze and hold of the repository.

use jiff::Timestamp;

use crate::{
    command::{
        Place, Row,
        grammar::Given,
        messages,
        run::{CommandResult, Invocation},
    },
    domain::{
        fact::command::{ALL, Guard},
        permission::Role,
        policy::{Mode, Policy},
    },
    gate::freeze_state,
    text::{
        links::Links,
        message::{moment, quoted, reason},
        times::Times,
    },
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
    rows.extend(bounded(calendar_freezes(policy, None, turn.now)));
    rows.extend(all(facts.held_items().into_iter().flat_map(|item| facts.holds(item)).collect(), messages::hold_line));
    if rows.is_empty() {
        return CommandResult::Answer("Nothing is locked, frozen or on hold.".to_owned());
    }
    let mut text = rows.iter().map(|row| format!("- {row}")).collect::<Vec<_>>().join("\n");
    if policy.mode != Mode::Act {
        text.push_str("\n\n");
        text.push_str(&messages::not_enforced(&Links::of(facts)));
    }
    CommandResult::Answer(text)
}

fn bounded(mut rows: Vec<String>) -> Vec<String> {
    let more = rows.len().saturating_sub(MOST_LISTED);
    rows.truncate(MOST_LISTED);
    rows.extend((more > 0).then(|| format!("and {more} more")));
    rows
}

/// Returns a sentence for each freeze of the policy's calendar in force; with `environment`, only
/// those that cover it.
pub(super) fn calendar_freezes(policy: &Policy, environment: Option<&str>, now: Timestamp) -> Vec<String> {
    let covers = |name: &str| environment.is_none_or(|environment| name == ALL || name == environment);
    let rules = policy.freezes.iter().filter(|rule| covers(&rule.environment));
    let frozen = rules.filter_map(|rule| {
        let (frozen, until) = freeze_state(rule, now);
        let until =
            until.filter(|_| frozen).map_or_else(String::new, |at| format!(" until {}", moment(at, &rule.zone)));
        frozen.then(|| {
            format!("{} is frozen by the policy{until}{}", quoted(&rule.environment), reason(rule.reason.as_deref()))
        })
    });
    frozen.collect()
}
