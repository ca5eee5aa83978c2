//! Status comment of an item: its state and whose turn it is, then what runs where, what holds it
//! back, and who ran which commands.
//!
//! It is derived like a label: rendered whenever the item is derived, and written if it differs
//! from the last text. It shows only the times of facts, so that the same facts give the same text.
//! Answers to `/why`, `/help`, `/metrics` and `/audit` stand in it until the next command.

mod deploys;
mod gates;
mod help;
mod history;
mod next_deploy;
mod pull;
mod state;
mod why;

use std::fmt::Write as _;

use jiff::Timestamp;

pub(crate) use crate::command::status_comment::pull::{showing_checks, want};

use crate::{
    command::{messages, services_section},
    commits::landing::{Landing, Work},
    context::EvalContext,
    domain::{
        decision::GateName,
        derived::Derived,
        fact::{
            RepoFacts,
            command::{CommandAction, CommandFacts, CommandId, Guard, Wanted},
        },
        id::{ItemId, Sha},
        policy::{Mode, Policy},
    },
    incident,
    text::{links::Links, message::quoted, times::Times},
};

/// Limit on each list of linked items, environments or guards.
const MOST_LISTED: usize = 20;

/// Returns whether an item has a status comment: commands ran there, or a rollback took it out of
/// production.
pub fn is_wanted(facts: &RepoFacts, item: ItemId) -> bool {
    if facts.requests.index().by_taken_back.of(&item).next().is_some() {
        return true;
    }
    facts.commands_on(item).iter().any(|(_, command)| {
        command.action.as_ref().is_some_and(CommandAction::needs_status_comment)
            || (!command.is_noise() && command.reply.as_ref().is_some_and(|reply| reply.marker.is_none()))
    })
}

/// Returns the text of an item's status comment, if it has one.
pub fn render(facts: &RepoFacts, derived: &Derived, policy: &Policy, now: Timestamp) -> Option<String> {
    if !is_wanted(facts, derived.item) {
        return None;
    }
    let eval = EvalContext::new(facts, policy, now);
    let comment = StatusComment::new(&eval, derived);
    let mut text = comment.state();
    comment.guards(&mut text);
    let services = services_section::rows(&eval, derived);
    if !services.is_empty() {
        text.push_str("\n**By service**\n");
        list(&mut text, &services);
    }
    comment.environments(&mut text);
    comment.links(&mut text);
    if comment.is_asked(&CommandAction::Show(Wanted::Why)).is_some() {
        comment.why(&mut text);
    }
    comment.gates(&mut text);
    comment.figures(&mut text);
    if let Some(command) = comment.is_asked(&CommandAction::Show(Wanted::Help)) {
        comment.help(&mut text, command);
    }
    comment.history(&mut text);
    Some(comment.links.dress(text.trim_end()))
}

struct StatusComment<'a, 'f> {
    eval: &'a EvalContext<'f>,
    derived: &'a Derived,
    commands: Vec<(&'f CommandId, &'f CommandFacts)>,
    /// Where the item's change, or the changes of an issue, have landed.
    landings: Vec<Landing>,
    links: Links,
    times: Times,
}

impl<'a, 'f> StatusComment<'a, 'f> {
    fn new(eval: &'a EvalContext<'f>, derived: &'a Derived) -> Self {
        let (facts, number) = (eval.facts, derived.item);
        let commands = facts.commands_on(number);
        let works = match facts.pull(number) {
            Some(_) => [Work::Pull(number)].into(),
            None => eval.works_on(number),
        };
        let landings: Vec<Landing> = works.iter().flat_map(|work| eval.landings(work).to_vec()).collect();
        let requests = facts.open_requests().filter(|(_, request)| request.item() == Some(number));
        let runs = eval.environments().iter().filter_map(|place| eval.history(place.name).current());
        let newest = commands.iter().map(|(_, command)| command.at);
        let newest = newest.chain(derived.since).chain(requests.map(|(_, request)| request.since));
        let newest = newest.chain(runs.map(|run| run.from)).max().unwrap_or(eval.now);
        let times = Times::new(&eval.policy.commands.zone, newest);
        Self { eval, derived, commands, landings, links: Links::of(facts), times }
    }

    /// Returns the command of the newest comment that asked for this, if there is one.
    fn is_asked(&self, action: &CommandAction) -> Option<&'f CommandFacts> {
        self.newest().map(|(_, command)| command).find(|command| command.action.as_ref() == Some(action))
    }

    /// Returns the gates that the newest comment asked about.
    fn asked_gates(&self) -> impl Iterator<Item = &'f GateName> {
        self.newest().filter_map(|(_, command)| match &command.action {
            Some(CommandAction::ShowGate { gate }) => Some(gate),
            _ => None,
        })
    }

    /// Adds the delivery metrics that the newest comment asked for last, as they were then.
    fn figures(&self, text: &mut String) {
        let tables = self.newest().filter_map(|(_, command)| match &command.action {
            Some(CommandAction::ShowMetrics { table }) => Some((command.at, table)),
            _ => None,
        });
        if let Some((at, table)) = tables.last() {
            let _ = writeln!(text, "\n{table} As of {}.", self.times.at(at));
        }
    }

    /// Returns the commands of the newest comment that did something or asked for something.
    fn newest(&self) -> impl Iterator<Item = (&'f CommandId, &'f CommandFacts)> {
        let counts = |command: &CommandFacts| command.action.is_some() || !command.is_noise();
        let last = self.commands.iter().rev().find(|(_, command)| counts(command)).map(|(id, _)| id.source);
        self.commands.clone().into_iter().filter(move |(id, _)| Some(id.source) == last)
    }

    /// Returns whether a commit contains the item's change; `None` if that is not known.
    fn carries(&self, sha: &Sha) -> Option<bool> {
        let is_head = self.eval.facts.pull(self.derived.item).is_some_and(|pull| pull.heads.contains_key(sha));
        if is_head {
            return Some(true);
        }
        let landings = self.landings.iter().filter(|landing| landing.until.is_none());
        let known: Vec<Option<bool>> = landings.map(|landing| self.eval.known_to_contain(sha, &landing.sha)).collect();
        if known.contains(&Some(true)) {
            return Some(true);
        }
        (!known.is_empty() && known.iter().all(|known| *known == Some(false))).then_some(false)
    }

    fn guards(&self, text: &mut String) {
        let facts = self.eval.facts;
        let all = |guards: Vec<Guard<'f>>, line: fn(&Guard<'_>, &Times) -> String| {
            guards.iter().map(|guard| format!("- {}", line(guard, &self.times))).collect::<Vec<_>>()
        };
        let mut rows = all(facts.holds(self.derived.item), messages::hold_line);
        rows.extend(all(facts.locks(self.eval.now).into_values().collect(), messages::lock_line));
        rows.extend(all(facts.freezes(self.eval.now).into_values().collect(), messages::freeze_line));
        if rows.is_empty() {
            return;
        }
        list(text, &rows);
        if self.eval.policy.mode != Mode::Act {
            let _ = writeln!(text, "\n{}", messages::not_enforced(&self.links));
        }
    }

    /// Adds the linked items, and the zone of all times.
    fn links(&self, text: &mut String) {
        let number = self.derived.item;
        let pull = self.eval.facts.pull(number).is_some();
        let linked: Vec<ItemId> = if pull {
            self.eval.named_issues(number)
        } else {
            let works = self.eval.works_on(number).into_iter();
            works.filter_map(|work| if let Work::Pull(pull) = work { Some(pull) } else { None }).collect()
        };
        let suspected: Vec<ItemId> = incident::suspected_in(self.eval, number).into_iter().collect();
        let mut parts: Vec<String> = Vec::new();
        if !suspected.is_empty() {
            parts.push(format!("🔥 Suspected of {}", numbers(&suspected)));
        }
        if !linked.is_empty() {
            parts.push(format!("{} {}", if pull { "Closes" } else { "Worked on in" }, numbers(&linked)));
        }
        parts.extend(self.way_to_merge());
        parts.push(format!("{} in {}", if parts.is_empty() { "Times" } else { "times" }, self.times.note()));
        let _ = writeln!(text, "\n{}", parts.join(" · "));
    }
}

impl StatusComment<'_, '_> {
    /// Returns the place of an open pull request in its stack and in the merge queue.
    fn way_to_merge(&self) -> Vec<String> {
        let number = self.derived.item;
        let is_open = self.eval.facts.items.get(&number).is_some_and(|item| item.closed(self.eval.now).is_none());
        let Some(pull) = self.eval.facts.pull(number).filter(|_| is_open) else { return Vec::new() };
        let mut parts = Vec::new();
        if let Some(place) = pull.stack() {
            let which = match (place.position, place.size) {
                (Some(position), Some(size)) => format!("{position} of {size} in a stack"),
                _ => "In a stack".to_owned(),
            };
            parts.push(format!("{which} onto {}", quoted(&place.base)));
        }
        let position = self.eval.queue_position(number);
        if pull.queued.as_ref().map_or(position.is_some(), |queued| queued.value) {
            let queue = pull.target().map_or_else(String::new, |target| format!(" of {}", quoted(target)));
            parts.push(match position {
                Some(position) => format!("Position {position} in the merge queue{queue}"),
                None => format!("In the merge queue{queue}"),
            });
        }
        parts
    }
}

/// Lists the first few of these items, and the number of the others.
fn numbers(items: &[ItemId]) -> String {
    let names: Vec<String> = items.iter().take(MOST_LISTED).map(|n| format!("#{n}")).collect();
    let more = items.len().saturating_sub(MOST_LISTED);
    if more == 0 { names.join(", ") } else { format!("{} and {more} more", names.join(", ")) }
}

/// Adds a list, cut to a bounded length.
fn list(text: &mut String, rows: &[String]) {
    let _ = writeln!(text);
    for row in rows.iter().take(MOST_LISTED) {
        let _ = writeln!(text, "{row}");
    }
    let more = rows.len().saturating_sub(MOST_LISTED);
    if more > 0 {
        let _ = writeln!(text, "- and {more} more");
    }
}
