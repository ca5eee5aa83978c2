//! Approvals that keep a gate closed, and the people who may give them.

use crate::{
    domain::decision::{Condition, Decision, MissingApproval},
    gate::condition_order,
};

/// Approvals that a closed gate still needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Missing<'a> {
    /// One approval.
    One(&'a MissingApproval),
    /// Each of these.
    All(Vec<Missing<'a>>),
    /// Any of these.
    Any(Vec<Missing<'a>>),
}

/// Returns the approvals that a decision lacks; `None`: it lacks none, or is open.
pub(crate) fn of_gate(decision: &Decision) -> Option<Missing<'_>> {
    group(&decision.conditions, Missing::All)
}

/// Returns the approvals that a condition, or its parts, lack.
pub(crate) fn of_condition(condition: &Condition) -> Option<Missing<'_>> {
    if condition.standing.is_open() {
        return None;
    }
    match condition.name.as_str() {
        "all" => group(&condition.parts, Missing::All),
        "any" => group(&condition.parts, Missing::Any),
        // An approval would not open it.
        "not" => None,
        _ => condition.approval.as_ref().map(Missing::One),
    }
}

fn group<'a>(conditions: &'a [Condition], of: fn(Vec<Missing<'a>>) -> Missing<'a>) -> Option<Missing<'a>> {
    let mut found: Vec<Missing<'a>> = Vec::new();
    for missing in conditions.iter().filter_map(of_condition) {
        if !found.contains(&missing) {
            found.push(missing);
        }
    }
    match found.len() {
        0 | 1 => found.pop(),
        _ => Some(of(found)),
    }
}

/// Returns the conditions that keep a gate closed besides the approvals that it lacks, a person's
/// turn first.
pub(crate) fn others(decision: &Decision) -> Vec<&Condition> {
    let mut found = Vec::new();
    for condition in condition_order::blocking(decision) {
        besides(condition, &mut found);
    }
    found
}

fn besides<'a>(condition: &'a Condition, found: &mut Vec<&'a Condition>) {
    if condition.standing.is_open() {
        return;
    }
    match (of_condition(condition), condition.name.as_str()) {
        (None, _) => found.push(condition),
        (Some(_), "all") => condition.parts.iter().for_each(|part| besides(part, found)),
        // The approval alone opens it.
        (Some(_), _) => {}
    }
}

impl Missing<'_> {
    /// Returns the words for those who have to approve; `one` are the words for one approval.
    pub(crate) fn words(&self, one: &impl Fn(&MissingApproval) -> String) -> String {
        let joined = |parts: &[Self], with: &str| {
            let nested = |part: &Self| match part {
                Self::One(_) => part.words(one),
                Self::All(_) | Self::Any(_) => format!("({})", part.words(one)),
            };
            parts.iter().map(nested).collect::<Vec<_>>().join(with)
        };
        match self {
            Self::One(approval) => one(approval),
            Self::All(parts) => joined(parts, " and "),
            Self::Any(parts) => joined(parts, " or "),
        }
    }
}
