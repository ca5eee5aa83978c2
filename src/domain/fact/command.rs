//! Facts about slash-commands: who ran what, by what right, and what came of it.
//!
//! A command is decided once, when its comment is first read, and its record
//! never changes but for the outcome of what it set off. Holds, locks and
//! freezes are not kept on their own: they follow from the records.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    RepoFacts,
    indexed::{IndexedMap, KeysBy, MapIndex},
    item::{ItemFacts, Word},
};
use crate::domain::{
    decision::GateName,
    id::{ItemNumber, Sha},
    permission::Role,
    rule::ConditionName,
};

/// Where a command was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Source {
    /// A comment, by its id.
    Comment(u64),
    /// A review, by its id.
    Review(u64),
}

/// One command of one comment: the key under which it runs at most once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CommandId {
    /// The item that it was written on.
    pub item: ItemNumber,
    /// The comment or review.
    pub source: Source,
    /// Its place among the commands there, from 0.
    pub index: u32,
}

/// A command that was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandFacts {
    /// When it was written, by the forge's clock; later ones of the same
    /// comment some milliseconds after it.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
    /// The command's name.
    pub verb: String,
    /// The line as it was read, shortened.
    pub line: String,
    /// By what right.
    pub evidence: Evidence,
    /// How it ended.
    pub ending: Ending,
    /// What it changed or asked for.
    pub deed: Option<Deed>,
    /// What was answered in words.
    pub reply: Option<Reply>,
    /// The forge's global id of a review, for reactions; comments need none.
    pub node: Option<String>,
}

/// What the forge said of the sender.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Role on the repository; `None` if the forge did not say.
    pub role: Option<Role>,
    /// Membership in the teams that were asked about; `None` if the forge did not say.
    pub teams: BTreeMap<String, Option<bool>>,
    /// When it was asked.
    pub asked_at: Timestamp,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// Done; in words for the journal.
    Done(String),
    /// Under way: the forge is to do something first.
    Pending,
    /// Refused, and why.
    Refused(String),
    /// Not understood, and why.
    Misread(String),
}

/// What a command changed or asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Deed {
    /// A word about the item's phase.
    Phase {
        /// The word.
        word: Word,
        /// Why.
        reason: Option<String>,
    },
    /// Holds the item.
    Hold {
        /// Its name, such as `h1`.
        name: String,
        /// Why.
        reason: String,
    },
    /// Lifts holds.
    Unhold {
        /// Their names.
        names: Vec<String>,
    },
    /// Locks an environment.
    Lock {
        /// Environment, lower case.
        environment: String,
        /// Until when.
        until: Option<Timestamp>,
        /// Why.
        reason: Option<String>,
    },
    /// Unlocks an environment.
    Unlock {
        /// Environment, lower case.
        environment: String,
    },
    /// Freezes an environment or all.
    Freeze {
        /// Environment, lower case; `all` for every one.
        environment: String,
        /// Until when.
        until: Timestamp,
        /// Why.
        reason: String,
    },
    /// Ends a freeze.
    Unfreeze {
        /// Environment, lower case; `all` for every one.
        environment: String,
    },
    /// Asks for a deploy.
    Deploy {
        /// Our id for it.
        request: String,
    },
    /// Waits no more for the end of a deploy.
    LetGo {
        /// Our id for it.
        request: String,
    },
    /// Agrees to a release or a deploy.
    Approve {
        /// At which gate.
        gate: GateName,
        /// Of which commit.
        sha: Sha,
    },
    /// Lets conditions go, for a time.
    Override {
        /// At which gate.
        gate: GateName,
        /// For which commit.
        sha: Sha,
        /// Under which version of the policy.
        policy: String,
        /// Which.
        conditions: BTreeSet<ConditionName>,
        /// Why.
        reason: String,
        /// Until when.
        until: Timestamp,
    },
    /// Asks how a gate stands, on the item's status comment.
    ShowGate {
        /// Which.
        gate: GateName,
    },
    /// Looks after the incident.
    Ack,
    /// Keeps the incident quiet.
    Mute {
        /// Until when.
        until: Timestamp,
        /// Why.
        reason: Option<String>,
    },
    /// Lets the incident speak again.
    Unmute,
    /// The incident is over.
    Resolve,
    /// Names what caused the incident.
    Cause {
        /// The change, as people write it; `None`: no change did.
        change: Option<String>,
    },
    /// Asks for something on the item's status comment.
    Show(Wanted),
}

/// What the status comment is to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Wanted {
    /// How it stands.
    Status,
    /// Why.
    Why,
    /// Which commands the asker may use.
    Help,
    /// Who ran what.
    Audit,
}

/// Words in answer to a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// When.
    pub at: Timestamp,
    /// The marker of the comment that says it; `None`: the hour's comment
    /// was spent, so that the status comment says it.
    pub marker: Option<String>,
    /// Nobody entitled had asked for it: counts against the hour's comment.
    pub unasked: bool,
}

/// Something that stands in the way until someone lifts it or its time is up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guard<'a> {
    /// A hold's name, or an environment.
    pub name: &'a str,
    /// Who put it there.
    pub by: &'a str,
    /// When.
    pub since: Timestamp,
    /// Until when; `None`: until it is lifted.
    pub until: Option<Timestamp>,
    /// Why.
    pub reason: Option<&'a str>,
    /// The item on which it was said.
    pub item: ItemNumber,
    /// It binds the one who put it there, too.
    pub binds_all: bool,
}

/// Every environment, in [`Deed::Freeze`].
pub const ALL: &str = "all";

impl Deed {
    /// Whether the item shows a status comment from then on.
    pub fn needs_board(&self) -> bool {
        matches!(
            self,
            Self::Show(_)
                | Self::ShowGate { .. }
                | Self::Hold { .. }
                | Self::Lock { .. }
                | Self::Freeze { .. }
                | Self::Deploy { .. }
        )
    }
}

/// Slash-commands that were decided.
pub type Commands = IndexedMap<CommandId, CommandFacts, CommandIndex>;

/// Look-up tables over [`Commands`]: the records that decisions about something
/// else than the command's own item look for.
#[derive(Debug, Clone, Default)]
pub struct CommandIndex {
    /// Records that set or lift a lock, by environment.
    pub locks: KeysBy<String, (Timestamp, CommandId)>,
    /// Records that set or end a freeze, by environment or [`ALL`].
    pub freezes: KeysBy<String, (Timestamp, CommandId)>,
    /// Times at which a lock was lifted, by environment.
    unlocks: KeysBy<String, Timestamp>,
    /// Records that hold an item.
    pub holds: BTreeSet<CommandId>,
    /// Approvals and overrides, by gate and commit.
    pub at_gate: KeysBy<(GateName, Sha), CommandId>,
    /// Records that show a gate on their item's status comment.
    pub shows: KeysBy<GateName, CommandId>,
    /// Requests that somebody stopped waiting for.
    pub let_go: BTreeSet<String>,
    /// Records in order of time.
    pub by_time: BTreeSet<(Timestamp, CommandId)>,
}

impl CommandIndex {
    /// When somebody last lifted the lock of an environment.
    pub fn unlocked_at(&self, environment: &str) -> Option<Timestamp> {
        self.unlocks.of(environment).next_back().copied()
    }
}

impl MapIndex<CommandId, CommandFacts> for CommandIndex {
    fn add(&mut self, id: &CommandId, command: &CommandFacts) {
        let order = (command.at, *id);
        self.by_time.insert(order);
        match &command.deed {
            Some(Deed::Lock { environment, .. }) => self.locks.add(environment.clone(), order),
            Some(Deed::Unlock { environment }) => {
                self.locks.add(environment.clone(), order);
                self.unlocks.add(environment.clone(), command.at);
            }
            Some(Deed::Freeze { environment, .. } | Deed::Unfreeze { environment }) => {
                self.freezes.add(environment.clone(), order);
            }
            Some(Deed::Hold { .. }) => drop(self.holds.insert(*id)),
            Some(Deed::Approve { gate, sha } | Deed::Override { gate, sha, .. }) => {
                self.at_gate.add((gate.clone(), sha.clone()), *id);
            }
            Some(Deed::ShowGate { gate }) => self.shows.add(gate.clone(), *id),
            Some(Deed::LetGo { request }) => drop(self.let_go.insert(request.clone())),
            Some(
                Deed::Phase { .. }
                | Deed::Unhold { .. }
                | Deed::Deploy { .. }
                | Deed::Ack
                | Deed::Mute { .. }
                | Deed::Unmute
                | Deed::Resolve
                | Deed::Cause { .. }
                | Deed::Show(_),
            )
            | None => {}
        }
    }

    fn remove(&mut self, id: &CommandId, command: &CommandFacts) {
        let order = (command.at, *id);
        self.by_time.remove(&order);
        match &command.deed {
            Some(Deed::Lock { environment, .. }) => self.locks.remove(environment, &order),
            Some(Deed::Unlock { environment }) => {
                self.locks.remove(environment, &order);
                self.unlocks.remove(environment, &command.at);
            }
            Some(Deed::Freeze { environment, .. } | Deed::Unfreeze { environment }) => {
                self.freezes.remove(environment, &order);
            }
            Some(Deed::Hold { .. }) => drop(self.holds.remove(id)),
            Some(Deed::Approve { gate, sha } | Deed::Override { gate, sha, .. }) => {
                self.at_gate.remove(&(gate.clone(), sha.clone()), id);
            }
            Some(Deed::ShowGate { gate }) => self.shows.remove(gate, id),
            Some(Deed::LetGo { request }) => drop(self.let_go.remove(request)),
            Some(
                Deed::Phase { .. }
                | Deed::Unhold { .. }
                | Deed::Deploy { .. }
                | Deed::Ack
                | Deed::Mute { .. }
                | Deed::Unmute
                | Deed::Resolve
                | Deed::Cause { .. }
                | Deed::Show(_),
            )
            | None => {}
        }
    }
}

impl RepoFacts {
    /// The commands on an item, oldest first.
    pub fn commands_on(&self, item: ItemNumber) -> Vec<(&CommandId, &CommandFacts)> {
        let first = CommandId { item, source: Source::Comment(0), index: 0 };
        let mut found: Vec<_> = self.commands.range(first..).take_while(|(id, _)| id.item == item).collect();
        found.sort_by_key(|(id, facts)| (facts.at, **id));
        found
    }

    /// Holds that stand on an item, oldest first. Who gives the item up gives its holds up.
    pub fn holds(&self, item: ItemNumber) -> Vec<Guard<'_>> {
        let commands = self.commands_on(item);
        let given_up = self.items.get(&item).and_then(ItemFacts::given_up_at);
        let lifted: Vec<&String> = commands
            .iter()
            .filter_map(|(_, facts)| match &facts.deed {
                Some(Deed::Unhold { names }) => Some(names),
                _ => None,
            })
            .flatten()
            .collect();
        let holds = commands.into_iter().filter_map(|(id, facts)| match &facts.deed {
            Some(Deed::Hold { name, reason }) => Some(Guard {
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

    /// Locks that stand at `now`, by environment.
    pub fn locks(&self, now: Timestamp) -> BTreeMap<&str, Guard<'_>> {
        let index = self.commands.index();
        let locked = index.locks.properties().chain(self.requests.index().rollbacks.properties());
        locked.filter_map(|environment| Some((environment.as_str(), self.lock(environment, now)?))).collect()
    }

    /// The lock of an environment (lower case) that stands at `now`.
    pub fn lock(&self, environment: &str, now: Timestamp) -> Option<Guard<'_>> {
        // A rollback's lock outweighs a person's: it binds everyone.
        self.rollback_lock(environment).or_else(|| {
            self.guard(self.commands.index().locks.of(environment).next_back()?, now, |id, facts| match &facts.deed {
                Some(Deed::Lock { environment, until, reason }) => {
                    Some(guard(id, facts, environment, *until, reason.as_deref()))
                }
                _ => None,
            })
        })
    }

    /// Freezes by command that stand at `now`, by environment or [`ALL`].
    pub fn freezes(&self, now: Timestamp) -> BTreeMap<&str, Guard<'_>> {
        let frozen = self.commands.index().freezes.properties();
        frozen.filter_map(|environment| Some((environment.as_str(), self.freeze(environment, now)?))).collect()
    }

    fn freeze(&self, environment: &str, now: Timestamp) -> Option<Guard<'_>> {
        self.guard(self.commands.index().freezes.of(environment).next_back()?, now, |id, facts| match &facts.deed {
            Some(Deed::Freeze { environment, until, reason }) => {
                Some(guard(id, facts, environment, Some(*until), Some(reason)))
            }
            _ => None,
        })
    }

    /// The guard that the last word sets, if its time is not up, and the item
    /// that it was said on was not closed since.
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

    /// Items on which a hold was ever set.
    pub fn held_items(&self) -> BTreeSet<ItemNumber> {
        self.commands.index().holds.iter().map(|id| id.item).collect()
    }

    /// Approvals and overrides of a commit at a gate.
    pub fn words_at_gate(&self, gate: &GateName, sha: &Sha) -> Vec<&CommandFacts> {
        let ids = self.commands.index().at_gate.of(&(gate.clone(), sha.clone()));
        ids.filter_map(|id| self.commands.get(id)).collect()
    }

    /// The head commit of a pull request as it was known at `at`: at the newest
    /// sight before it, else by when each commit was first seen there.
    pub fn head_at(&self, pull: ItemNumber, at: Timestamp) -> Option<&Sha> {
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
