//! `checks`: the required checks ran on the commit and passed.
//!
//! Required are the checks of the branch's rules and those that the policy names, each by its
//! newest run; without either, everything that reported. A rule's check counts only from the App
//! that the rule names, and a named one only from the App that the policy binds it to. No check at
//! all does not pass.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::{
    context::rights::WRITERS,
    domain::{
        event::{RefName, RunOutcome},
        fact::item::PullFacts,
        needs::{Need, RequiredCheck},
        rule::NamedCheck,
        turn::Turn,
    },
    evidence::checks::{Newest, Report, list},
    gate::{ConditionContext, condition_result::ConditionResult},
    text::message,
};

/// Shortest time between two questions about a commit's checks. Each further wait is as long as the
/// time waited so far.
const AGAIN_AFTER: SignedDuration = SignedDuration::from_mins(15);

pub(super) fn evaluate(
    ctx: ConditionContext<'_, '_>,
    named: &[NamedCheck],
    report_within: SignedDuration,
) -> ConditionResult {
    let eval = ctx.eval;
    let sha = &ctx.subject.sha;
    let need = Need::Checks { sha: sha.clone() };
    let waited = eval.facts.answers.get(&need).map(|known| known.at.duration_since(ctx.subject.since));
    if ctx.answer(&need, waited.unwrap_or_default().max(AGAIN_AFTER)).is_none() {
        let missing = ctx.missing(&need, "checks", "which checks ran on the commit");
        // Events can show that a check failed, but not that all checks reported.
        let known = eval.facts.checks.get(sha).map(|checks| eval.newest_checks(checks, &[])).unwrap_or_default();
        return failed(ctx, &known, named).unwrap_or(missing);
    }
    let mut required: Vec<&RequiredCheck> = Vec::new();
    for branch in branches(ctx) {
        let Some(of_branch) = eval.required_checks(branch) else {
            let need = Need::RequiredChecks { branch: branch.to_owned() };
            return ctx.missing(&need, "checks_rules", "which checks the branch's rules require");
        };
        required.extend(of_branch);
    }
    required.sort_unstable();
    required.dedup();
    let known = eval.facts.checks.get(sha);
    if known.is_some_and(|checks| checks.is_cut) {
        let turn = Turn::people(WRITERS, "push a new commit");
        return ConditionResult::fail(
            "checks_too_many",
            "more checks have reported on the commit than phasebot keeps",
            turn,
        );
    }
    let checks = known.map(|checks| eval.newest_checks(checks, &required)).unwrap_or_default();
    verdict(ctx, &checks, named, &required, report_within)
}

/// Returns the branches whose rules count: the listed ones to which the commit was pushed, or else
/// the default branch. Of many, the newest count, because each costs a query.
fn branches<'f>(ctx: ConditionContext<'_, 'f>) -> BTreeSet<&'f str> {
    const MOST: usize = 5;
    let facts = ctx.eval.facts;
    let pushes = facts.index.brought_by.get(&ctx.subject.sha).into_iter().flatten();
    let listed = pushes.filter(|(name, _, _)| ctx.eval.listed_ref(name));
    let mut listed: Vec<_> = listed.filter_map(|id| facts.pushes.get(id)).collect();
    // The default branch's rules apply to what landed there, however often it was pushed elsewhere.
    let is_main = |name: &RefName| matches!(name, RefName::Branch(branch) if facts.is_main_line(branch));
    listed.sort_by_key(|push| (!is_main(&push.name), std::cmp::Reverse(push.at)));
    let mut branches = BTreeSet::new();
    for push in listed {
        if let RefName::Branch(branch) = &push.name
            && branches.len() < MOST
        {
            branches.insert(branch.as_str());
        }
    }
    if branches.is_empty() {
        // A pull request is judged by the branch that it, or its stack, is to land on, too.
        let pulls = facts.pulls_with_head(&ctx.subject.sha).filter_map(|number| facts.pull(number));
        let targets = pulls.filter_map(PullFacts::target).filter(|target| ctx.eval.listed(target));
        branches.extend(targets.take(MOST));
        branches.insert(facts.default_branch());
    }
    branches
}

fn failed(ctx: ConditionContext<'_, '_>, checks: &Newest<'_>, named: &[NamedCheck]) -> Option<ConditionResult> {
    let is_named = |report: &Report<'_>| named.iter().any(|check| report.is(check));
    let failed: Vec<&Report<'_>> =
        checks.reports().filter(|report| report.outcome == RunOutcome::Failure && is_named(report)).collect();
    let at = failed.iter().map(|report| report.at).max();
    (!failed.is_empty()).then(|| {
        let shown = failed.first().map(|report| report.url);
        let names: BTreeSet<&str> = failed.iter().map(|report| report.key.name).collect();
        let turn = again(ctx, &list(names.clone()));
        ConditionResult::fail("checks_failed", format!("failed: {}", list(names)), turn).seen(at).link(shown)
    })
}

/// Returns the turn of those who make checks pass.
fn again(ctx: ConditionContext<'_, '_>, checks: &str) -> Turn {
    let act = format!("push a fix, or re-run {checks} on {} if it failed by chance", ctx.subject.sha.code());
    Turn::people(ctx.makers(), act)
}

/// A check that has to have passed, with the reports that count for it.
struct Wanted<'a> {
    name: String,
    reports: Vec<&'a Report<'a>>,
}

fn verdict(
    ctx: ConditionContext<'_, '_>,
    checks: &Newest<'_>,
    named: &[NamedCheck],
    required: &[&RequiredCheck],
    report_within: SignedDuration,
) -> ConditionResult {
    let eval = ctx.eval;
    let wanted_rules = required.iter().map(|rule| Wanted {
        name: rule.name.clone(),
        reports: checks.reports().filter(|report| report.key.meets(rule)).collect(),
    });
    let wanted_names = named.iter().map(|check| Wanted {
        name: match &check.app {
            Some(app) => format!("{} of {app}", check.name.as_str()),
            None => check.name.as_str().to_owned(),
        },
        reports: checks.reports().filter(|report| report.is(check)).collect(),
    });
    let mut wanted: Vec<Wanted<'_>> = wanted_rules.chain(wanted_names).collect();
    if wanted.is_empty() {
        let alone = |report| Wanted { name: String::new(), reports: vec![report] };
        wanted = checks.reports().map(alone).collect();
    }
    let of = |outcomes: &[RunOutcome]| -> BTreeSet<&str> {
        let reports = wanted.iter().flat_map(|w| &w.reports).filter(|r| outcomes.contains(&r.outcome));
        reports.map(|r| r.key.name).collect()
    };
    // Of several, the first by name: the link stays the same, and its page leads to the others.
    let page = |outcome: RunOutcome| {
        let reports = wanted.iter().flat_map(|w| &w.reports).filter(|report| report.outcome == outcome);
        reports.min_by_key(|report| report.key).map(|report| report.url)
    };
    let seen = wanted.iter().flat_map(|w| &w.reports).map(|report| report.at).max();
    let deadline = ctx.subject.since.checked_add(report_within).unwrap_or(Timestamp::MAX);
    let missing: BTreeSet<&str> = wanted.iter().filter(|w| w.reports.is_empty()).map(|w| w.name.as_str()).collect();
    let (bad, void) = (of(&[RunOutcome::Failure]), of(&[RunOutcome::NoVerdict]));
    let (running, cancelled) = (of(&[RunOutcome::Running]), of(&[RunOutcome::Cancelled]));
    let late = eval.now >= deadline;
    if !bad.is_empty() {
        let turn = again(ctx, &list(bad.clone()));
        ConditionResult::fail("checks_failed", format!("failed: {}", list(bad)), turn)
            .seen(seen)
            .link(page(RunOutcome::Failure))
    } else if !missing.is_empty() && late {
        let limit = message::duration(report_within);
        let turn = Turn::people(WRITERS, format!("start {} on {}", list(missing.clone()), ctx.subject.sha.code()));
        ConditionResult::fail("checks_missing", format!("no report within {limit}: {}", list(missing)), turn).seen(seen)
    } else if !cancelled.is_empty() {
        let turn = again(ctx, &list(cancelled.clone()));
        ConditionResult::fail("checks_cancelled", format!("cancelled: {}", list(cancelled)), turn)
            .seen(seen)
            .link(page(RunOutcome::Cancelled))
    } else if !void.is_empty() {
        let turn = again(ctx, &list(void.clone()));
        ConditionResult::fail("checks_void", format!("ended without a verdict: {}", list(void)), turn)
            .seen(seen)
            .link(page(RunOutcome::NoVerdict))
    } else if wanted.is_empty() {
        let words = "no check is required, named, or has reported";
        if late {
            let turn = Turn::people(WRITERS, format!("start a check on {}", ctx.subject.sha.code()));
            ConditionResult::fail("checks_none", words, turn)
        } else {
            let turn = ctx.at("phasebot waits for a check until", deadline);
            ConditionResult::unknown("checks_none", words, turn).turns(Some(deadline))
        }
    } else if !missing.is_empty() {
        let turn = ctx.at(&format!("phasebot waits for {} until", list(missing.clone())), deadline);
        ConditionResult::unknown("checks_missing", format!("no report yet: {}", list(missing)), turn)
            .seen(seen)
            .turns(Some(deadline))
    } else if !running.is_empty() {
        let turn = Turn::by_itself(format!("phasebot waits for {}", list(running.clone())));
        ConditionResult::unknown("checks_running", format!("still running: {}", list(running)), turn)
            .seen(seen)
            .link(page(RunOutcome::Running))
    } else if of(&[RunOutcome::Success]).is_empty() {
        ConditionResult::fail("checks_skipped", "every check was skipped", again(ctx, "a check")).seen(seen)
    } else {
        let passed: BTreeSet<&str> = wanted.iter().flat_map(|w| &w.reports).map(|report| report.key.name).collect();
        ConditionResult::pass("checks_passed", format!("passed: {}", list(passed)))
            .seen(seen)
            .link(page(RunOutcome::Success))
    }
}
