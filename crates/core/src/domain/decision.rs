//! The decision of a gate: one record from which the check run, the answer to
//! a protection rule, `/why` and every deploy are made.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::id::Sha;

/// How a condition, or a whole gate, stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConditionState {
    /// It does not hold.
    Fail,
    /// Whether it holds can't be found out. Never a pass.
    Error,
    /// It does not hold yet.
    Pending,
    /// It does not hold, and someone entitled let it go this time. Counts as
    /// held, and is never shown as a pass.
    Waived,
    /// It holds.
    Pass,
}

impl ConditionState {
    /// Nothing stands in the way.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Pass | Self::Waived)
    }
}

/// What is decided about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum GateName {
    /// A gate of the policy's `gates`, by name.
    Release(String),
    /// An environment, lower case.
    Deploy(String),
}

impl GateName {
    /// The name of its check run.
    pub fn check(&self) -> String {
        match self {
            Self::Release(name) => format!("phasebot/{name}"),
            Self::Deploy(environment) => format!("phasebot/deploy/{environment}"),
        }
    }
}

/// A gate's decision on a commit at a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Which gate.
    pub gate: GateName,
    /// Which commit.
    pub sha: Sha,
    /// Version of the policy that decided.
    pub policy: String,
    /// When.
    pub at: Timestamp,
    /// How it stands as a whole.
    pub standing: ConditionState,
    /// Someone has to do something: approve, confirm, lift.
    pub needs_person: bool,
    /// The conditions, in the policy's order, those that always count last.
    pub conditions: Vec<Condition>,
    /// When something next turns by itself.
    pub next_at: Option<Timestamp>,
}

/// One condition of a decision; those that nest carry what they are made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// Its name in the policy: `checks`, `window`, `all`.
    pub name: String,
    /// How it stands.
    pub standing: ConditionState,
    /// Stable code of the reason, such as `checks_missing`.
    pub code: String,
    /// A sentence for people; defused already.
    pub sentence: String,
    /// Where the evidence is.
    pub link: Option<String>,
    /// When the evidence was true at its source.
    pub observed_at: Option<Timestamp>,
    /// When it next turns by itself.
    pub next_at: Option<Timestamp>,
    /// What it is made of.
    pub parts: Vec<Condition>,
}

impl Decision {
    /// Whether another decision says the same, whenever it was made.
    pub fn says(&self, other: &Self) -> bool {
        let told = |d: &Self| (d.standing, d.needs_person, d.next_at, d.policy.clone());
        (&self.gate, &self.sha, told(self)) == (&other.gate, &other.sha, told(other))
            && all_say(&self.conditions, &other.conditions)
    }

    /// How many of its conditions stand in the way, and how many there are.
    pub fn closed(&self) -> (usize, usize) {
        (self.conditions.iter().filter(|condition| !condition.standing.is_open()).count(), self.conditions.len())
    }

    /// The condition that stands most in the way, if one does.
    pub fn worst(&self) -> Option<&Condition> {
        self.conditions.iter().filter(|condition| !condition.standing.is_open()).min_by_key(|c| c.standing)
    }
}

impl Condition {
    fn says(&self, other: &Self) -> bool {
        (&self.name, self.standing, &self.code, &self.sentence)
            == (&other.name, other.standing, &other.code, &other.sentence)
            && (&self.link, self.next_at) == (&other.link, other.next_at)
            && all_say(&self.parts, &other.parts)
    }
}

fn all_say(these: &[Condition], those: &[Condition]) -> bool {
    these.len() == those.len() && these.iter().zip(those).all(|(this, that)| this.says(that))
}
