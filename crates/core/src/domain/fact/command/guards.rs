//! Holds, locks and freezes, derived from the records of commands.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::domain::{
    decision::GateName,
    fact::{
        RepoFacts,
        command::{CommandAction, CommandFacts, CommandId, Guard, Source},
        item::ItemFacts,
    },
    id::{ItemId, Sha},
};

impl RepoFacts {
    /// Returns the commands on an item, oldest first.
    pub fn commands_on(&self, item: ItemId) -> Vec<(&CommandId, &CommandFacts)> {
        let first = CommandId { item, source: Source::Comment(0), index: 0 };
        let mut found: Vec<_> = self.commands.range(first..).take_while(|(id, _)| id.item == item).collect();
        found.sort_by_key(|(id, facts)| (facts.at, **id));
        found
    }

    /// Returns the holds in force on an item, oldest first. Closing the item without its change
    /// having landed also ends its holds.
    pub fn holds(&self, item: ItemId) -> Vec<Guard<'_>> {
        let commands = self.commands_on(item);
        let given_up = self.items.get(&item).and_then(ItemFacts::given_up_at);
        let lifted: Vec<&String> = commands
            .iter()
            .filter_map(|(_, facts)| match &facts.action {
                Some(CommandAction::Unhold { names }) => Some(names),
                _ => None,
            })
            .flatten()
            .collect();
        let holds = commands.into_iter().filter_map(|(id, facts)| match &facts.action {
            Some(CommandAction::Hold { name, reason }) => Some(Guard {
                name,
                by: &facts.by,
                since: facts.at,
                until: None,
                reason: Some(reason),
                item: id.item,
                binds_all: false,
            }),
            _ => None,
        });
        let stands = |hold: &Guard<'_>| given_up.is_none_or(|at| at < hold.since);
        holds.filter(|hold| stands(hold) && !lifted.iter().any(|name| *name == hold.name)).collect()
    }

    /// Returns the locks in force at `now`, by environment.
    pub fn locks(&self, now: Timestamp) -> BTreeMap<&str, Guard<'_>> {
        let index = self.commands.index();
        let locked = index.locks.properties().chain(self.requests.index().rollbacks.properties());
        locked.filter_map(|environment| Some((environment.as_str(), self.lock(environment, now)?))).collect()
    }

    /// Returns the lock of an environment (lower case) in force at `now`.
    pub fn lock(&self, environment: &str, now: Timestamp) -> Option<Guard<'_>> {
        // A rollback's lock takes precedence over a person's: it binds everyone.
        self.rollback_lock(environment).or_else(|| {
            self.guard(self.commands.index().locks.of(environment).next_back()?, now, |id, facts| match &facts.action {
                Some(CommandAction::Lock { environment, until, reason }) => {
                    Some(guard(id, facts, environment, *until, reason.as_deref()))
                }
                _ => None,
            })
        })
    }

    /// Returns the freezes by command in force at `now`, by environment or
    /// [`ALL`](crate::domain::fact::command::ALL).
    pub fn freezes(&self, now: Timestamp) -> BTreeMap<&str, Guard<'_>> {
        let frozen = self.commands.index().freezes.properties();
        frozen.filter_map(|environment| Some((environment.as_str(), self.freeze(environment, now)?))).collect()
    }

    fn freeze(&self, environment: &str, now: Timestamp) -> Option<Guard<'_>> {
        self.guard(self.commands.index().freezes.of(environment).next_back()?, now, |id, facts| match &facts.action {
            Some(CommandAction::Freeze { environment, until, reason }) => {
                Some(guard(id, facts, environment, Some(*until), Some(reason)))
            }
            _ => None,
        })
    }

    /// Returns the guard that the last command sets, if its time is not up, and the item that it
    /// was set on was not closed since.
    fn guard<'a>(
        &'a self,
        (_, last): &(Timestamp, CommandId),
        now: Timestamp,
        sets: impl FnOnce(&CommandId, &'a CommandFacts) -> Option<Guard<'a>>,
    ) -> Option<Guard<'a>> {
        let guard = sets(last, self.commands.get(last)?)?;
        let item = self.items.get(&guard.item);
        let freed = item.is_some_and(|item| item.closings.range(guard.since..=now).next().is_some());
        (guard.until.is_none_or(|until| until > now) && !freed).then_some(guard)
    }

    /// Returns the items on which a hold was ever set.
    pub fn held_items(&self) -> BTreeSet<ItemId> {
        self.commands.index().holds.iter().map(|id| id.item).collect()
    }

    /// Returns the approvals and overrides of a commit at a gate.
    pub fn words_at_gate(&self, gate: &GateName, sha: &Sha) -> Vec<&CommandFacts> {
        let ids = self.commands.index().at_gate.of(&(gate.clone(), sha.clone()));
        ids.filter_map(|id| self.commands.get(id)).collect()
    }

    /// Returns the head commit of a pull request as it was known at `at`: from the newest state if
    /// that is not later than `at`, else by the time when each commit was first seen as the head.
    pub fn head_at(&self, pull: ItemId, at: Timestamp) -> Option<&Sha> {
        let facts = self.pull(pull)?;
        if let Some(shape) = facts.shape.as_ref().filter(|shape| shape.at <= at) {
            return Some(&shape.value.head_sha);
        }
        let heads = &facts.heads;
        heads.iter().filter(|(_, since)| **since <= at).max_by_key(|(sha, since)| (**since, *sha)).map(|(sha, _)| sha)
    }
}

fn guard<'a>(
    id: &CommandId,
    facts: &'a CommandFacts,
    name: &'a str,
    until: Option<Timestamp>,
    reason: Option<&'a str>,
) -> Guard<'a> {
    Guard { name, by: &facts.by, since: facts.at, until, reason, item: id.item, binds_all: false }
}
