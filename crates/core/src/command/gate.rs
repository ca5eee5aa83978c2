//! Gate that a command is about, and what it requires.

use crate::{
    command::{
        grammar::{Arg, Given, Kind, must},
        messages,
    },
    domain::{
        decision::GateName,
        policy::Policy,
        rule::{ConditionRule, name_key},
    },
    text::{headline::Headline, message::quoted},
};

/// Keyword `release`.
pub(super) const RELEASE: Arg = must("release", Kind::Literal);
/// Keyword `deploy`, before the environment's name.
pub(super) const DEPLOY: Arg = must("deploy", Kind::Literal);
/// Name of the environment.
pub(super) const ENVIRONMENT: Arg = must("ENV", Kind::Word);

/// Returns the gate that a line names, if it names one. `Err`: the reason why there is no such
/// gate, for people.
pub(super) fn named(policy: &Policy, given: &Given) -> Result<Option<GateName>, Headline> {
    if given.has(RELEASE.name) {
        // A policy's only gate may have another name than `release`.
        let only = policy.gates.keys().next().filter(|_| policy.gates.len() == 1);
        let name = policy.gates.keys().find(|name| *name == RELEASE.name).or(only);
        let name = name.ok_or_else(|| messages::no_gate(&quoted(RELEASE.name), "gates"))?;
        return Ok(Some(GateName::Release(name.clone())));
    }
    let Some(name) = given.optional(ENVIRONMENT.name) else { return Ok(None) };
    let name = name_key(name);
    if policy.environment(&name).is_some() {
        Ok(Some(GateName::Deploy(name)))
    } else {
        Err(messages::no_gate(&quoted(&name), "environments"))
    }
}

/// Returns everything that a gate requires, nested conditions included, in the policy's order.
pub(super) fn rules<'p>(policy: &'p Policy, gate: &GateName) -> Vec<&'p ConditionRule> {
    let listed = match gate {
        GateName::Release(name) => policy.gates.get(name).map(|gate| &gate.require),
        GateName::Deploy(name) => policy.environment(name).map(|environment| &environment.require),
    };
    let mut all = Vec::new();
    for rule in listed.into_iter().flatten() {
        rule.walk(&mut |rule| all.push(rule));
    }
    all
}

/// Returns the teams that a gate's approvals require, one list for each approval.
pub(super) fn approvals<'p>(policy: &'p Policy, gate: &GateName) -> Vec<&'p [String]> {
    let rules = rules(policy, gate).into_iter();
    rules
        .filter_map(|rule| {
            let ConditionRule::Approval { teams, .. } = rule else { return None };
            Some(teams.as_slice())
        })
        .collect()
}
