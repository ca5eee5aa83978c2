//! Facts about gates: what was decided, and what was shown of it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::{
    decision::{ConditionState, Decision, GateName},
    fact::indexed::{IndexedMap, KeysBy, MapIndex},
    id::Sha,
};

/// Turns that are kept of one gate on one commit.
const MOST_TURNS: usize = 50;

/// A gate on a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateFacts {
    /// What was decided last; only a decision that says something else replaces it.
    pub decision: Decision,
    /// Since when it is asked for.
    pub since: Timestamp,
    /// The tags that name the commit, or will, where the gate stands before tags.
    pub tags: Vec<String>,
    /// It is decided again when something that it looks at changes.
    pub live: bool,
    /// Its check run, as it was last queued.
    pub shown: Option<Shown>,
    /// How it stood over time, oldest first.
    pub turns: Vec<DecisionChange>,
    /// Somebody asked on the forge for its check to be run again: it is
    /// written again, also where it says the same.
    #[serde(default)]
    pub rerequested: bool,
}

/// A check run that was queued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// Short hash of what it says.
    pub hash: String,
    /// When.
    pub at: Timestamp,
    /// It has not ended: forges let such a run go stale.
    pub running: bool,
}

/// A gate stood otherwise from here on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionChange {
    /// When it was decided.
    pub at: Timestamp,
    /// How it stood.
    pub standing: ConditionState,
    /// In a line, defused.
    pub words: String,
}

impl GateFacts {
    /// A gate that is decided for the first time.
    pub fn new(decision: Decision, since: Timestamp, tags: Vec<String>) -> Self {
        Self { decision, since, tags, live: true, shown: None, turns: Vec::new(), rerequested: false }
    }

    /// Notes how it stands now.
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

/// What was decided at gates, by gate and commit.
pub type Gates = IndexedMap<(GateName, Sha), GateFacts, GateIndex>;

/// Look-up tables over [`Gates`].
#[derive(Debug, Clone, Default)]
pub struct GateIndex {
    /// Gates that are decided again when something changes, and those whose
    /// check is to be written again.
    pub live: BTreeSet<(GateName, Sha)>,
    /// Commits by gate, with the time since when each was asked for.
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
    /// Gates that are decided again when something changes.
    pub fn live_gates(&self) -> impl Iterator<Item = (&(GateName, Sha), &GateFacts)> {
        let known = self.gates.index().live.iter().filter_map(|key| self.gates.get_key_value(key));
        known.filter(|(_, gate)| gate.live)
    }

    /// The newest of what was decided at a gate, newest first.
    pub fn decided_at<'a>(&'a self, gate: &GateName) -> impl Iterator<Item = &'a GateFacts> + use<'a> {
        let (commits, gate) = (self.gates.index().by_gate.of(gate).rev(), gate.clone());
        commits.filter_map(move |(_, sha)| self.gates.get(&(gate.clone(), sha.clone())))
    }
}
