//! Limits on the number of stored command records.
//!
//! Anyone may write comments, so the limits for people without permissions are low. A record also
//! ensures that a command runs only once: when a record is removed, a mark stays on its item, and
//! nothing that its author wrote up to then runs any more.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::domain::{
    fact::{
        DocumentKey, RepoFacts,
        command::{CommandAction, CommandFacts, CommandId, Ending, Evidence},
    },
    id::{Account, ItemId},
    permission::Role,
};

/// Maximum number of records that change nothing, for one person without permissions in a
/// repository.
const MOST_OF_STRANGER: usize = 20;
/// Maximum number of such records for all people without permissions together.
const MOST_OF_STRANGERS: usize = 500;
/// Maximum number of records that change nothing, for one person with permissions on an item.
const MOST_PASSING: usize = 200;
/// Maximum number of records that evaluations depend on, such as holds and approvals, for one
/// person on an item.
pub const MOST_LASTING: usize = 500;
/// Maximum number of people with a mark of their own on an item.
const MOST_MARKS: usize = 16;
/// Minimum time for which a record of an answer in a comment is kept.
const ANSWER_REMEMBERED: SignedDuration = SignedDuration::from_hours(1);

/// Returns the key under which a person's records are found: the account's id, or its login in a
/// record where an earlier version stored only that.
pub(super) fn person(by: &Account) -> String {
    by.id.map_or_else(|| format!("@{}", by.login.to_lowercase()), |id| id.0.to_string())
}

impl Evidence {
    /// Returns true if the forge reported any permission beyond reading. A permission that it did
    /// not report counts as none.
    pub fn gives_rights(&self) -> bool {
        self.role.is_some_and(|role| role >= Role::Triage) || self.teams.values().any(|member| *member == Some(true))
    }
}

impl CommandFacts {
    /// Returns true if nothing depends on the record except that the command ran.
    pub fn is_passing(&self) -> bool {
        let shows = matches!(self.action, None | Some(CommandAction::Show(_) | CommandAction::ShowMetrics { .. }));
        self.ending != Ending::Pending && shows
    }

    /// Returns true for such a record of someone without permissions.
    pub fn is_noise(&self) -> bool {
        self.is_passing() && !self.evidence.gives_rights()
    }
}

/// Times up to which the records of processed commands on an item are gone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandMarks {
    /// For everyone.
    #[serde(default)]
    everyone: Option<Timestamp>,
    /// For these people, by the key of their records.
    #[serde(default)]
    people: BTreeMap<String, Timestamp>,
}

impl CommandMarks {
    /// Returns true if every record of the item is there.
    pub fn is_empty(&self) -> bool {
        self.everyone.is_none() && self.people.is_empty()
    }

    /// Returns true if a comment of this person and time may have been processed and its records
    /// removed.
    pub fn covers(&self, by: &Account, at: Timestamp) -> bool {
        self.everyone.max(self.people.get(&person(by)).copied()) >= Some(at)
    }

    fn set(&mut self, by: &Account, at: Timestamp) {
        let mark = self.people.entry(person(by)).or_insert(at);
        *mark = at.max(*mark);
        while self.people.len() > MOST_MARKS {
            // Merging the oldest mark into everyone's affects others the least.
            let Some((oldest, at)) = self.people.iter().min_by_key(|(who, at)| (**at, *who)) else { return };
            let (oldest, at) = (oldest.clone(), *at);
            self.people.remove(&oldest);
            self.everyone = self.everyone.max(Some(at));
        }
    }
}

/// A person's recent commands in a repository, as far as they are stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recent {
    /// Number of commands within the hour that changed nothing and whose author had no permissions.
    pub noise_in_hour: usize,
    /// Number of those within the minute for which the forge reported a role.
    pub refused_in_minute: usize,
    /// Number of all commands within the minute.
    pub in_minute: usize,
    /// True if we posted a reply within the hour that nobody with permission had asked for.
    pub answered: bool,
}

impl RepoFacts {
    /// Counts a person's commands within the hour before `at`.
    pub fn said_lately(&self, by: &Account, at: Timestamp) -> Recent {
        let mut recent = Recent::default();
        let before = |span: SignedDuration| at.checked_sub(span).unwrap_or(Timestamp::MIN);
        let (hour, minute) = (before(SignedDuration::from_hours(1)), before(SignedDuration::from_mins(1)));
        let newest_first = self.commands.index().by_person.of(&person(by)).rev();
        for (said_at, id) in newest_first.skip_while(|(said_at, _)| *said_at > at) {
            if *said_at <= hour {
                break;
            }
            let Some(command) = self.commands.get(id) else { continue };
            let noise = command.is_noise();
            let in_minute = *said_at > minute;
            recent.in_minute += usize::from(in_minute);
            recent.noise_in_hour += usize::from(noise);
            recent.refused_in_minute += usize::from(in_minute && noise && command.evidence.role.is_some());
            let reply = command.reply.as_ref().filter(|reply| reply.unasked);
            recent.answered |= reply.is_some_and(|reply| reply.marker.is_some());
        }
        recent
    }

    /// Returns the number of a person's records on an item that evaluations depend on.
    pub fn lasting_commands(&self, item: ItemId, by: &Account) -> usize {
        self.commands.index().lasting.of(&(item, person(by))).count()
    }

    /// Removes records beyond the limits after a person wrote something on an item. Returns the
    /// documents that changed.
    pub fn bound_commands(&mut self, item: ItemId, by: &Account, now: Timestamp) -> Vec<DocumentKey> {
        let who = person(by);
        let index = self.commands.index();
        let may_go = |id: &CommandId| {
            let reply = self.commands.get(id).and_then(|command| command.reply.as_ref());
            reply.is_none_or(|reply| reply.marker.is_none() || now.duration_since(reply.at) >= ANSWER_REMEMBERED)
        };
        let oldest = |all: Vec<&(Timestamp, CommandId)>, most: usize| -> Vec<CommandId> {
            let beyond = all.len().saturating_sub(most);
            all.into_iter().map(|(_, id)| *id).filter(may_go).take(beyond).collect()
        };
        let is_noise = |entry: &&(Timestamp, CommandId)| index.strangers.contains(*entry);
        let mut going = oldest(index.by_person.of(&who).filter(is_noise).collect(), MOST_OF_STRANGER);
        going.extend(oldest(index.passing.of(&(item, who)).collect(), MOST_PASSING));
        if index.strangers.len() > MOST_OF_STRANGERS {
            going.extend(oldest(index.strangers.iter().collect(), MOST_OF_STRANGERS));
        }
        let mut changed = Vec::new();
        for id in going {
            // Without a mark the command could run again.
            let Some(item) = self.items.get_mut(&id.item) else { continue };
            let Some(command) = self.commands.remove(&id) else { continue };
            item.command_marks.set(&command.by, command.at);
            changed.extend([DocumentKey::Command(id), DocumentKey::Item(id.item)]);
        }
        changed
    }
}
