//! `checks`: what has to have run on the commit did, and passed.
//!
//! What the rules of the branch require and what the policy names, each by
//! its newest run; without either, everything that reported. A required check
//! counts only from the App that the rule names. No check at all is no pass.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::{Case, finding::Finding};
use crate::{
    decide::message,
    domain::{
        event::{Outcome, RefName},
        fact::commit::CommitChecks,
        needs::Need,
        policy::Pattern,
    },
};

/// The first question about a commit is asked again after so long, and each
/// further one after as long as was waited already.
const AGAIN_AFTER: SignedDuration = SignedDuration::from_mins(15);

/// The newest run of a check: of one name by one App, or a commit status.
struct Newest<'f> {
    name: &'f str,
    /// `None`: a commit status, which anybody who may push can set.
    app: Option<u64>,
    order: (Timestamp, u64),
    outcome: Outcome,
    at: Timestamp,
    url: &'f str,
}

pub(super) fn judge(case: Case<'_, '_>, named: &[Pattern], report_within: SignedDuration) -> Finding {
    let look = case.look;
    let sha = &case.subject.sha;
    let need = Need::Checks { sha: sha.clone() };
    let waited = look.facts.answers.get(&need).map(|known| known.at.duration_since(case.subject.since));
    if case.answer(&need, waited.unwrap_or_default().max(AGAIN_AFTER)).is_none() {
        let missing = case.missing(&need, "checks", "what ran on the commit");
        // What events told can show that it fails, but not that all is there.
        let told = look.facts.checks.get(sha).map(|checks| newest(case, checks)).unwrap_or_default();
        return failed(&told, named).unwrap_or(missing);
    }
    let branch = branch(case);
    let Some(required) = look.required_checks(branch) else {
        let need = Need::RequiredChecks { branch: branch.to_owned() };
        return case.missing(&need, "checks_rules", "which checks the branch's rules require");
    };
    let checks = look.facts.checks.get(sha).map(|checks| newest(case, checks)).unwrap_or_default();
    verdict(case, &checks, named, required, report_within)
}

/// The branch whose rules count: the newest to which the commit was pushed, or else the default one.
fn branch<'f>(case: Case<'_, 'f>) -> &'f str {
    let facts = case.look.facts;
    let pushes = facts.index.brought_by.get(&case.subject.sha).into_iter().flatten();
    let listed = pushes.filter(|(name, _, _)| case.look.listed_ref(name));
    let newest = listed.filter_map(|id| facts.pushes.get(id)).max_by_key(|push| push.at);
    match newest.map(|push| &push.name) {
        Some(RefName::Branch(branch)) => branch,
        _ => facts.default_branch(),
    }
}

/// The newest run of each, ours, ignored and scheduled ones left out.
fn newest<'f>(case: Case<'_, 'f>, checks: &'f CommitChecks) -> Vec<Newest<'f>> {
    let ignored = |name: &str| case.look.policy.checks.ignore.iter().any(|pattern| pattern.matches(name));
    let mut found: BTreeMap<(&str, Option<u64>), Newest<'f>> = BTreeMap::new();
    let runs = checks.runs.iter().filter(|(_, run)| {
        !run.ours && !run.suite.is_some_and(|suite| checks.scheduled_suites.contains(&suite)) && !ignored(&run.name)
    });
    let runs = runs.map(|(id, run)| Newest {
        name: &run.name,
        app: Some(run.app),
        order: (run.started_at, *id),
        outcome: run.completed.map_or(Outcome::Running, |(_, outcome)| outcome),
        at: run.completed.map_or(run.started_at, |(at, _)| at),
        url: &run.url,
    });
    let statuses = checks.statuses.iter().filter(|(_, status)| !ignored(&status.context));
    let statuses = statuses.map(|(id, status)| Newest {
        name: &status.context,
        app: None,
        order: (status.at, *id),
        outcome: status.outcome,
        at: status.at,
        url: &status.url,
    });
    for run in runs.chain(statuses) {
        let slot = found.entry((run.name, run.app));
        let known = slot.or_insert_with(|| Newest { ..run });
        if known.order < run.order {
            *known = run;
        }
    }
    found.into_values().collect()
}

fn failed(checks: &[Newest<'_>], named: &[Pattern]) -> Option<Finding> {
    let failed: Vec<&Newest<'_>> = checks
        .iter()
        .filter(|check| check.outcome == Outcome::Failure && named.iter().any(|pattern| pattern.matches(check.name)))
        .collect();
    let at = failed.iter().map(|check| check.at).max();
    (!failed.is_empty()).then(|| {
        let shown = failed.first().map(|check| check.url);
        Finding::fail("checks_failed", format!("failed: {}", names(failed.iter().map(|check| check.name))))
            .seen(at)
            .link(shown)
    })
}

/// Something that has to have passed: a name, and who has to have said it.
struct Wanted<'a> {
    name: String,
    runs: Vec<&'a Newest<'a>>,
}

fn verdict(
    case: Case<'_, '_>,
    checks: &[Newest<'_>],
    named: &[Pattern],
    required: &BTreeMap<String, Option<u64>>,
    report_within: SignedDuration,
) -> Finding {
    let look = case.look;
    let wanted_rules = required.iter().filter(|(name, _)| !is_ours(name)).map(|(name, app)| Wanted {
        name: name.clone(),
        runs: checks.iter().filter(|c| c.name == name && (app.is_none() || c.app == *app)).collect(),
    });
    let wanted_names = named.iter().map(|pattern| Wanted {
        name: pattern.as_str().to_owned(),
        runs: checks.iter().filter(|check| pattern.matches(check.name)).collect(),
    });
    let mut wanted: Vec<Wanted<'_>> = wanted_rules.chain(wanted_names).collect();
    if wanted.is_empty() {
        wanted = checks.iter().map(|check| Wanted { name: check.name.to_owned(), runs: vec![check] }).collect();
    }
    let of = |outcomes: &[Outcome]| -> BTreeSet<&str> {
        wanted.iter().flat_map(|w| &w.runs).filter(|r| outcomes.contains(&r.outcome)).map(|r| r.name).collect()
    };
    // Of several, the first by name: one that is there leads to the others.
    let page = |outcome: Outcome| {
        let mut runs: Vec<_> = wanted.iter().flat_map(|w| &w.runs).filter(|run| run.outcome == outcome).collect();
        runs.sort_by_key(|run| (run.name, run.app));
        runs.first().map(|run| run.url)
    };
    let seen = wanted.iter().flat_map(|w| &w.runs).map(|run| run.at).max();
    let deadline = case.subject.since.checked_add(report_within).unwrap_or(Timestamp::MAX);
    let missing: BTreeSet<&str> = wanted.iter().filter(|w| w.runs.is_empty()).map(|w| w.name.as_str()).collect();
    let (bad, void) = (of(&[Outcome::Failure]), of(&[Outcome::NoVerdict]));
    let running = of(&[Outcome::Running]);
    let late = look.now >= deadline;
    if !bad.is_empty() {
        Finding::fail("checks_failed", format!("failed: {}", names(bad))).seen(seen).link(page(Outcome::Failure))
    } else if !missing.is_empty() && late {
        let limit = message::duration(report_within);
        Finding::fail("checks_missing", format!("did not report within {limit}: {}", names(missing))).seen(seen)
    } else if !void.is_empty() {
        Finding::fail("checks_void", format!("ended without a verdict: {}", names(void)))
            .seen(seen)
            .link(page(Outcome::NoVerdict))
    } else if wanted.is_empty() {
        let words = "no check is required, named, or has reported";
        if late {
            Finding::fail("checks_none", words)
        } else {
            Finding::unknown("checks_none", words).turns(Some(deadline))
        }
    } else if !missing.is_empty() {
        Finding::unknown("checks_missing", format!("has not reported yet: {}", names(missing)))
            .seen(seen)
            .turns(Some(deadline))
    } else if !running.is_empty() {
        Finding::unknown("checks_running", format!("still running: {}", names(running)))
            .seen(seen)
            .link(page(Outcome::Running))
    } else if of(&[Outcome::Success]).is_empty() {
        Finding::fail("checks_skipped", "every check was skipped").seen(seen)
    } else {
        let passed = wanted.iter().flat_map(|w| &w.runs).map(|run| run.name).collect::<BTreeSet<_>>();
        Finding::pass("checks_passed", format!("passed: {}", names(passed))).seen(seen).link(page(Outcome::Success))
    }
}

/// Our own checks: a gate that waited for itself would wait for ever.
fn is_ours(name: &str) -> bool {
    name.starts_with("phasebot/")
}

/// Names for people: the first few, and how many more.
fn names<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const MOST: usize = 5;
    let all: Vec<&str> = names.into_iter().collect();
    let shown: Vec<String> = all.iter().take(MOST).map(|name| message::quoted(name)).collect();
    match all.len().saturating_sub(MOST) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
