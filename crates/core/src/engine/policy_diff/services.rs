//! Differences in what belongs to which service.

use std::collections::BTreeMap;

use crate::{
    domain::{policy::Pattern, rule::ServiceRule},
    engine::policy_diff::{PolicyDiff, added},
    text::message::quoted,
};

impl PolicyDiff {
    /// Compares the services. What belongs to a service decides what a gate looks at, so that no
    /// change of one is known to be narrower.
    pub(super) fn services(&mut self, old: &BTreeMap<String, ServiceRule>, new: &BTreeMap<String, ServiceRule>) {
        for (name, service) in old {
            let what = format!("service {}", quoted(name));
            let ServiceRule { paths, tags, environments, label } = service;
            let Some(new) = new.get(name) else {
                self.weaker.push(format!("{what} removed"));
                continue;
            };
            let parts = [
                ("paths", *paths != new.paths),
                ("tags", *tags != new.tags),
                ("environments", *environments != new.environments),
            ];
            for (part, _) in parts.iter().filter(|(_, differs)| *differs) {
                self.weaker.push(format!("{what} has other {part}"));
            }
            if *label != new.label {
                let now = new.label.as_ref().map_or_else(|| "no label".to_owned(), |label| quoted(label));
                self.other.push(format!("items of {what} get {now}"));
            }
        }
        for name in new.keys().filter(|name| !old.contains_key(*name)) {
            self.weaker.push(format!("service {} added: gates look at its own changes only", quoted(name)));
        }
    }

    pub(super) fn shared(&mut self, old: &[Pattern], new: &[Pattern]) {
        let fewer = added(new, old);
        if !fewer.is_empty() {
            self.weaker.push(format!("{} no longer belong to every service", fewer.join(", ")));
        }
        let more = added(old, new);
        if !more.is_empty() {
            self.other.push(format!("{} belong to every service", more.join(", ")));
        }
    }
}
