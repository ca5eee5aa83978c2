//! `/override`: lets a gate pass although a condition does not hold.

use crate::{
    command::{
        Place, Row,
        gate::{self, DEPLOY, ENVIRONMENT, RELEASE},
        grammar::{Given, Kind, Value, may, must},
        messages,
        run::{CommandResult, Invocation},
    },
    context::rights::OVERRIDES,
    domain::{
        decision::{Condition, GateName},
        fact::{command::CommandAction, gate::GateFacts},
        rule::ConditionName,
    },
    text::{headline::Headline, message::quoted},
};
use std::collections::BTreeSet;

pub(super) static ROW: Row = Row {
    name: "override",
    forms: &[
        &[RELEASE, must("CONDITION", Kind::Words), may("ref", Kind::Key(Value::Ref)), must("reason", Kind::After)],
        &[
            DEPLOY,
            ENVIRONMENT,
            must("CONDITION", Kind::Words),
            may("ref", Kind::Key(Value::Ref)),
            must("reason", Kind::After),
        ],
        &[must("CONDITION", Kind::Words), must("reason", Kind::After)],
    ],
    least: OVERRIDES,
    place: Place::Anywhere,
    forks: false,
    help: "Lets a gate pass without the named conditions for a time",
    run,
};

fn run(turn: &mut Invocation<'_>, given: &Given) -> CommandResult {
    if let Some(why) = messages::gates_off(turn.facts, turn.policy) {
        return CommandResult::Refused(why);
    }
    let mut conditions: BTreeSet<ConditionName> = BTreeSet::new();
    for word in given.words("CONDITION") {
        let name = word.trim_matches(',');
        let Some(condition) = ConditionName::from_name(name) else {
            let known: Vec<&str> = ConditionName::ALL.iter().map(|known| known.name()).collect();
            return CommandResult::Misread(messages::no_condition(name, &known));
        };
        if turn.policy.overrides.never.contains(&condition) {
            return CommandResult::Refused(messages::never_overridden(condition.name()));
        }
        conditions.insert(condition);
    }
    let found = match gate::named(turn.policy, given) {
        Ok(Some(gate)) => turn.waiting(&gate, given.optional("ref")).map(|waiting| (gate, waiting)),
        Ok(None) => turn.only_gate(&conditions),
        Err(why) => Err(why),
    };
    let (gate, waiting) = match found {
        Ok(found) => found,
        Err(why) => return CommandResult::Refused(why),
    };
    for condition in &conditions {
        match in_the_way(&waiting.decision.conditions, condition.name()) {
            None => return CommandResult::Refused(messages::not_required(condition.name(), &gate.check())),
            Some(false) => return CommandResult::Refused(messages::not_in_the_way(condition.name())),
            Some(true) => {}
        }
    }
    let sha = waiting.decision.sha.clone();
    let Ok(until) = turn.at.checked_add(turn.policy.overrides.ttl) else {
        return CommandResult::Refused(messages::not_in_the_way("override"));
    };
    let names = messages::list(conditions.iter().map(|condition| condition.name()));
    let (short, name) = (sha.code(), quoted(&gate.check()));
    let wants = if turn.policy.overrides.second { "; counts once a second person says the same" } else { "" };
    let done = format!("waives {names} of {name} for {short} until {}{wants}", messages::time(until, turn.policy));
    let policy = turn.policy.version.clone();
    turn.action =
        Some(CommandAction::Override { gate, sha, policy, conditions, reason: given.text("reason").to_owned(), until });
    CommandResult::Done(done)
}

/// Returns whether a condition of this name blocks the gate; `None`: the gate has none.
fn in_the_way(conditions: &[Condition], name: &str) -> Option<bool> {
    let mut found = None;
    for condition in conditions {
        let inner = in_the_way(&condition.parts, name);
        let own = (condition.name == name).then(|| !condition.standing.is_open());
        // Of several conditions with this name, a blocking one counts.
        found = found.max(inner).max(own);
    }
    found
}

impl Invocation<'_> {
    /// Returns the one gate that all of these conditions block.
    fn only_gate(&self, conditions: &BTreeSet<ConditionName>) -> Result<(GateName, &GateFacts), Headline> {
        let mut gates: BTreeSet<&GateName> = BTreeSet::new();
        for (_, known) in self.facts.live_gates().filter(|(_, known)| known.since <= self.at) {
            let decision = &known.decision;
            if conditions.iter().all(|c| in_the_way(&decision.conditions, c.name()) == Some(true)) {
                gates.insert(&decision.gate);
            }
        }
        let mut left = gates.iter();
        match (left.next(), left.next()) {
            (Some(gate), None) => Ok(((*gate).clone(), self.waiting(gate, None)?)),
            _ => Err(messages::which_gate(&gates.iter().map(|gate| gate.check()).collect::<Vec<_>>())),
        }
    }
}
