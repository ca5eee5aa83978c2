//! Look-up tables over the records of slash commands.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::domain::{
    decision::GateName,
    fact::{
        command::{CommandAction, CommandFacts, CommandId, bounds::person},
        indexed::{IndexedMap, KeysBy, MapIndex},
    },
    id::{ItemId, Sha},
};

/// Processed slash commands.
pub type Commands = IndexedMap<CommandId, CommandFacts, CommandIndex>;

/// Look-up tables over [`Commands`], for evaluations of something other than the command's own
/// item.
#[derive(Debug, Clone, Default)]
pub struct CommandIndex {
    /// Records that set or lift a lock, by environment.
    pub locks: KeysBy<String, (Timestamp, CommandId)>,
    /// Records that set or end a freeze, by environment or
    /// [`ALL`](crate::domain::fact::command::ALL).
    pub freezes: KeysBy<String, (Timestamp, CommandId)>,
    /// Times at which a lock was lifted, by environment.
    unlocks: KeysBy<String, Timestamp>,
    /// Records that put an item on hold.
    pub holds: BTreeSet<CommandId>,
    /// Approvals and overrides, by gate and commit.
    pub at_gate: KeysBy<(GateName, Sha), CommandId>,
    /// Records that show a gate in their item's status comment.
    pub shows: KeysBy<GateName, CommandId>,
    /// Records that ask what a deployment would carry.
    pub diffs: BTreeSet<CommandId>,
    /// Requests that somebody told us to stop tracking.
    pub let_go: BTreeSet<String>,
    /// Records in order of time.
    pub by_time: BTreeSet<(Timestamp, CommandId)>,
    /// Records of each person, in order of time.
    pub by_person: KeysBy<String, (Timestamp, CommandId)>,
    /// Records of people without permissions that change nothing, in order of time.
    pub strangers: BTreeSet<(Timestamp, CommandId)>,
    /// Records that change nothing, by item and person.
    pub passing: KeysBy<(ItemId, String), (Timestamp, CommandId)>,
    /// Records that evaluations depend on, by item and person.
    pub lasting: KeysBy<(ItemId, String), CommandId>,
    /// Records that name the cause of an incident, in order of time.
    pub causes: BTreeSet<(Timestamp, CommandId)>,
}

impl CommandIndex {
    /// Returns the time at which somebody last lifted the lock of an environment.
    pub fn unlocked_at(&self, environment: &str) -> Option<Timestamp> {
        self.unlocks.of(environment).next_back().copied()
    }
}

impl MapIndex<CommandId, CommandFacts> for CommandIndex {
    fn add(&mut self, id: &CommandId, command: &CommandFacts) {
        let order = (command.at, *id);
        self.by_time.insert(order);
        self.by_person.add(person(&command.by), order);
        let place = (id.item, person(&command.by));
        if command.is_passing() {
            self.passing.add(place, order);
        } else {
            self.lasting.add(place, *id);
        }
        if command.is_noise() {
            self.strangers.insert(order);
        }
        match &command.action {
            Some(CommandAction::Lock { environment, .. }) => self.locks.add(environment.clone(), order),
            Some(CommandAction::Unlock { environment }) => {
                self.locks.add(environment.clone(), order);
                self.unlocks.add(environment.clone(), command.at);
            }
            Some(CommandAction::Freeze { environment, .. } | CommandAction::Unfreeze { environment }) => {
                self.freezes.add(environment.clone(), order);
            }
            Some(CommandAction::Hold { .. }) => drop(self.holds.insert(*id)),
            Some(CommandAction::Approve { gate, sha } | CommandAction::Override { gate, sha, .. }) => {
                self.at_gate.add((gate.clone(), sha.clone()), *id);
            }
            Some(CommandAction::ShowGate { gate }) => self.shows.add(gate.clone(), *id),
            Some(CommandAction::LetGo { request }) => drop(self.let_go.insert(request.clone())),
            Some(CommandAction::Diff { .. }) => drop(self.diffs.insert(*id)),
            Some(CommandAction::Cause { .. }) => drop(self.causes.insert(order)),
            Some(
                CommandAction::Phase { .. }
                | CommandAction::Unhold { .. }
                | CommandAction::Deploy { .. }
                | CommandAction::Ack
                | CommandAction::Mute { .. }
                | CommandAction::Unmute
                | CommandAction::Resolve
                | CommandAction::Show(_)
                | CommandAction::ShowMetrics { .. },
            )
            | None => {}
        }
    }

    fn remove(&mut self, id: &CommandId, command: &CommandFacts) {
        let order = (command.at, *id);
        self.by_time.remove(&order);
        self.by_person.remove(&person(&command.by), &order);
        let place = (id.item, person(&command.by));
        self.passing.remove(&place, &order);
        self.lasting.remove(&place, id);
        self.strangers.remove(&order);
        match &command.action {
            Some(CommandAction::Lock { environment, .. }) => self.locks.remove(environment, &order),
            Some(CommandAction::Unlock { environment }) => {
                self.locks.remove(environment, &order);
                self.unlocks.remove(environment, &command.at);
            }
            Some(CommandAction::Freeze { environment, .. } | CommandAction::Unfreeze { environment }) => {
                self.freezes.remove(environment, &order);
            }
            Some(CommandAction::Hold { .. }) => drop(self.holds.remove(id)),
            Some(CommandAction::Approve { gate, sha } | CommandAction::Override { gate, sha, .. }) => {
                self.at_gate.remove(&(gate.clone(), sha.clone()), id);
            }
            Some(CommandAction::ShowGate { gate }) => self.shows.remove(gate, id),
            Some(CommandAction::LetGo { request }) => drop(self.let_go.remove(request)),
            Some(CommandAction::Diff { .. }) => drop(self.diffs.remove(id)),
            Some(CommandAction::Cause { .. }) => drop(self.causes.remove(&order)),
            Some(
                CommandAction::Phase { .. }
                | CommandAction::Unhold { .. }
                | CommandAction::Deploy { .. }
                | CommandAction::Ack
                | CommandAction::Mute { .. }
                | CommandAction::Unmute
                | CommandAction::Resolve
                | CommandAction::Show(_)
                | CommandAction::ShowMetrics { .. },
            )
            | None => {}
        }
    }
}
