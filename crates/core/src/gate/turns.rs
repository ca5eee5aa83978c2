//! Turns of conditions: who opens a gate that a condition keeps closed.

use jiff::Timestamp;

use crate::{
    context::rights::{DEPLOYS, OVERRIDES, WRITERS, who_may},
    domain::{
        decision::{Condition, ConditionState},
        fact::deploy_request::{Origin, RequestKind},
        id::Sha,
        policy::FILE,
        rule::ConditionName,
        turn::Turn,
    },
    gate::{ConditionContext, condition_order::rank},
    text::{
        message::{command_line, moment, person, quoted},
        people,
    },
};

impl ConditionContext<'_, '_> {
    /// Returns the turn of those who may deploy a commit to another environment.
    pub(super) fn deploys(self, sha: &Sha, environment: &str) -> Turn {
        let by_command = self.eval.policy.environments.get(environment).is_some_and(|rule| rule.deploy.is_some());
        if !by_command {
            return Turn::people(WRITERS, format!("deploy {} to {}", sha.code(), quoted(environment)));
        }
        // Whoever rolls back, promotes or publishes need not be allowed to deploy.
        let request = self.subject.request.as_ref().and_then(|id| self.eval.facts.requests.get(id));
        let request = request.filter(|request| request.kind == RequestKind::Deploy);
        let request = request.filter(|request| matches!(request.origin, Origin::Command(_)));
        let asker = request.map(|request| format!("{} (asked for it)", person(&request.by.login)));
        let reference = format!("ref={}", sha.short());
        let who = asker.unwrap_or_else(|| who_may(self.eval.policy, "deploy", DEPLOYS));
        Turn::people(who, command_line(&["deploy", environment, &reference]))
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
            Some(environment) => {
                command_line(&["override", "deploy", environment, condition.name(), "reason:", "TEXT"])
            }
            None => command_line(&["override", "release", condition.name(), "reason:", "TEXT"]),
        };
        Turn::people(who_may(self.eval.policy, "override", OVERRIDES), line)
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
    Turn::people("phasebot's administrator", "grant what `phasebot doctor` names")
}

/// Returns the turn of an `all`: that of the part which opens it.
pub(super) fn of_all<'a>(parts: impl Iterator<Item = &'a Condition>) -> Turn {
    let first = parts.filter(|part| !part.standing.is_open()).min_by_key(|part| rank(part));
    first.map_or(Turn::Untold, |part| part.turn.clone())
}

/// Returns the turn of an `any`: that of the part which opens it. Nobody mends what failed while
/// another part is under way.
pub(super) fn of_any<'a>(parts: impl Iterator<Item = &'a Condition>) -> Turn {
    let closed = parts.filter(|part| !part.standing.is_open());
    let first = closed.min_by_key(|part| (part.standing != ConditionState::Pending, rank(part)));
    first.map_or(Turn::Untold, |part| part.turn.clone())
}

/// Returns the turn of a `not`, whose part must not hold.
pub(super) fn of_not(part: &Condition, standing: ConditionState) -> Turn {
    match standing {
        ConditionState::Pass | ConditionState::Waived => Turn::Untold,
        ConditionState::Pending if part.next_at.is_some() => {
            Turn::by_itself("phasebot goes on when it no longer holds")
        }
        ConditionState::Pending | ConditionState::Error if part.standing != ConditionState::Pass => part.turn.clone(),
        ConditionState::Pending | ConditionState::Error | ConditionState::Fail => {
            Turn::people(WRITERS, format!("end it, or change the policy in `{FILE}`"))
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::{
        domain::decision::{Decision, GateName},
        gate::{check_run, condition_result::ConditionResult},
    };

    #[test]
    fn a_person_acts_before_what_ends_by_itself() {
        let person = Turn::people("**bob**", "approve it");
        let failed = ConditionResult::fail("failed", "it failed", Turn::by_itself("it is tried again")).condition;
        let waits = ConditionResult::wait("waits", "it waits", person.clone()).condition;
        assert_eq!(of_all([&failed, &waits].into_iter()), person);
        let refused = ConditionResult::error("refused", "GitHub did not say it", refused()).condition;
        assert!(of_all([&waits, &refused].into_iter()).is_of_people());
        assert_eq!(of_all([&refused, &failed].into_iter()), refused.turn);
    }

    #[test]
    fn of_several_ways_the_one_under_way_opens_the_gate() {
        let failed = ConditionResult::fail("failed", "it failed", Turn::people("**bob**", "mend it")).condition;
        let runs = ConditionResult::wait("runs", "it runs", Turn::by_itself("it ends")).condition;
        assert_eq!(of_any([&failed, &runs].into_iter()), runs.turn);
        assert_eq!(of_any([&failed].into_iter()), failed.turn);
    }

    #[test]
    fn a_condition_whose_turn_is_not_recorded_still_blocks() {
        let stored = r#"{"name": "hold", "standing": "pending", "code": "held", "sentence": "item 5 is on hold",
            "link": null, "observed_at": null, "next_at": null, "parts": []}"#;
        let condition: Condition = serde_json::from_str(stored).unwrap();
        let decision = Decision {
            gate: GateName::Deploy("staging".to_owned()),
            sha: "a".repeat(40).parse().unwrap(),
            policy: String::new(),
            at: Timestamp::UNIX_EPOCH,
            standing: ConditionState::Pending,
            needs_person: true,
            conditions: vec![condition],
            next_at: None,
        };
        assert_eq!(check_run::title(&decision), "Blocked: 1 of 1 — item 5 is on hold");
    }
}
