//! How many records of commands are kept.
//!
//! Anyone may write comments, so that records of people without any right are
//! few. A record is also why a command runs once: where one goes, a mark stays
//! on its item, and nothing that its author wrote up to then runs any more.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::domain::{
    fact::{
        DocumentKey, RepoFacts,
        command::{CommandAction, CommandFacts, CommandId, Ending, Evidence},
    },
    id::{Account, ItemNumber},
    permission::Role,
};

/// Records that change nothing: of one person without any right, in a repository.
const MOST_OF_STRANGER: usize = 20;
/// The same of all of them together.
const MOST_OF_STRANGERS: usize = 500;
/// Records that change nothing: of one person with rights, on an item.
const MOST_PASSING: usize = 200;
/// Records that decisions rest on, such as holds and approvals: of one person, on an item.
pub const MOST_LASTING: usize = 500;
/// People of whom an item keeps a mark of their own.
const MOST_MARKS: usize = 16;
/// A record that says when we answered in a comment stays so long.
const ANSWER_REMEMBERED: SignedDuration = SignedDuration::from_hours(1);

/// The key under which a person's records are found: the account's number, or
/// its login where an earlier version kept that alone.
pub(super) fn person(by: &Account) -> String {
    by.id.map_or_else(|| format!("@{}", by.login.to_lowercase()), |id| id.0.to_string())
}

impl Evidence {
    /// Whether the forge told of any right beyond reading. What it did not tell is none.
    pub fn gives_rights(&self) -> bool {
        self.role.is_some_and(|role| role >= Role::Triage) || self.teams.values().any(|member| *member == Some(true))
    }
}

impl CommandFacts {
    /// Whether nothing rests on the record but that the command ran.
    pub fn is_passing(&self) -> bool {
        self.ending != Ending::Pending && matches!(self.action, None | Some(CommandAction::Show(_)))
    }

    /// Whether it is such a record of someone without any right.
    pub fn is_noise(&self) -> bool {
        self.is_passing() && !self.evidence.gives_rights()
    }
}

/// Up to when commands on an item were decided whose records are gone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandMarks {
    /// Of everyone.
    #[serde(default)]
    everyone: Option<Timestamp>,
    /// Of these people, by the key of their records.
    #[serde(default)]
    people: BTreeMap<String, Timestamp>,
}

impl CommandMarks {
    /// Whether every record of the item is there.
    pub fn is_empty(&self) -> bool {
        self.everyone.is_none() && self.people.is_empty()
    }

    /// Whether a comment of this person and time may have been decided, and its records be gone.
    pub fn covers(&self, by: &Account, at: Timestamp) -> bool {
        self.everyone.max(self.people.get(&person(by)).copied()) >= Some(at)
    }

    fn set(&mut self, by: &Account, at: Timestamp) {
        let mark = self.people.entry(person(by)).or_insert(at);
        *mark = at.max(*mark);
        while self.people.len() > MOST_MARKS {
            // The mark that lies furthest back costs others the least.
            let Some((oldest, at)) = self.people.iter().min_by_key(|(who, at)| (**at, *who)) else { return };
            let (oldest, at) = (oldest.clone(), *at);
            self.people.remove(&oldest);
            self.everyone = self.everyone.max(Some(at));
        }
    }
}

/// What a person said lately in a repository, as far as it is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recent {
    /// Without any right, within the hour.
    pub noise_in_hour: usize,
    /// The same within the minute, where the forge told that there is no right.
    pub refused_in_minute: usize,
    /// With or without, within the minute.
    pub in_minute: usize,
    /// We answered it in a comment within the hour, although there was no right.
    pub answered: bool,
}

impl RepoFacts {
    /// What a person said within the hour before `at`.
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

    /// How many records of a person on an item decisions rest on.
    pub fn lasting_commands(&self, item: ItemNumber, by: &Account) -> usize {
        self.commands.index().lasting.of(&(item, person(by))).count()
    }

    /// Lets go of what is too much after a person said something on an item;
    /// returns the documents that changed.
    pub fn bound_commands(&mut self, item: ItemNumber, by: &Account, now: Timestamp) -> Vec<DocumentKey> {
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
