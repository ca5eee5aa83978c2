//! Differences between the conditions of two gates.

use crate::{
    domain::rule::ConditionRule,
    engine::policy_diff::PolicyDiff,
    text::message::{duration, quoted},
};

impl PolicyDiff {
    /// Compares the conditions of a gate, each with one of its kind.
    pub(super) fn conditions(&mut self, what: &str, old: &[ConditionRule], new: &[ConditionRule]) {
        let unmatched: Vec<&ConditionRule> = new.iter().filter(|rule| !old.contains(rule)).collect();
        let mut taken: Vec<usize> = Vec::new();
        for rule in old.iter().filter(|rule| !new.contains(rule)) {
            let same = |(at, other): &(usize, &&ConditionRule)| {
                !taken.contains(at) && std::mem::discriminant(rule) == std::mem::discriminant(**other)
            };
            let name = quoted(rule.name());
            match unmatched.iter().enumerate().find(same) {
                None => self.weaker.push(format!("{what}: condition {name} removed")),
                Some((at, other)) => {
                    taken.push(at);
                    let (is_weaker, how) = changed(rule, other);
                    self.note(is_weaker, format!("{what}: condition {name} {how}"));
                }
            }
        }
        for (at, rule) in unmatched.iter().enumerate() {
            if !taken.contains(&at) {
                self.other.push(format!("{what}: condition {} added", quoted(rule.name())));
            }
        }
    }
}

/// Returns whether a changed condition may demand less, and how it changed.
fn changed(old: &ConditionRule, new: &ConditionRule) -> (bool, String) {
    match (old, new) {
        (
            ConditionRule::Approval { count: before, teams: old_teams, mention },
            ConditionRule::Approval { count: after, teams: new_teams, mention: mentions },
        ) => {
            let narrower = !new_teams.is_empty() && new_teams.iter().all(|team| old_teams.contains(team));
            let is_wider = old_teams != new_teams && !narrower;
            let mut how = Vec::new();
            if before != after {
                how.push(format!("takes {after} (was {before})"));
            }
            if old_teams != new_teams {
                how.push("is for other teams".to_owned());
            }
            if mention != mentions {
                how.push((if *mentions { "mentions its teams" } else { "no longer mentions its teams" }).to_owned());
            }
            (after < before || is_wider, how.join(", "))
        }
        (ConditionRule::Reviews { count: before }, ConditionRule::Reviews { count: after }) => {
            (after < before, format!("takes {after} (was {before})"))
        }
        (
            ConditionRule::Deployed { environment, soak: before },
            ConditionRule::Deployed { environment: other, soak: after },
        ) if environment == other => {
            (after < before, format!("takes {} (was {})", duration(*after), duration(*before)))
        }
        (
            ConditionRule::Checks { named: before, report_within: old },
            ConditionRule::Checks { named: after, report_within: new },
        ) => {
            // No name: every check that reports counts.
            let fewer = before.is_empty() && !after.is_empty() || before.iter().any(|check| !after.contains(check));
            (new > old || fewer, "changed".to_owned())
        }
        (
            ConditionRule::Database { environment, want: before },
            ConditionRule::Database { environment: other, want: after },
        ) if environment == other => {
            (after < before, format!("wants {} (was {})", quoted(after.name()), quoted(before.name())))
        }
        _ => (true, "changed".to_owned()),
    }
}
