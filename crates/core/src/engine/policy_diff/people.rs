//! Differences in what people may do: who may use which command, and what an override may waive.

use crate::{
    command::{COMMANDS, permissions, who},
    domain::{
        permission::Grant,
        policy::{CommandRules, Policy},
        rule::OverrideRule,
    },
    engine::policy_diff::{Longer, PolicyDiff, Safe},
    text::message::quoted,
};

impl PolicyDiff {
    /// Compares who may use each command.
    pub(super) fn grants(&mut self, old: &Policy, new: &Policy) {
        for row in COMMANDS {
            let (before, after) = (permissions::grant(old, row).0, permissions::grant(new, row).0);
            if before != after {
                let is_weaker = !covers(&before, &after);
                self.note(is_weaker, format!("`/{}` is for {} (was {})", row.name, who(&after), who(&before)));
            }
        }
    }

    pub(super) fn commands(&mut self, old: &CommandRules, new: &CommandRules) {
        let CommandRules {
            bare,
            // Compared by `grants`, with the defaults.
            permissions: _,
            apps,
            zone,
        } = old;
        for app in new.apps.difference(apps) {
            self.weaker.push(format!("the App {} may write commands in people's names", quoted(app)));
        }
        for app in apps.difference(&new.apps) {
            self.other.push(format!("the App {} may not write commands in people's names", quoted(app)));
        }
        if *bare != new.bare {
            let form = if new.bare { "also work without" } else { "work only after" };
            self.other.push(format!("commands {form} `/phasebot`"));
        }
        if *zone != new.zone {
            self.other.push("times are read and written in another time zone".to_owned());
        }
    }

    pub(super) fn overrides(&mut self, old: &OverrideRule, new: &OverrideRule) {
        let OverrideRule { second, ttl, never } = old;
        for name in never.iter().filter(|name| !new.never.contains(name)) {
            self.weaker.push(format!("`/override` may waive {}", quoted(name.name())));
        }
        for name in new.never.iter().filter(|name| !never.contains(name)) {
            self.other.push(format!("`/override` may no longer waive {}", quoted(name.name())));
        }
        self.switch(
            (*second, new.second),
            ("`/override` needs a second person", "`/override` no longer needs a second person"),
            Safe::On,
        );
        self.span("the time for which an override is valid", *ttl, new.ttl, Some(Longer(false)));
    }
}

/// Returns whether everyone who has `after` also had `before`, as far as that is certain.
fn covers(before: &Grant, after: &Grant) -> bool {
    match (before, after) {
        (Grant::AtLeast(before), Grant::AtLeast(after)) => after >= before,
        (Grant::Teams(before), Grant::Teams(after)) => after.iter().all(|team| before.contains(team)),
        (Grant::AtLeast(_), Grant::Teams(_)) | (Grant::Teams(_), Grant::AtLeast(_)) => false,
    }
}
