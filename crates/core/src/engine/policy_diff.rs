//! Difference between two policies: first what the proposed one protects less than the present one.
//! A difference counts as weaker unless it is known to be narrower. Every rule is taken apart field
//! by field, so that a new field does not compile until it is compared here.

mod alerts;
mod conditions;
mod deploys;
mod people;
mod services;

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;

use crate::{
    domain::{
        notice::NoticeRule,
        policy::{CheckRules, Mode, Pattern, Policy},
        rule::{Busy, EnvironmentRule, FreezeRule, GateRule},
    },
    text::message::{duration, quoted},
};

/// Differences between two policies, each a phrase in Markdown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PolicyDiff {
    /// Changes that protect less, or may.
    pub weaker: Vec<String>,
    /// Changes that protect more, or concern no protection.
    pub other: Vec<String>,
    /// True if gates and deploys are switched off.
    pub turns_gates_off: bool,
}

/// Compares the policy in force with a proposed one.
pub fn diff(current: &Policy, proposed: &Policy) -> PolicyDiff {
    let Policy {
        // They name the policy.
        source: _,
        version: _,
        mode,
        // The preview shows which labels they move.
        phases: _,
        ignore: _,
        branches,
        checks,
        environments,
        services,
        shared,
        notes,
        gates,
        freezes,
        overrides,
        commands,
        alerts,
        insight,
        notices,
        policy_check_required,
    } = current;
    let mut found = PolicyDiff::default();
    found.mode(*mode, proposed.mode);
    found.gates(gates, &proposed.gates);
    found.environments(environments, &proposed.environments);
    found.grants(current, proposed);
    found.commands(commands, &proposed.commands);
    found.overrides(overrides, &proposed.overrides);
    found.freezes(freezes, &proposed.freezes);
    found.switch(
        (*policy_check_required, proposed.policy_check_required),
        ("`policy_check` is required", "`policy_check` is no longer required"),
        Safe::On,
    );
    found.branches(branches, &proposed.branches);
    found.checks(checks, &proposed.checks);
    found.services(services, &proposed.services);
    found.shared(shared, &proposed.shared);
    if *notes != proposed.notes {
        found.other.push("the groups of release notes changed".to_owned());
    }
    found.alerts(alerts, &proposed.alerts);
    if *insight != proposed.insight {
        found.other.push("the rules for delivery metrics changed".to_owned());
    }
    found.notices(notices, &proposed.notices);
    found
}

/// The side of a switch that protects more.
#[derive(Clone, Copy, PartialEq)]
enum Safe {
    On,
    Off,
}

impl PolicyDiff {
    /// Returns whether the policies do not differ in anything that protects.
    pub fn is_empty(&self) -> bool {
        self.weaker.is_empty() && self.other.is_empty()
    }

    fn note(&mut self, is_weaker: bool, what: String) {
        if is_weaker { self.weaker.push(what) } else { self.other.push(what) }
    }

    /// Compares a switch; `words` are those for on and off.
    fn switch(&mut self, (old, new): (bool, bool), (on, off): (&str, &str), safe: Safe) {
        if old != new {
            let is_weaker = new != (safe == Safe::On);
            self.note(is_weaker, (if new { on } else { off }).to_owned());
        }
    }

    /// Compares a duration; `narrower` is the change that protects more, if one is known to.
    fn span(&mut self, what: &str, old: SignedDuration, new: SignedDuration, narrower: Option<Longer>) {
        if old != new {
            let is_narrower = narrower.is_some_and(|Longer(longer)| longer == (new > old));
            self.note(!is_narrower, format!("{what} is {} (was {})", duration(new), duration(old)));
        }
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
        self.note(new < old, format!("`mode` {} → {}: {effect}", old.name(), new.name()));
    }

    fn notices(&mut self, old: &[NoticeRule], new: &[NoticeRule]) {
        let targets = |rules: &[NoticeRule]| -> BTreeSet<String> { rules.iter().map(|rule| rule.to.clone()).collect() };
        let (before, after) = (targets(old), targets(new));
        for target in after.difference(&before) {
            self.other.push(format!("notices are sent to {}", quoted(target)));
        }
        for target in before.difference(&after) {
            self.weaker.push(format!("no notices are sent to {} any more", quoted(target)));
        }
        if before == after && old != new {
            self.other.push("other notices are sent".to_owned());
        }
    }

    fn gates(&mut self, old: &BTreeMap<String, GateRule>, new: &BTreeMap<String, GateRule>) {
        for (name, gate) in old {
            let what = format!("gate {}", quoted(name));
            match new.get(name) {
                None => self.weaker.push(format!("{what} removed")),
                Some(new) => self.gate(&what, gate, new),
            }
        }
        for (name, gate) in new.iter().filter(|(name, _)| !old.contains_key(*name)) {
            let publishes = if gate.publish { "; it publishes draft releases by itself" } else { "" };
            self.note(gate.publish, format!("gate {} added{publishes}", quoted(name)));
        }
    }

    fn gate(&mut self, what: &str, old: &GateRule, new: &GateRule) {
        let GateRule { tag, draft, report_branch, require, publish, notes, issue_on_violation } = old;
        self.conditions(what, require, &new.require);
        if *tag != new.tag {
            // A gate of drafts without a pattern guards every draft.
            self.note(tag.is_some() || *draft, format!("{what} applies to other tags"));
        }
        self.switch(
            (*draft, new.draft),
            (&format!("{what} also applies to draft releases"), &format!("{what} no longer applies to draft releases")),
            Safe::On,
        );
        self.switch(
            (*publish, new.publish),
            (
                &format!("{what} publishes draft releases by itself"),
                &format!("{what} no longer publishes draft releases by itself"),
            ),
            Safe::Off,
        );
        self.switch(
            (*report_branch, new.report_branch),
            (
                &format!("{what} also reports on the default branch"),
                &format!("{what} no longer reports on the default branch"),
            ),
            Safe::On,
        );
        self.switch(
            (*issue_on_violation, new.issue_on_violation),
            (&format!("{what} reports tags that break it"), &format!("{what} no longer reports tags that break it")),
            Safe::On,
        );
        if *notes != new.notes {
            let writes = if new.notes { "lists" } else { "no longer lists" };
            self.other.push(format!("{what} {writes} what a draft release carries in its text"));
        }
    }

    fn environments(&mut self, old: &BTreeMap<String, EnvironmentRule>, new: &BTreeMap<String, EnvironmentRule>) {
        for (name, rule) in old {
            let what = format!("environment {}", quoted(name));
            match new.get(name) {
                None => self.weaker.push(format!("{what} removed")),
                Some(new) => self.environment(&what, rule, new),
            }
        }
        for (name, rule) in new.iter().filter(|(name, _)| !old.contains_key(*name)) {
            let by_itself = !rule.auto.on.is_empty() || rule.rollback.on_incident.is_some();
            let deploys = if by_itself { "; phasebot deploys there by itself" } else { "" };
            // To an environment that the policy does not describe, nothing is deployed.
            let is_guarded = !(rule.require.is_empty() && rule.after.is_empty());
            let opens = by_itself || rule.deploy.is_some() || rule.unmerged || !is_guarded;
            self.note(opens, format!("environment {} added{deploys}", quoted(name)));
        }
    }

    fn environment(&mut self, what: &str, old: &EnvironmentRule, new: &EnvironmentRule) {
        let EnvironmentRule {
            name,
            production,
            after,
            deploy,
            auto,
            unmerged,
            best_effort,
            require,
            rollback,
            when_busy,
            per_pull,
            database,
        } = old;
        if *database != new.database {
            self.weaker.push(format!("{what}: the database whose schema changes count changed"));
        }
        if *per_pull != new.per_pull {
            self.weaker.push(format!("{what}: the environments for pull requests changed"));
        }
        self.conditions(what, require, &new.require);
        for before in after.iter().filter(|name| !new.after.contains(name)) {
            self.weaker.push(format!("{what} no longer requires a deploy to {} first", quoted(before)));
        }
        for before in new.after.iter().filter(|name| !after.contains(name)) {
            self.other.push(format!("{what} requires a deploy to {} first", quoted(before)));
        }
        self.switch(
            (*unmerged, new.unmerged),
            (&format!("{what} also accepts unmerged changes"), &format!("{what} no longer accepts unmerged changes")),
            Safe::Off,
        );
        self.switch(
            (*best_effort, new.best_effort),
            (
                &format!("{what} may deploy with a workflow that takes no commit"),
                &format!("{what} no longer deploys with a workflow that takes no commit"),
            ),
            Safe::Off,
        );
        if *production != new.production {
            let is = match new.production {
                Some(true) => "is production",
                Some(false) => "is not production",
                None => "is production if GitHub says so",
            };
            self.note(new.production != Some(true), format!("{what} {is}"));
        }
        self.deploy(what, deploy.as_ref(), new.deploy.as_ref());
        self.auto(what, auto, &new.auto);
        self.rollback(what, rollback, &new.rollback);
        if *when_busy != new.when_busy {
            let how = match new.when_busy {
                Busy::Queue => "waits for its turn",
                Busy::Refuse => "is refused",
            };
            self.note(new.when_busy != Busy::Refuse, format!("{what}: a deploy beside another one {how}"));
        }
        // Names are compared without case; the written form is what GitHub is sent.
        if *name != new.name {
            self.other.push(format!("{what} is written {}", quoted(&new.name)));
        }
    }

    fn freezes(&mut self, old: &[FreezeRule], new: &[FreezeRule]) {
        for freeze in old.iter().filter(|freeze| !new.contains(freeze)) {
            self.weaker.push(format!("a freeze of {} removed or changed", quoted(&freeze.environment)));
        }
        for freeze in new.iter().filter(|freeze| !old.contains(freeze)) {
            self.other.push(format!("a freeze of {} added", quoted(&freeze.environment)));
        }
    }

    fn branches(&mut self, old: &[Pattern], new: &[Pattern]) {
        let more = added(old, new);
        if !more.is_empty() {
            self.weaker.push(format!("commits on {} count as merged", more.join(", ")));
        }
        let fewer = added(new, old);
        if !fewer.is_empty() {
            self.other.push(format!("commits on {} no longer count as merged", fewer.join(", ")));
        }
    }

    fn checks(&mut self, old: &CheckRules, new: &CheckRules) {
        let CheckRules { ignore, settle } = old;
        let more = added(ignore, &new.ignore);
        if !more.is_empty() {
            self.weaker.push(format!("the checks {} never count", more.join(", ")));
        }
        let fewer = added(&new.ignore, ignore);
        if !fewer.is_empty() {
            self.other.push(format!("the checks {} count", fewer.join(", ")));
        }
        self.span("the time for checks to settle", *settle, new.settle, Some(Longer(true)));
    }
}

/// The direction in which a duration protects more: longer if true.
#[derive(Clone, Copy)]
struct Longer(bool);

/// Returns the patterns that only the new list has, quoted.
fn added(old: &[Pattern], new: &[Pattern]) -> Vec<String> {
    new.iter().filter(|one| !old.contains(one)).map(|one| quoted(one.as_str())).collect()
}
