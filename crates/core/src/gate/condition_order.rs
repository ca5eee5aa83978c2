//! Order of the conditions that keep a gate closed, and symbols of conditions.

use crate::domain::decision::{Condition, ConditionState, Decision};

/// Returns the conditions of the first level that are not open, a person's turn first.
pub(crate) fn blocking(decision: &Decision) -> Vec<&Condition> {
    let closed = decision.conditions.iter().filter(|condition| !condition.standing.is_open());
    let mut closed: Vec<&Condition> = closed.collect();
    closed.sort_by_key(|condition| rank(condition));
    closed
}

/// Returns the place of a closed condition among others: what people have to do first, then what
/// time or a machine decides; in both, what failed comes first.
pub(super) fn rank(condition: &Condition) -> (bool, bool) {
    let has_failed = matches!(condition.standing, ConditionState::Fail | ConditionState::Error);
    (!condition.turn.is_of_people(), !has_failed)
}

/// Returns the symbol of a condition's state: who or what changes it.
pub(crate) fn symbol(condition: &Condition) -> &'static str {
    match (condition.standing, condition.name.as_str()) {
        (ConditionState::Pass, _) => "✅",
        (ConditionState::Waived, _) => "⚠️",
        (_, "lock") => "🔒",
        (_, "freeze") => "🧊",
        (ConditionState::Fail | ConditionState::Pending, "hold") => "⏸️",
        (ConditionState::Fail | ConditionState::Error, _) => "❌",
        (ConditionState::Pending, _) if condition.turn.is_of_people() => "✋",
        (ConditionState::Pending, _) => "⏳",
    }
}
