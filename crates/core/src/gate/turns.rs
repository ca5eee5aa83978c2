//! Turns of conditions: who opens a gate that a condition keeps closed.

use jiff::Timestamp;

use crate::{
    context::rights::{DEPLOYS, OVERRIDES, WRITERS, who_may},
    domain::{
        decision::{Condition, ConditionState},
        id::Sha,
        policy::FILE,
        rule::ConditionName,
        turn::Turn,
    },
    gate::{ConditionContext, check_run},
    text::{
        message::{command, moment, person, quoted},
        people,
    },
};

impl ConditionContext<'_, '_> {
    /// Returns the turn of those who may deploy a commit to another environment.
    pub(super) fn deploys(self, sha: &Sha, environment: &str) -> Turn {
        let by_command = self.eval.policy.environments.get(environment).is_some_and(|rule| rule.deploy.is_some());
        let asker = self.subject.requester.as_ref().map(|asker| format!("{} (asked for it)", person(&asker.login)));
        if !by_command {
            let act = format!("deploy {} to {}", sha.code(), quoted(environment));
            return Turn::people(asker.unwrap_or_else(|| WRITERS.to_owned()), act);
        }
        let reference = format!("ref={}", sha.short());
        let line = command(&["deploy", environment, &reference]);
        let who = asker.unwrap_or_else(|| who_may(self.eval.policy, "deploy", DEPLOYS));
        Turn::people(who, format!("comment {line}"))
    }

    /// Returns the people who made a commit, or who can mend it.
    pub(super) fn makers(self) -> String {
        people::makers(self.eval.facts, &self.subject.sha).unwrap_or_else(|| WRITERS.to_owned())
    }

    /// Returns the turn of those who may override a condition that nothing else opens.
    pub(super) fn overrides(self, condition: ConditionName) -> Turn {
        if self.eval.policy.overrides.never.contains(&condition) {
            return edits_policy(&format!("change what {} requires", quoted(condition.name())));
        }
        let line = match self.subject.environment() {
            Some(environment) => command(&["override", "deploy", environment, condition.name(), "reason:", "TEXT"]),
            None => command(&["override", "release", condition.name(), "reason:", "TEXT"]),
        };
        Turn::people(who_may(self.eval.policy, "override", OVERRIDES), format!("comment {line}"))
    }

    /// Returns the turn of phasebot, which evaluates the gate again at a time.
    pub(super) fn at(self, what: &str, at: Timestamp) -> Turn {
        Turn::by_itself(format!("{what} {}", moment(at, &self.eval.policy.commands.zone)))
    }
}

/// Returns the turn of those who may change the policy.
pub(super) fn edits_policy(what: &str) -> Turn {
    Turn::people(WRITERS, format!("{what} in `{FILE}`"))
}

/// Returns the turn after GitHub refused an answer.
pub(super) fn refused() -> Turn {
    Turn::by_itself("phasebot asks GitHub again, and `phasebot doctor` shows its administrator what is missing")
}

/// Returns the turn of a combinator: that of the part which opens it.
pub(super) fn of_parts<'a>(parts: impl Iterator<Item = &'a Condition>) -> Turn {
    let mut closed: Vec<&Condition> = parts.filter(|part| !part.standing.is_open()).collect();
    closed.sort_by_key(|part| check_run::rank(part));
    closed.first().map_or(Turn::Nobody, |part| part.turn.clone())
}

/// Returns the turn of a `not`, whose part must not hold.
pub(super) fn of_not(part: &Condition, standing: ConditionState) -> Turn {
    match standing {
        ConditionState::Pass | ConditionState::Waived => Turn::Nobody,
        ConditionState::Pending if part.next_at.is_some() => {
            Turn::by_itself("phasebot goes on when it no longer holds")
        }
        ConditionState::Pending | ConditionState::Error if part.standing != ConditionState::Pass => part.turn.clone(),
        ConditionState::Pending | ConditionState::Error | ConditionState::Fail => {
            Turn::people(WRITERS, format!("end it, or change the policy in `{FILE}`"))
        }
    }
}
