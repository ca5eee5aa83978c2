//! Facts about gates: their decisions, and the check runs that show them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::{
    decision::{Condition, ConditionState, Decision, GateName},
    fact::indexed::{IndexedMap, KeysBy, MapIndex},
    id::Sha,
};

/// Maximum number of changes stored for one gate on one commit.
const MOST_TURNS: usize = 50;
/// Maximum number of times for which a condition's blocking is stored one by one.
const MOST_SPANS: usize = 30;

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
    /// Times for which its conditions blocked the commit, by condition.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub waits: BTreeMap<String, GateWait>,
    /// Time since when somebody has to do something, while that is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person_since: Option<Timestamp>,
    /// Time at which a notice last said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noticed: Option<Timestamp>,
}

/// The time for which one condition blocked a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateWait {
    /// Code of its last reason.
    pub code: String,
    /// Beginning of the first time.
    pub from: Timestamp,
    /// Seconds of all times that have ended.
    pub blocked: i64,
    /// Beginning of the present time, if it blocks.
    pub since: Option<Timestamp>,
    /// End of the last time, if it does not block.
    pub until: Option<Timestamp>,
    /// The times that have ended, oldest first. Beyond [`MOST_SPANS`], those with the shortest gap are
    /// one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spans: Vec<WaitSpan>,
}

/// A time for which a condition blocked a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitSpan {
    /// Beginning.
    pub from: Timestamp,
    /// End.
    pub until: Timestamp,
    /// Seconds of it for which the condition blocked: fewer than its length if it stands for several.
    pub blocked: i64,
}

impl GateWait {
    fn end(&mut self, since: Timestamp, now: Timestamp) {
        let seconds = now.duration_since(since).as_secs().max(0);
        // An earlier version kept their sum only.
        if self.spans.is_empty() && self.blocked > 0 {
            self.spans.push(WaitSpan { from: self.from, until: since, blocked: self.blocked });
        }
        self.spans.push(WaitSpan { from: since, until: now.max(since), blocked: seconds });
        if self.spans.len() > MOST_SPANS {
            let gap = |at: &usize| self.spans[at + 1].from.duration_since(self.spans[*at].until);
            if let Some(at) = (0..self.spans.len() - 1).min_by_key(gap) {
                let next = self.spans.remove(at + 1);
                let span = &mut self.spans[at];
                (span.until, span.blocked) = (next.until, span.blocked + next.blocked);
            }
        }
        self.blocked += seconds;
        (self.since, self.until) = (None, Some(now));
    }
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
        Self {
            decision,
            since,
            tags,
            live: true,
            shown: None,
            turns: Vec::new(),
            rerequested: false,
            waits: BTreeMap::new(),
            person_since: None,
            noticed: None,
        }
    }

    /// Records whether somebody has to do something.
    pub fn note_person(&mut self, now: Timestamp) {
        let is_needed = self.live && self.decision.needs_person && !self.decision.standing.is_open();
        self.person_since = is_needed.then(|| self.person_since.unwrap_or(now));
    }

    /// Records which conditions block at a time: while it is evaluated, those that are not open.
    pub fn note_waits(&mut self, now: Timestamp) {
        let mut blocking = BTreeMap::new();
        if self.live && !self.decision.standing.is_open() {
            blockers(&self.decision.conditions, &mut blocking);
        }
        for (name, wait) in &mut self.waits {
            if let (Some(since), false) = (wait.since, blocking.contains_key(name.as_str())) {
                wait.end(since, now);
            }
        }
        for (name, code) in blocking {
            let new =
                || GateWait { code: String::new(), from: now, blocked: 0, since: None, until: None, spans: Vec::new() };
            let wait = self.waits.entry(name.to_owned()).or_insert_with(new);
            wait.since.get_or_insert(now);
            wait.until = None;
            code.clone_into(&mut wait.code);
        }
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

/// Adds the conditions that are not open, without combinators, with their codes.
fn blockers<'a>(conditions: &'a [Condition], found: &mut BTreeMap<&'a str, &'a str>) {
    for condition in conditions.iter().filter(|condition| !condition.standing.is_open()) {
        if condition.parts.is_empty() {
            found.insert(&condition.name, &condition.code);
        } else {
            blockers(&condition.parts, found);
        }
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
