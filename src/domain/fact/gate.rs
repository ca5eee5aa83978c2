//! Facts about gates: what was decided, and what was shown of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::decision::{Decision, Standing};

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
    pub turns: Vec<Turn>,
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
pub struct Turn {
    /// When it was decided.
    pub at: Timestamp,
    /// How it stood.
    pub standing: Standing,
    /// In a line, defused.
    pub words: String,
}

impl GateFacts {
    /// Notes how it stands now.
    pub fn turned(&mut self, turn: Turn) {
        let last = self.turns.last();
        if last.is_some_and(|last| (last.standing, &last.words) == (turn.standing, &turn.words)) {
            return;
        }
        self.turns.push(turn);
        let over = self.turns.len().saturating_sub(MOST_TURNS);
        self.turns.drain(..over);
    }
}
