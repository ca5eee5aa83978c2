//! The decision of a gate: one record from which the check run, the answer to a protection rule,
//! `/why` and every deployment are made.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::{id::Sha, turn::Turn};

/// The state of a condition, or of a whole gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConditionState {
    /// It does not hold.
    Fail,
    /// It is unknown if it holds. Never a pass.
    Error,
    /// It does not hold yet.
    Pending,
    /// It does not hold, and someone with permission waived it this time. It counts as held, and is
    /// never shown as a pass.
    Waived,
    /// It holds.
    Pass,
}

impl ConditionState {
    /// Returns true if it passes or is waived.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Pass | Self::Waived)
    }
}

/// The name of a gate.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum GateName {
    /// A gate of the policy's `gates`, by name.
    Release(String),
    /// An environment, lower case.
    Deploy(String),
}

impl GateName {
    /// Returns the name of its check run.
    pub fn check(&self) -> String {
        match self {
            Self::Release(name) => format!("phasebot/{name}"),
            Self::Deploy(environment) => format!("phasebot/deploy/{environment}"),
        }
    }
}

/// A gate's decision on a commit at a certain time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The gate.
    pub gate: GateName,
    /// The commit.
    pub sha: Sha,
    /// Version of the policy that was used.
    pub policy: String,
    /// Time of the decision.
    pub at: Timestamp,
    /// State of the whole gate.
    pub standing: ConditionState,
    /// True if someone has to do something: approve, confirm, lift.
    pub needs_person: bool,
    /// The conditions, in the policy's order. Those that always apply come last.
    pub conditions: Vec<Condition>,
    /// Time at which something next changes by itself.
    pub next_at: Option<Timestamp>,
}

/// One condition of a decision. A combinator contains its parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// Name in the policy: `checks`, `window`, `all`.
    pub name: String,
    /// State.
    pub standing: ConditionState,
    /// Stable code of the reason, such as `checks_missing`.
    pub code: String,
    /// A sentence for people, already sanitized.
    pub sentence: String,
    /// URL of the evidence.
    pub link: Option<String>,
    /// Time at which the evidence was current at its source.
    pub observed_at: Option<Timestamp>,
    /// Time at which it next changes by itself.
    pub next_at: Option<Timestamp>,
    /// Who acts next while it is not open.
    #[serde(default, skip_serializing_if = "Turn::is_untold")]
    pub turn: Turn,
    /// By whom and why it is waived, sanitized; its sentence says that, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiver: Option<String>,
    /// The approval that it lacks, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<MissingApproval>,
    /// The parts of a combinator.
    pub parts: Vec<Condition>,
}

/// An approval that a condition lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingApproval {
    /// Number of people who have to approve.
    pub count: u8,
    /// Teams whose members may approve; if empty, people who maintain the repository.
    pub teams: Vec<String>,
    /// True if a comment that asks for the approval may mention the teams.
    pub mention: bool,
    /// Logins of those who approved already.
    pub so_far: Vec<String>,
}

impl Decision {
    /// Returns true if another decision has the same content, regardless of its time.
    pub fn says(&self, other: &Self) -> bool {
        let content = |d: &Self| (d.standing, d.needs_person, d.next_at, d.policy.clone());
        (&self.gate, &self.sha, content(self)) == (&other.gate, &other.sha, content(other))
            && all_say(&self.conditions, &other.conditions)
    }

    /// Returns the number of its conditions that are not open, and the number of all.
    pub fn closed(&self) -> (usize, usize) {
        (self.conditions.iter().filter(|condition| !condition.standing.is_open()).count(), self.conditions.len())
    }

    /// Returns the condition with the worst state, if one is not open.
    pub fn worst(&self) -> Option<&Condition> {
        self.conditions.iter().filter(|condition| !condition.standing.is_open()).min_by_key(|c| c.standing)
    }
}

impl Condition {
    fn says(&self, other: &Self) -> bool {
        (&self.name, self.standing, &self.code, &self.sentence)
            == (&other.name, other.standing, &other.code, &other.sentence)
            && (&self.link, self.next_at, &self.approval) == (&other.link, other.next_at, &other.approval)
            && self.waiver == other.waiver
            && self.turn == other.turn
            && all_say(&self.parts, &other.parts)
    }
}

fn all_say(these: &[Condition], those: &[Condition]) -> bool {
    these.len() == those.len() && these.iter().zip(those).all(|(this, that)| this.says(that))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_that_is_not_recorded_is_not_nobodys() {
        let stored = r#"{"name": "hold", "standing": "pending", "code": "held", "sentence": "item 5 is on hold",
            "link": null, "observed_at": null, "next_at": null, "parts": []}"#;
        let condition: Condition = serde_json::from_str(stored).unwrap();
        assert_eq!(condition.turn, Turn::Untold);
    }
}
