//! Difference between two policies: first what the proposed one protects less than the present one.
//! A difference that may weaken counts as one that does.

use crate::{
    command::{COMMANDS, permissions},
    domain::{
        permission::Grant,
        policy::{Mode, Pattern, Policy},
        rule::{ConditionRule, EnvironmentRule, GateRule},
    },
    text::message::{duration, quoted},
};

/// Limit on the differences of one kind that are named.
const MOST: usize = 30;

/// Differences between two policies, each a phrase in Markdown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PolicyDiff {
    /// Changes that protect less.
    pub weaker: Vec<String>,
    /// Changes that protect more, or differ otherwise.
    pub other: Vec<String>,
    /// True if gates and deploys are switched off.
    pub turns_gates_off: bool,
}

/// Compares the policy in force with a proposed one.
pub fn diff(current: &Policy, proposed: &Policy) -> PolicyDiff {
    let mut found = PolicyDiff::default();
    found.mode(current.mode, proposed.mode);
    for (name, gate) in &current.gates {
        let what = format!("gate {}", quoted(name));
        match proposed.gates.get(name) {
            None => found.weaker.push(format!("{what} removed")),
            Some(new) => found.gate(&what, gate, new),
        }
    }
    found.added("gate", current.gates.keys(), proposed.gates.keys());
    for (name, rule) in &current.environments {
        let what = format!("environment {}", quoted(name));
        match proposed.environments.get(name) {
            None => found.weaker.push(format!("{what} removed")),
            Some(new) => found.environment(&what, rule, new),
        }
    }
    found.added("environment", current.environments.keys(), proposed.environments.keys());
    found.people(current, proposed);
    found.rest(current, proposed);
    found.weaker.truncate(MOST);
    found.other.truncate(MOST);
    found
}

impl PolicyDiff {
    /// Returns whether the policies do not differ in anything that protects.
    pub fn is_empty(&self) -> bool {
        self.weaker.is_empty() && self.other.is_empty()
    }

    fn note(&mut self, is_weaker: bool, what: String) {
        if is_weaker { self.weaker.push(what) } else { self.other.push(what) }
    }

    fn mode(&mut self, old: Mode, new: Mode) {
        let effect = match (old, new) {
            _ if old == new => return,
            (Mode::Act, _) => "**gates and deploys are switched off**",
            (_, Mode::Observe) => "labels, answers and feedback issues are switched off",
            (_, Mode::Act) => "gates and deploys are switched on",
            (_, Mode::Label) => "labels, answers and feedback issues are switched on",
        };
        self.turns_gates_off = old == Mode::Act;
        self.note(new < old, format!("`mode` {} → {}: {effect}", mode(old), mode(new)));
    }

    fn added<'a>(&mut self, what: &str, old: impl Iterator<Item = &'a String>, new: impl Iterator<Item = &'a String>) {
        let known: Vec<&String> = old.collect();
        self.other
            .extend(new.filter(|name| !known.contains(name)).map(|name| format!("{what} {} added", quoted(name))));
    }

    fn gate(&mut self, what: &str, old: &GateRule, new: &GateRule) {
        self.conditions(what, &old.require, &new.require);
        if old.tag != new.tag {
            self.weaker.push(format!("{what} applies to other tags"));
        }
        if old.draft != new.draft {
            let applies = if new.draft { "also applies" } else { "no longer applies" };
            self.note(old.draft, format!("{what} {applies} to draft releases"));
        }
        if old.publish != new.publish {
            let publishes =
                if new.publish { "publishes draft releases by itself" } else { "no longer publishes by itself" };
            self.other.push(format!("{what} {publishes}"));
        }
        if old.issue_on_violation != new.issue_on_violation {
            let reports = if new.issue_on_violation { "reports" } else { "no longer reports" };
            self.note(old.issue_on_violation, format!("{what} {reports} tags that break it"));
        }
    }

    fn environment(&mut self, what: &str, old: &EnvironmentRule, new: &EnvironmentRule) {
        self.conditions(what, &old.require, &new.require);
        for before in old.after.iter().filter(|name| !new.after.contains(name)) {
            self.weaker.push(format!("{what} no longer requires a deploy to {} first", quoted(before)));
        }
        for before in new.after.iter().filter(|name| !old.after.contains(name)) {
            self.other.push(format!("{what} requires a deploy to {} first", quoted(before)));
        }
        if old.unmerged != new.unmerged {
            let accepts = if new.unmerged { "also accepts" } else { "no longer accepts" };
            self.note(new.unmerged, format!("{what} {accepts} unmerged changes"));
        }
        if old.best_effort != new.best_effort {
            let may = if new.best_effort { "may deploy" } else { "no longer deploys" };
            self.note(new.best_effort, format!("{what} {may} with a workflow that takes no commit"));
        }
        if old.production != new.production {
            self.note(old.production == Some(true), format!("{what}: `production` changed"));
        }
        for waived in new.rollback.waive.iter().filter(|name| !old.rollback.waive.contains(name)) {
            self.weaker.push(format!("{what}: a rollback need not meet {}", quoted(waived.name())));
        }
        if old.auto != new.auto {
            self.other.push(format!("{what}: automatic deploys changed"));
        }
        if old.deploy != new.deploy {
            let how = match (&old.deploy, &new.deploy) {
                (_, None) => "phasebot no longer deploys there",
                (None, _) => "phasebot deploys there",
                _ => "the way to deploy changed",
            };
            self.other.push(format!("{what}: {how}"));
        }
    }

    fn conditions(&mut self, what: &str, old: &[ConditionRule], new: &[ConditionRule]) {
        let unmatched: Vec<&ConditionRule> = new.iter().filter(|rule| !old.contains(rule)).collect();
        let mut taken: Vec<usize> = Vec::new();
        for rule in old.iter().filter(|rule| !new.contains(rule)) {
            let same = |(at, other): &(usize, &&ConditionRule)| {
                !taken.contains(at) && std::mem::discriminant(rule) == std::mem::discriminant(**other)
            };
            let name = quoted(name(rule));
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
                self.other.push(format!("{what}: condition {} added", quoted(name(rule))));
            }
        }
    }

    fn people(&mut self, old: &Policy, new: &Policy) {
        for row in COMMANDS {
            let (before, after) = (permissions::grant(old, row).0, permissions::grant(new, row).0);
            if before != after {
                let is_weaker = !covers(&before, &after);
                self.note(is_weaker, format!("`/{}` is for {} (was {})", row.name, who(&after), who(&before)));
            }
        }
        for app in new.commands.apps.difference(&old.commands.apps) {
            self.weaker.push(format!("the App {} may write commands in people's names", quoted(app)));
        }
        let (before, after) = (&old.overrides, &new.overrides);
        for name in before.never.iter().filter(|name| !after.never.contains(name)) {
            self.weaker.push(format!("`/override` may waive {}", quoted(name.name())));
        }
        if before.second != after.second {
            let needs = if after.second { "needs" } else { "no longer needs" };
            self.note(before.second, format!("`/override` {needs} a second person"));
        }
        if before.ttl != after.ttl {
            let words = format!("an override is valid for {} (was {})", duration(after.ttl), duration(before.ttl));
            self.note(after.ttl > before.ttl, words);
        }
    }

    fn rest(&mut self, old: &Policy, new: &Policy) {
        for freeze in old.freezes.iter().filter(|freeze| !new.freezes.contains(freeze)) {
            let name = quoted(&freeze.environment);
            self.weaker.push(format!("a freeze of {name} removed or changed"));
        }
        for freeze in new.freezes.iter().filter(|freeze| !old.freezes.contains(freeze)) {
            self.other.push(format!("a freeze of {} added", quoted(&freeze.environment)));
        }
        if old.policy_check_required && !new.policy_check_required {
            self.weaker.push("`policy_check` is no longer required".to_owned());
        }
        let missing = |of: &[Pattern], from: &[Pattern]| -> Vec<String> {
            of.iter().filter(|one| !from.contains(one)).map(|one| quoted(one.as_str())).collect()
        };
        let branches = missing(&new.branches, &old.branches);
        if !branches.is_empty() {
            self.weaker.push(format!("commits on {} count as merged", branches.join(", ")));
        }
        let branches = missing(&old.branches, &new.branches);
        if !branches.is_empty() {
            self.other.push(format!("commits on {} no longer count as merged", branches.join(", ")));
        }
        let ignored = missing(&new.checks.ignore, &old.checks.ignore);
        if !ignored.is_empty() {
            self.weaker.push(format!("the checks {} never count", ignored.join(", ")));
        }
        if old.alerts != new.alerts {
            self.other.push("rules for alerts changed".to_owned());
        }
    }
}

/// Returns whether a changed condition may demand less, and how it changed.
fn changed(old: &ConditionRule, new: &ConditionRule) -> (bool, String) {
    match (old, new) {
        (
            ConditionRule::Approval { count: before, teams: old_teams, .. },
            ConditionRule::Approval { count: after, teams: new_teams, .. },
        ) => {
            let narrower = !new_teams.is_empty() && new_teams.iter().all(|team| old_teams.contains(team));
            let wider = old_teams != new_teams && !narrower;
            let teams = if old_teams == new_teams { "" } else { ", other teams" };
            (after < before || wider, format!("takes {after} (was {before}){teams}"))
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
        _ => (true, "changed".to_owned()),
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

fn who(grant: &Grant) -> String {
    match grant {
        Grant::AtLeast(role) => format!("{} access", role.name()),
        Grant::Teams(teams) => teams.iter().map(|team| quoted(team)).collect::<Vec<_>>().join(", "),
    }
}

fn name(rule: &ConditionRule) -> &'static str {
    match rule.condition() {
        Some(condition) => condition.name(),
        None if matches!(rule, ConditionRule::All(_)) => "all",
        None if matches!(rule, ConditionRule::Any(_)) => "any",
        None => "not",
    }
}

fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Observe => "observe",
        Mode::Label => "label",
        Mode::Act => "act",
    }
}
