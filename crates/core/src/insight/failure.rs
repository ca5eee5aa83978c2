//! Failed deployments: which ones, why, since when users were hurt, and when that was over.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::{
    domain::{event::DeployState, when::earlier},
    environment::history::Run,
    evidence::shipped::first,
    insight::{
        change::{self, first_run},
        due::{CONTEXT, Due},
        incident::Blame,
        recent::{Brought, Recent, Turn},
        row::{DeploymentKind, FailureReason},
    },
};

/// What is known of the failure of one deployment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Failed {
    /// Why it failed; empty: it did not.
    pub(crate) reasons: BTreeSet<FailureReason>,
    /// Since when users were hurt.
    pub(crate) hurt: Option<Timestamp>,
    /// Beginning of its first incident.
    pub(crate) alerted: Option<Timestamp>,
    /// When service was restored.
    pub(crate) restored: Option<Timestamp>,
    /// Last end of its incidents that are over.
    ended: Option<Timestamp>,
    /// Whether one of its incidents is open.
    is_open: bool,
    /// First success of a rollback or fix.
    fixed: Option<Timestamp>,
}

/// The failures among the newest deployments of an environment.
#[derive(Default)]
pub(crate) struct Failures {
    /// Failures, by deployment.
    pub(crate) failed: BTreeMap<u64, Failed>,
    /// What each deployment brought.
    pub(crate) brought: BTreeMap<u64, Brought>,
    /// Deployments that restored a failed one.
    pub(crate) fixes: BTreeSet<u64>,
}

/// Returns the times of deployments that are not due and that a due rollback took out.
pub(crate) fn victims(recent: &Recent<'_, '_>, blame: &Blame<'_, '_>, due: &Due) -> Vec<Timestamp> {
    let victims = rollbacks(recent, blame, |by| due.covers(by.run.from)).into_iter();
    victims.map(|(_, victim)| recent.turns[victim].run.from).filter(|at| !due.covers(*at)).collect()
}

/// Returns the times of deployments that are not due, that failed after their success, and that a due
/// one repaired: it is the first one after the failure.
pub(crate) fn repaired(recent: &Recent<'_, '_>, due: &Due) -> Vec<Timestamp> {
    let (eval, mut found) = (recent.eval, Vec::new());
    for (place, turn) in recent.turns.iter().enumerate().filter(|(_, turn)| due.covers(turn.run.from)) {
        let before = place.checked_sub(1).map(|before| recent.turns[before].run.from);
        let history = eval.history(recent.environment.name);
        let failed = history.failures_between(before.unwrap_or(Timestamp::MIN), turn.run.from);
        for (at, id) in failed.filter(|(at, _)| before.is_none_or(|before| *at > before)) {
            let succeeded = eval.facts.deployments.get(&id).and_then(|one| first(one, DeployState::Success));
            found.extend(succeeded.filter(|success| *success <= at && !due.covers(*success)));
        }
    }
    found
}

impl Failures {
    /// Returns the times of deployments that are not due, and that brought what a due one reverts.
    pub(crate) fn reverted(&mut self, recent: &Recent<'_, '_>, due: &Due) -> Vec<Timestamp> {
        let (mut found, window) = (Vec::new(), recent.eval.policy.insight.rework_window);
        for turn in recent.turns.iter().filter(|turn| due.covers(turn.run.from)) {
            let before = |run: &Run<'_>| {
                let since = turn.run.from.duration_since(run.from);
                !since.is_negative() && since <= window && !due.covers(run.from)
            };
            for work in &self.brought_by(recent, turn).works {
                let reverted = change::reverted_by(recent.eval, work);
                let runs = reverted.iter().filter_map(|other| first_run(recent.eval, recent.environment, other));
                found.extend(runs.map(|(run, _)| run).filter(before).map(|run| run.from));
            }
        }
        found
    }

    fn brought_by<'f>(&mut self, recent: &Recent<'_, 'f>, turn: &Turn<'f>) -> &Brought {
        self.brought.entry(turn.run.deployment).or_insert_with(|| recent.brought(turn))
    }

    /// Finds the failures of the deployments that are due.
    pub(crate) fn find(&mut self, recent: &Recent<'_, '_>, blame: &Blame<'_, '_>, due: &Due) {
        let failures = self;
        // A rollback takes out what succeeded before it.
        for (by, victim) in rollbacks(recent, blame, |by| by.run.from > due.earliest()) {
            let by = &recent.turns[by].run;
            let failed = failures.failed.entry(recent.turns[victim].run.deployment).or_default();
            failed.reasons.insert(FailureReason::RolledBack(by.deployment));
            failed.fixed = earlier(failed.fixed, Some(by.from));
        }
        for (place, turn) in recent.turns.iter().enumerate() {
            failures.failed_later(recent, place);
            if !due.covers(turn.run.from) {
                continue;
            }
            failures.brought_by(recent, turn);
            failures.incidents(turn, blame);
            failures.reverts(recent, turn);
        }
        for turn in &recent.turns {
            if let Some(failed) = failures.failed.get_mut(&turn.run.deployment) {
                failed.settle(turn);
            }
        }
    }

    fn incidents(&mut self, turn: &Turn<'_>, blame: &Blame<'_, '_>) {
        for cycle in blame.caused_by(turn) {
            let failed = self.failed.entry(turn.run.deployment).or_default();
            failed.reasons.insert(FailureReason::Incident(cycle.id.clone()));
            failed.alerted = earlier(failed.alerted, Some(cycle.began));
            failed.ended = failed.ended.max(cycle.ended);
            failed.is_open |= cycle.ended.is_none();
        }
    }

    /// A revert of something that it brought went live within the rework window, with another
    /// deployment.
    fn reverts(&mut self, recent: &Recent<'_, '_>, turn: &Turn<'_>) {
        if recent.kind(turn) != DeploymentKind::Forward {
            return;
        }
        let eval = recent.eval;
        let window = eval.policy.insight.rework_window;
        for work in self.brought.get(&turn.run.deployment).cloned().unwrap_or_default().works {
            for reverter in eval.reverters(&work, &eval.own_landings(&work)) {
                let Some((run, _)) = first_run(eval, recent.environment, &reverter) else { continue };
                let after = run.from.duration_since(turn.run.from);
                if run.deployment == turn.run.deployment || after.is_negative() || after > window {
                    continue;
                }
                let failed = self.failed.entry(turn.run.deployment).or_default();
                failed.reasons.insert(FailureReason::Reverted(run.deployment));
                failed.fixed = earlier(failed.fixed, Some(run.from));
                self.fixes.insert(run.deployment);
            }
        }
    }

    /// It was reported as failed after it had succeeded.
    fn failed_later(&mut self, recent: &Recent<'_, '_>, place: usize) {
        let turn = &recent.turns[place];
        let after = turn.run.facts.statuses.iter().filter(|status| status.at >= turn.run.from);
        let mut ends = after.filter(|status| status.state == DeployState::Failure).map(|status| status.at);
        let Some(at) = ends.next() else { return };
        let failed = self.failed.entry(turn.run.deployment).or_default();
        failed.reasons.insert(FailureReason::FailedLater);
        if let Some(fix) = recent.turns[place + 1..].iter().find(|next| next.run.from >= at) {
            failed.fixed = earlier(failed.fixed, Some(fix.run.from));
            self.fixes.insert(fix.run.deployment);
        }
    }
}

impl Failed {
    fn settle(&mut self, turn: &Turn<'_>) {
        if self.reasons.is_empty() {
            return;
        }
        let begun = first(turn.run.facts, DeployState::InProgress).unwrap_or(turn.run.facts.created_at);
        let under_way = self.alerted.filter(|at| *at >= begun && *at < turn.run.from);
        self.hurt = Some(under_way.unwrap_or(turn.run.from));
        self.restored = self.ended.or(self.fixed).filter(|_| !self.is_open);
    }
}

/// Returns the deployments that some rollbacks took out, each with its rollback, by their places
/// among the turns: the first forward one after what the rollback returned to, unless people named
/// another cause of an incident in that time.
fn rollbacks<'f>(
    recent: &Recent<'_, 'f>,
    blame: &Blame<'_, '_>,
    concerns: impl Fn(&Turn<'f>) -> bool,
) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let is_rollback = |turn: &Turn<'_>| recent.kind(turn) == DeploymentKind::Rollback;
    for (place, turn) in recent.turns.iter().enumerate().filter(|(_, turn)| concerns(turn) && is_rollback(turn)) {
        let target = target(recent, turn);
        let taken = |victim: &Turn<'_>| {
            recent.kind(victim) == DeploymentKind::Forward && target.is_none_or(|target| victim.run.from > target)
        };
        let mut between = (0..place).filter(|other| taken(&recent.turns[*other]));
        let named = blame.named_between(recent.environment.name, target, turn.run.from);
        let victim = match (named, target) {
            (Some(named), _) => between.find(|other| named.contains(&recent.turns[*other].run.deployment)),
            (None, Some(_)) => between.next(),
            // What it returned to is not recorded: it took out the last one.
            (None, None) => between.next_back(),
        };
        found.extend(victim.map(|victim| (place, victim)));
    }
    found
}

/// Returns since when the commit that a rollback returned to ran, or the newest that this contains.
fn target(recent: &Recent<'_, '_>, turn: &Turn<'_>) -> Option<Timestamp> {
    let commit = turn.run.commit?;
    let earlier = turn.before.map_or(&[][..], |before| &recent.runs[..=before]);
    // However many runs are at hand, the answer is the same.
    let earlier = &earlier[earlier.len().saturating_sub(CONTEXT)..];
    let same = earlier.iter().rev().find(|run| run.commit == Some(commit));
    let contained = || {
        earlier
            .iter()
            .rev()
            .find(|run| run.commit.is_some_and(|older| recent.eval.known_to_contain(commit, older) == Some(true)))
    };
    same.or_else(contained).map(|run| run.from)
}
