//! Environments of a policy by name, with those that are made for pull requests.

use crate::domain::{id::ItemId, per_pull::PerPullRule, policy::Policy, rule::EnvironmentRule};

/// An environment that is made for a pull request.
#[derive(Debug, Clone, Copy)]
pub struct Instance<'p> {
    /// The rule of the environment that describes it.
    pub rule: &'p EnvironmentRule,
    /// How it is made.
    pub made: &'p PerPullRule,
    /// The pull request.
    pub pull: ItemId,
}

impl Policy {
    /// Returns the rule for an environment (lower case), also for one that is made for a pull request.
    pub fn environment(&self, name: &str) -> Option<&EnvironmentRule> {
        match self.environments.get(name) {
            Some(rule) if rule.per_pull.is_none() => Some(rule),
            _ => self.instance(name).map(|instance| instance.rule),
        }
    }

    /// Returns the environment (lower case) that is made for a pull request, if the name is that of
    /// one. A name that the policy describes is never one.
    pub fn instance(&self, name: &str) -> Option<Instance<'_>> {
        if self.environments.contains_key(name) {
            return None;
        }
        self.environments.values().find_map(|rule| {
            let made = rule.per_pull.as_ref()?;
            Some(Instance { rule, made, pull: made.pull_of(name)? })
        })
    }

    /// Returns the name of an environment (lower case) as the policy writes it.
    pub fn spelled(&self, name: &str) -> Option<String> {
        match self.instance(name) {
            Some(instance) => Some(instance.made.name_for(instance.pull)),
            None => self.environment(name).map(|rule| rule.name.clone()),
        }
    }
}
