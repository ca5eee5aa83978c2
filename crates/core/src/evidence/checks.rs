//! The checks of a commit: which reports count, which is the newest of each
//! check, and when all of them stood as passed. Phases and gates both read
//! them from here.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use jiff::{SignedDuration, Timestamp};

use crate::{
    context::EvalContext,
    domain::{
        event::RunOutcome,
        fact::commit::{CommitChecks, SuiteFact},
        id::Sha,
        needs::RequiredCheck,
        policy::Pattern,
        rule::NamedCheck,
        when::Span,
    },
};

/// What tells one check of a commit from another. Jobs of two workflows may
/// share a name; a re-run keeps its key and replaces the run before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CheckKey<'a> {
    pub(crate) name: &'a str,
    source: Source<'a>,
}

/// Where a check comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Source<'a> {
    /// A check run of an App.
    Run { app: u64, workflow: Workflow<'a> },
    /// A commit status, which anybody with write access can set.
    Status,
}

/// What an App's check runs belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Workflow<'a> {
    /// A workflow file, and the event that started it. Another run of both
    /// replaces the one before, though its suite is another.
    Known { file: &'a str, trigger: &'a str },
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
    /// Whether this is the check that `required` asks for: by its name, and by
    /// its App if the rule names one. A commit status is no App's.
    pub(crate) fn meets(self, required: &RequiredCheck) -> bool {
        let by = |wanted: u64| matches!(self.source, Source::Run { app, .. } if app == wanted);
        self.name == required.name && required.app.is_none_or(by)
    }

    /// Whether a rule wants a check of this name from another source: then
    /// this one says nothing, neither by its success nor by its failure.
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
    /// Its page, or empty.
    pub(crate) url: &'a str,
    /// The slug of the App that reported it, or empty.
    app_slug: &'a str,
    /// Orders the runs of one check: by their start, then by id.
    run: (Timestamp, u64),
}

impl Report<'_> {
    /// Whether this is the check that a policy names: by its name, and by the App
    /// to which it is bound. A commit status is no App's.
    pub(crate) fn is(&self, named: &NamedCheck) -> bool {
        let by = |wanted: &String| match self.key.source {
            Source::Run { app, .. } => wanted.eq_ignore_ascii_case(self.app_slug) || *wanted == app.to_string(),
            Source::Status => false,
        };
        named.name.matches(self.key.name) && named.app.as_ref().is_none_or(by)
    }
}

/// The newest report of each check.
#[derive(Debug, Default)]
pub(crate) struct Newest<'a>(BTreeMap<CheckKey<'a>, Report<'a>>);

impl<'a> Newest<'a> {
    /// Adds a report. Those of one run come in order of time.
    fn add(&mut self, report: Report<'a>) {
        let known = self.0.entry(report.key).or_insert(report);
        if report.run >= known.run {
            *known = report;
        }
    }

    /// The newest reports, by name.
    pub(crate) fn reports(&self) -> impl Iterator<Item = &Report<'a>> {
        self.0.values()
    }

    /// Names of the checks with one of these outcomes.
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
    /// The spans in which the checks of `sha` stood as passed.
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
        // Where the policy names checks, only those are looked at.
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
                // Another success changes nothing for what already stands.
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

    /// The newest report of each check of a commit, of those that count where
    /// `required` holds.
    pub(crate) fn newest_checks(&self, checks: &'f CommitChecks, required: &[&RequiredCheck]) -> Newest<'f> {
        self.reports(checks, required).into_iter().collect()
    }

    /// Every report that counts, in order of time: ours, ignored and scheduled
    /// ones don't, nor those that only share the name of a required check.
    fn reports<'c>(&self, checks: &'c CommitChecks, required: &[&RequiredCheck]) -> Vec<Report<'c>> {
        let ignored = |name: &str| self.policy.checks.ignore.iter().any(|p| p.matches(name));
        let counts = |key: CheckKey<'_>| !ignored(key.name) && !key.is_impostor(required);
        let mut reports = Vec::new();
        for (id, run) in checks.runs.iter().filter(|(_, run)| !run.ours && !checks.is_scheduled(run.suite)) {
            let source = Source::Run { app: run.app, workflow: Workflow::of(checks, run.suite) };
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
                app_slug: &run.app_slug,
                run: order,
            };
            reports.push(began);
            if let Some((at, outcome)) = run.completed {
                reports.push(Report { at: at.max(run.started_at), outcome, ..began });
            }
        }
        for (id, status) in &checks.statuses {
            let key = CheckKey { name: &status.context, source: Source::Status };
            if counts(key) {
                let run = (status.at, *id);
                reports.push(Report {
                    key,
                    at: status.at,
                    outcome: status.outcome,
                    url: &status.url,
                    app_slug: "",
                    run,
                });
            }
        }
        // Within one moment a start comes before an end.
        reports.sort_by_key(|r| (r.at, r.run, r.outcome != RunOutcome::Running));
        reports
    }

    /// The reports of the checks that a phase's evidence names; without names, of all.
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

    /// What can be said of a commit whose checks did not pass.
    pub(crate) fn why_not_passed(&self, sha: &Sha, branch: &str, named: &[Pattern]) -> String {
        let Some(checks) = self.facts.checks.get(sha) else {
            return format!("no checks have reported on {}", sha.short());
        };
        if checks.is_cut {
            return format!("more checks have reported on {} than phasebot keeps", sha.short());
        }
        let required = self.required_checks(branch).unwrap_or_default();
        let newest: Newest<'_> = self.reports_named(checks, &required, named).into_iter().collect();
        let (failed, running) = (newest.named(&[RunOutcome::Failure]), newest.named(&[RunOutcome::Running]));
        let (void, good) = (newest.named(&[RunOutcome::NoVerdict]), newest.named(&[RunOutcome::Success]));
        let cancelled = newest.named(&[RunOutcome::Cancelled]);
        let of = sha.short();
        if !failed.is_empty() {
            format!("failed on {of}: {}", list(failed))
        } else if !running.is_empty() {
            format!("still running on {of}: {}", list(running))
        } else if !cancelled.is_empty() {
            format!("cancelled on {of}: {}", list(cancelled))
        } else if !void.is_empty() {
            format!("ended without a verdict on {of}: {}", list(void))
        } else if good.is_empty() {
            format!("no check that counts has succeeded on {of}")
        } else {
            format!("the checks of {of} have not settled, or a required one is missing")
        }
    }
}

/// `Some(at_once)` if all is well: every newest report is of an end, none failed
/// or ended without a verdict, at least one succeeded, everything asked for is there.
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
    format!("checks passed on {}: {}", sha.short(), list(newest.named(&[RunOutcome::Success])))
}

/// Names of checks for people: the first few, and how many more.
pub(crate) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const MOST: usize = 5;
    let all: Vec<&str> = names.into_iter().collect();
    let shown: Vec<String> = all.iter().take(MOST).map(|name| crate::text::message::quoted(name)).collect();
    match all.len().saturating_sub(MOST) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
