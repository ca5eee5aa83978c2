//! Differences between two rules for how phasebot deploys and rolls back.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    domain::rule::{AutoRule, DeployRule, RollbackOnIncident, RollbackRule, Trigger},
    engine::policy_diff::{PolicyDiff, Safe, added},
    text::message::quoted,
};

impl PolicyDiff {
    pub(super) fn deploy(&mut self, what: &str, old: Option<&DeployRule>, new: Option<&DeployRule>) {
        let (old, new) = match (old, new) {
            (None, None) => return,
            (_, None) => return self.other.push(format!("{what}: phasebot no longer deploys there")),
            (None, _) => return self.weaker.push(format!("{what}: phasebot deploys there")),
            (Some(old), Some(new)) => (old, new),
        };
        let DeployRule { via, inputs } = old;
        if *via != new.via {
            self.weaker.push(format!("{what}: the way to deploy changed"));
        }
        let allowed = |of: &BTreeMap<String, Vec<String>>| -> BTreeSet<(String, String)> {
            let each = |(name, values): (&String, &Vec<String>)| {
                values.iter().map(|value| (name.clone(), value.clone())).collect::<Vec<_>>()
            };
            of.iter().flat_map(each).collect()
        };
        if *inputs != new.inputs {
            let is_narrower = allowed(&new.inputs).is_subset(&allowed(inputs))
                && new.inputs.iter().all(|(name, values)| inputs.contains_key(name) && !values.is_empty());
            let how = if is_narrower { "fewer inputs are allowed" } else { "other inputs are allowed" };
            self.note(!is_narrower, format!("{what}: {how}"));
        }
    }

    pub(super) fn auto(&mut self, what: &str, old: &AutoRule, new: &AutoRule) {
        let AutoRule { on, tags, branches, services, allow_older } = old;
        for trigger in new.on.iter().filter(|trigger| !on.contains(trigger)) {
            self.weaker.push(format!("{what}: phasebot deploys by itself on {}", each(*trigger)));
        }
        for trigger in on.iter().filter(|trigger| !new.on.contains(trigger)) {
            self.other.push(format!("{what}: phasebot no longer deploys by itself on {}", each(*trigger)));
        }
        if *tags != new.tags {
            let is_narrower =
                new.tags.as_ref().is_some_and(|new| tags.as_ref().is_some_and(|old| added(old, new).is_empty()));
            self.note(!is_narrower, format!("{what}: other tags are deployed by themselves"));
        }
        if *branches != new.branches {
            let is_narrower = (new.branches.as_ref())
                .is_some_and(|new| branches.as_ref().is_some_and(|old| added(old, new).is_empty()));
            self.note(!is_narrower, format!("{what}: commits on other branches are deployed by themselves"));
        }
        if *services != new.services {
            let is_narrower = (new.services.as_ref())
                .is_some_and(|new| services.as_ref().is_some_and(|old| new.iter().all(|name| old.contains(name))));
            self.note(!is_narrower, format!("{what}: other services are deployed by themselves"));
        }
        self.switch(
            (*allow_older, new.allow_older),
            (
                &format!("{what}: an automatic deploy may replace a newer commit"),
                &format!("{what}: an automatic deploy no longer replaces a newer commit"),
            ),
            Safe::Off,
        );
    }

    pub(super) fn rollback(&mut self, what: &str, old: &RollbackRule, new: &RollbackRule) {
        let RollbackRule { last, waive, on_incident } = old;
        for waived in new.waive.iter().filter(|name| !waive.contains(name)) {
            self.weaker.push(format!("{what}: a rollback need not meet {}", quoted(waived.name())));
        }
        for waived in waive.iter().filter(|name| !new.waive.contains(name)) {
            self.other.push(format!("{what}: a rollback has to meet {}", quoted(waived.name())));
        }
        if *last != new.last {
            let words = format!("{what}: a rollback may go back {} deployments (was {last})", new.last);
            self.note(new.last > *last, words);
        }
        // Neither acting by itself nor leaving it to people is known to be safer.
        match (on_incident, &new.on_incident) {
            (old, new) if old == new => {}
            (_, None) => self.weaker.push(format!("{what}: phasebot no longer rolls back by itself on an incident")),
            (None, Some(_)) => self.weaker.push(format!("{what}: phasebot rolls back by itself on an incident")),
            (Some(RollbackOnIncident { .. }), Some(_)) => {
                self.weaker.push(format!("{what}: the bounds of a rollback by itself changed"));
            }
        }
    }
}

fn each(trigger: Trigger) -> &'static str {
    match trigger {
        Trigger::Tag => "each version tag",
        Trigger::Merge => "each merge",
    }
}
