//! Checks of a commit: the reports that count, the newest of each check, and the spans in which all
//! of them passed. Phases and gates both use them.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use jiff::{SignedDuration, Timestamp};

use crate::{
    context::{EvalContext, rights::WRITERS},
    domain::{
        event::{CheckSource, RunOutcome, RunTrigger},
        fact::commit::{CommitChecks, SuiteFact},
        id::Sha,
        needs::RequiredCheck,
        policy::Pattern,
        rule::NamedCheck,
        turn::Turn,
        when::Span,
    },
    text::people,
};

/// Identity of a check on a commit. Jobs of two workflows may share a name; a re-run keeps its key
/// and replaces the run before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CheckKey<'a> {
    pub(crate) name: &'a str,
    source: Source<'a>,
}

/// Source of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Source<'a> {
    /// A check run of an App.
    Run { by: CheckSource, workflow: Workflow<'a> },
    /// A commit status, which anyone with write access can set.
    Status,
}

/// Group that an App's check runs belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Workflow<'a> {
    /// A workflow file and the event that started it. A new run of both replaces the previous one,
    /// even in another suite.
    Known { file: &'a str, trigger: &'a RunTrigger },
    /// No workflow is known: the check suite itself.
    Suite(Option<u64>),
}

impl<'a> Workflow<'a> {
    fn of(checks: &'a CommitChecks, suite: Option<u64>) -> Self {
        match suite.and_then(|id| checks.suites.get(&id)) {
            Some(SuiteFact { workflow, trigger }) if !workflow.is_empty() => Self::Known { file: workflow, trigger },
            _ => Self::Suite(suite),
        }
    }
}

impl CheckKey<'_> {
    /// Returns whether this is the check that `required` asks for: by its name, and by its source
    /// if the rule names one. A commit status has no source.
    pub(crate) fn meets(self, required: &RequiredCheck) -> bool {
        let reported = |wanted: CheckSource| matches!(self.source, Source::Run { by, .. } if by == wanted);
        self.name == required.name && required.source.is_none_or(reported)
    }

    /// Returns whether a rule requires a check of this name from another source: then neither this
    /// check's success nor its failure counts.
    fn is_impostor(self, required: &[&RequiredCheck]) -> bool {
        let mut of_name = required.iter().filter(|r| r.name == self.name).peekable();
        of_name.peek().is_some() && !of_name.any(|r| self.meets(r))
    }
}

/// A report of a check: a run that began or ended, or a status that was set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Report<'a> {
    pub(crate) key: CheckKey<'a>,
    pub(crate) at: Timestamp,
    pub(crate) outcome: RunOutcome,
    /// URL of its page, or empty.
    pub(crate) url: &'a str,
    /// Name of the source that reported it, or empty.
    source_name: &'a str,
    /// Order among the runs of one check: by start, then by id.
    run: (Timestamp, u64),
}

impl Report<'_> {
    /// Returns whether this is the check that a policy names: by its name, and by the App to which
    /// it is bound. A commit status belongs to no App.
    pub(crate) fn is(&self, named: &NamedCheck) -> bool {
        let reported = |wanted: &String| match self.key.source {
            Source::Run { by, .. } => wanted.eq_ignore_ascii_case(self.source_name) || *wanted == by.0.to_string(),
            Source::Status => false,
        };
        named.name.matches(self.key.name) && named.app.as_ref().is_none_or(reported)
    }
}

/// The newest report of each check.
#[derive(Debug, Default)]
pub(crate) struct Newest<'a>(BTreeMap<CheckKey<'a>, Report<'a>>);

impl<'a> Newest<'a> {
    /// Adds a report. The reports of one run have to come in order of time.
    fn add(&mut self, report: Report<'a>) {
        let known = self.0.entry(report.key).or_insert(report);
        if report.run >= known.run {
            *known = report;
        }
    }

    /// Returns the newest reports, by name.
    pub(crate) fn reports(&self) -> impl Iterator<Item = &Report<'a>> {
        self.0.values()
    }

    /// Returns the names of the checks with one of these outcomes.
    fn named(&self, outcomes: &[RunOutcome]) -> BTreeSet<&'a str> {
        self.reports().filter(|r| outcomes.contains(&r.outcome)).map(|r| r.key.name).collect()
    }
}

impl<'a> FromIterator<Report<'a>> for Newest<'a> {
    fn from_iter<I: IntoIterator<Item = Report<'a>>>(reports: I) -> Self {
        let mut newest = Self::default();
        reports.into_iter().for_each(|report| newest.add(report));
        newest
    }
}

impl<'f> EvalContext<'f> {
    /// Returns the spans in which the checks of `sha` had passed.
    pub(crate) fn passed(&self, sha: &Sha, branch: &str, named: &[Pattern]) -> Rc<[Span]> {
        let Some(checks) = self.facts.checks.get(sha) else { return Rc::new([]) };
        let patterns = named.iter().map(|p| p.as_str().to_owned()).collect();
        let key = (sha.clone(), branch.to_owned(), patterns);
        if let Some(known) = self.passes.borrow().get(&key) {
            return known.clone();
        }
        let spans: Rc<[Span]> = self.spans_of(checks, sha, branch, named).into();
        self.passes.borrow_mut().insert(key, spans.clone());
        spans
    }

    fn spans_of(&self, checks: &CommitChecks, sha: &Sha, branch: &str, named: &[Pattern]) -> Vec<Span> {
        if checks.is_cut || (checks.runs.is_empty() && checks.statuses.is_empty()) {
            return Vec::new();
        }
        let required = self.required_checks(branch).unwrap_or_default();
        let reports = self.reports_named(checks, &required, named);
        // If the policy names checks, only those count.
        let mut awaited = required;
        awaited.retain(|check| named.is_empty() || named.iter().any(|p| p.matches(&check.name)));
        let mut newest = Newest::default();
        let mut spans: Vec<Span> = Vec::new();
        let mut standing: Option<Span> = None;
        let mut moments = reports.chunk_by(|a, b| a.at == b.at).peekable();
        while let Some(moment) = moments.next() {
            let at = moment[0].at;
            for report in moment {
                newest.add(*report);
            }
            let next = moments.peek().map(|m| m[0].at);
            let verdict = verdict(&newest, named, &awaited);
            match (verdict, standing.take()) {
                // Another success does not change a span that already holds.
                (Some(_), Some(span)) if span.from <= at => standing = Some(span),
                (Some(at_once), _) => {
                    let from = if at_once { at } else { settled(at, self.policy.checks.settle) };
                    if next.is_none_or(|next| from < next) {
                        standing = Some(Span::open(from, because(sha, &newest)));
                    }
                }
                (None, Some(span)) => spans.extend(span.clip(span.from, Some(at))),
                (None, None) => {}
            }
        }
        spans.extend(standing);
        spans
    }

    /// Returns the newest report of each check of a commit, of those that count under the rules
    /// `required`.
    pub(crate) fn newest_checks(&self, checks: &'f CommitChecks, required: &[&RequiredCheck]) -> Newest<'f> {
        self.reports(checks, required).into_iter().collect()
    }

    /// Returns every report that counts, in order of time. Reports by phasebot, of ignored checks,
    /// of scheduled runs, and those that only share the name of a required check don't count.
    fn reports<'c>(&self, checks: &'c CommitChecks, required: &[&RequiredCheck]) -> Vec<Report<'c>> {
        let ignored = |name: &str| self.policy.checks.ignore.iter().any(|p| p.matches(name));
        let counts = |key: CheckKey<'_>| !ignored(key.name) && !key.is_impostor(required);
        let mut reports = Vec::new();
        for (id, run) in checks.runs.iter().filter(|(_, run)| !run.ours && !checks.is_scheduled(run.suite)) {
            let source = Source::Run { by: run.source, workflow: Workflow::of(checks, run.suite) };
            let key = CheckKey { name: &run.name, source };
            if !counts(key) {
                continue;
            }
            let order = (run.started_at, *id);
            let began = Report {
                key,
                at: run.started_at,
                outcome: RunOutcome::Running,
                url: &run.url,
                source_name: &run.source_name,
                run: order,
            };
            reports.push(began);
            if let Some((at, outcome)) = run.completed {
                reports.push(Report { at: at.max(run.started_at), outcome, ..began });
            }
        }
        for (id, status) in checks.statuses.iter().filter(|(_, status)| !status.ours) {
            let key = CheckKey { name: &status.context, source: Source::Status };
            if counts(key) {
                let run = (status.at, *id);
                reports.push(Report {
                    key,
                    at: status.at,
                    outcome: status.outcome,
                    url: &status.url,
                    source_name: "",
                    run,
                });
            }
        }
        // At the same time, a start sorts before an end.
        reports.sort_by_key(|r| (r.at, r.run, r.outcome != RunOutcome::Running));
        reports
    }

    /// Returns the reports of the checks that a phase's evidence names; without names, of all.
    fn reports_named<'c>(
        &self,
        checks: &'c CommitChecks,
        required: &[&RequiredCheck],
        named: &[Pattern],
    ) -> Vec<Report<'c>> {
        let mut reports = self.reports(checks, required);
        reports.retain(|report| named.is_empty() || named.iter().any(|p| p.matches(report.key.name)));
        reports
    }

    /// Returns the reason why the checks of a commit have not passed, for people.
    pub(crate) fn why_not_passed(&self, sha: &Sha, branch: &str, named: &[Pattern]) -> String {
        self.not_passed(sha, branch, named).0
    }

    /// Returns who makes the checks of a commit pass.
    pub(crate) fn turn_of_checks(&self, sha: &Sha, branch: &str, named: &[Pattern]) -> Turn {
        self.not_passed(sha, branch, named).1
    }

    fn not_passed(&self, sha: &Sha, branch: &str, named: &[Pattern]) -> (String, Turn) {
        let of = sha.code();
        let waits = || Turn::by_itself(format!("phasebot waits for the checks of {of}"));
        let again = |checks: &str| {
            let who = people::makers(self.facts, sha).unwrap_or_else(|| WRITERS.to_owned());
            Turn::people(who, format!("push a fix, or re-run {checks} on {of} if it failed by chance"))
        };
        let Some(checks) = self.facts.checks.get(sha) else {
            return (format!("no checks have reported on {of}"), waits());
        };
        if checks.is_cut {
            let words = format!("more checks have reported on {of} than phasebot keeps");
            return (words, Turn::people(WRITERS, "push a new commit"));
        }
        let required = self.required_checks(branch).unwrap_or_default();
        let newest: Newest<'_> = self.reports_named(checks, &required, named).into_iter().collect();
        let (failed, running) = (newest.named(&[RunOutcome::Failure]), newest.named(&[RunOutcome::Running]));
        let (void, good) = (newest.named(&[RunOutcome::NoVerdict]), newest.named(&[RunOutcome::Success]));
        let cancelled = newest.named(&[RunOutcome::Cancelled]);
        if !failed.is_empty() {
            let failed = list(failed);
            (format!("failed on {of}: {failed}"), again(&failed))
        } else if !running.is_empty() {
            let running = list(running);
            let turn = Turn::by_itself(format!("phasebot waits for {running} on {of}"));
            (format!("still running on {of}: {running}"), turn)
        } else if !cancelled.is_empty() {
            let cancelled = list(cancelled);
            (format!("cancelled on {of}: {cancelled}"), again(&cancelled))
        } else if !void.is_empty() {
            let void = list(void);
            (format!("ended without a verdict on {of}: {void}"), again(&void))
        } else if good.is_empty() {
            (format!("no check that counts has succeeded on {of}"), waits())
        } else {
            (format!("the checks of {of} have not settled, or a required one is missing"), waits())
        }
    }
}

/// Returns `Some` if all checks passed: every newest report is an end, none failed or ended without
/// a verdict, at least one succeeded, and everything named or required reported. The value is
/// whether that counts at once, without the settling time.
fn verdict(newest: &Newest<'_>, named: &[Pattern], required: &[&RequiredCheck]) -> Option<bool> {
    let well = newest.reports().all(|r| matches!(r.outcome, RunOutcome::Success | RunOutcome::Skipped));
    let some = newest.reports().any(|r| r.outcome == RunOutcome::Success);
    let all_named = named.iter().all(|p| newest.reports().any(|r| p.matches(r.key.name)));
    let all_required = required.iter().all(|wanted| newest.reports().any(|r| r.key.meets(wanted)));
    (well && some && all_named && all_required).then_some(!required.is_empty())
}

fn settled(at: Timestamp, settle: SignedDuration) -> Timestamp {
    at.checked_add(settle).unwrap_or(Timestamp::MAX)
}

fn because(sha: &Sha, newest: &Newest<'_>) -> String {
    format!("checks passed on {}: {}", sha.code(), list(newest.named(&[RunOutcome::Success])))
}

/// Lists names of checks for people: the first few, and the number of the others.
pub(crate) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const MOST: usize = 5;
    let all: Vec<&str> = names.into_iter().collect();
    let shown: Vec<String> = all.iter().take(MOST).map(|name| crate::text::message::quoted(name)).collect();
    match all.len().saturating_sub(MOST) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
