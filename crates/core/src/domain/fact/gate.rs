//! Facts about gates: their decisions, and the check runs that show them.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::{
    decision::{ConditionState, Decision, GateName},
    fact::indexed::{IndexedMap, KeysBy, MapIndex},
    id::Sha,
};

/// Maximum number of changes stored for one gate on one commit.
const MOST_TURNS: usize = 50;

/// A gate on a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateFacts {
    /// The last decision. Only a decision that differs replaces it.
    pub decision: Decision,
    /// The time since when it is needed.
    pub since: Timestamp,
    /// The tags that name the commit or will name it, if the gate applies to tags.
    pub tags: Vec<String>,
    /// True if it is evaluated again when something that it depends on changes.
    pub live: bool,
    /// The check run as last queued.
    pub shown: Option<Shown>,
    /// Changes of its state over time, oldest first.
    pub turns: Vec<DecisionChange>,
    /// True if somebody requested a re-run of its check on the forge. The check is then written
    /// again, even if it is unchanged.
    #[serde(default)]
    pub rerequested: bool,
}

/// A check run that was queued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// Short hash of its content.
    pub hash: String,
    /// Time at which it was queued.
    pub at: Timestamp,
    /// True if it has not ended: forges let such a run go stale.
    pub running: bool,
    /// The commits that the list of its contents starts from; empty: that list is not complete.
    #[serde(default)]
    pub bases: Vec<Sha>,
}

/// A change of a gate's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionChange {
    /// Time of the decision.
    pub at: Timestamp,
    /// State from this time on.
    pub standing: ConditionState,
    /// Summary in a line, already sanitized.
    pub words: String,
}

impl GateFacts {
    /// Creates a gate at its first decision.
    pub fn new(decision: Decision, since: Timestamp, tags: Vec<String>) -> Self {
        Self { decision, since, tags, live: true, shown: None, turns: Vec::new(), rerequested: false }
    }

    /// Records its current state, if it changed.
    pub fn turned(&mut self, turn: DecisionChange) {
        let last = self.turns.last();
        if last.is_some_and(|last| (last.standing, &last.words) == (turn.standing, &turn.words)) {
            return;
        }
        self.turns.push(turn);
        let over = self.turns.len().saturating_sub(MOST_TURNS);
        self.turns.drain(..over);
    }
}

/// Gate decisions, by gate and commit.
pub type Gates = IndexedMap<(GateName, Sha), GateFacts, GateIndex>;

/// Look-up tables over [`Gates`].
#[derive(Debug, Clone, Default)]
pub struct GateIndex {
    /// Gates that are evaluated again when something changes, and those whose check has to be
    /// written again.
    pub live: BTreeSet<(GateName, Sha)>,
    /// Commits by gate, each with the time since when the decision is needed.
    pub by_gate: KeysBy<GateName, (Timestamp, Sha)>,
}

impl MapIndex<(GateName, Sha), GateFacts> for GateIndex {
    fn add(&mut self, key: &(GateName, Sha), gate: &GateFacts) {
        if gate.live || gate.rerequested {
            self.live.insert(key.clone());
        }
        self.by_gate.add(key.0.clone(), (gate.since, key.1.clone()));
    }

    fn remove(&mut self, key: &(GateName, Sha), gate: &GateFacts) {
        self.live.remove(key);
        self.by_gate.remove(&key.0, &(gate.since, key.1.clone()));
    }
}

impl crate::domain::fact::RepoFacts {
    /// Returns the gates that are evaluated again when something changes.
    pub fn live_gates(&self) -> impl Iterator<Item = (&(GateName, Sha), &GateFacts)> {
        let known = self.gates.index().live.iter().filter_map(|key| self.gates.get_key_value(key));
        known.filter(|(_, gate)| gate.live)
    }

    /// Returns the facts about a gate on each commit, newest first.
    pub fn decided_at<'a>(&'a self, gate: &GateName) -> impl Iterator<Item = &'a GateFacts> + use<'a> {
        let (commits, gate) = (self.gates.index().by_gate.of(gate).rev(), gate.clone());
        commits.filter_map(move |(_, sha)| self.gates.get(&(gate.clone(), sha.clone())))
    }
}
