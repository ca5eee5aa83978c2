//! When a commit's checks stood as passed.

use std::{collections::BTreeMap, rc::Rc};

use jiff::{SignedDuration, Timestamp};

use super::look::Look;
use crate::domain::{event::Outcome, fact::commit::CommitChecks, id::Sha, policy::Pattern, when::Span};

/// What one check, or one status context, is at some moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Key<'a> {
    Run { app: u64, name: &'a str },
    Status { context: &'a str },
}

impl<'a> Key<'a> {
    fn name(self) -> &'a str {
        match self {
            Self::Run { name, .. } => name,
            Self::Status { context } => context,
        }
    }
}

/// Something that a check did.
struct Turn<'a> {
    at: Timestamp,
    /// Orders runs of one check: start, then id.
    run: (Timestamp, u64),
    key: Key<'a>,
    outcome: Outcome,
}

impl Look<'_> {
    /// The spans in which the checks of `sha` stood as passed.
    pub(super) fn passed(&self, sha: &Sha, branch: &str, named: &[Pattern]) -> Rc<[Span]> {
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
        let turns = self.turns(checks, named);
        if turns.is_empty() {
            return Vec::new();
        }
        let required = self.required_checks(branch);
        let mut latest: BTreeMap<Key<'_>, &Turn<'_>> = BTreeMap::new();
        let mut spans: Vec<Span> = Vec::new();
        let mut standing: Option<Span> = None;
        let mut moments = turns.chunk_by(|a, b| a.at == b.at).peekable();
        while let Some(moment) = moments.next() {
            let at = moment[0].at;
            for turn in moment {
                let newest = latest.entry(turn.key).or_insert(turn);
                if turn.run >= newest.run {
                    *newest = turn;
                }
            }
            let next = moments.peek().map(|m| m[0].at);
            let verdict = verdict(&latest, named, required);
            match (verdict, standing.take()) {
                // Another success changes nothing for what already stands.
                (Some(_), Some(span)) if span.from <= at => standing = Some(span),
                (Some(at_once), _) => {
                    let from = if at_once { at } else { settled(at, self.policy.checks.settle) };
                    if next.is_none_or(|next| from < next) {
                        standing = Some(Span::open(from, because(sha, &latest)));
                    }
                }
                (None, Some(span)) => spans.extend(span.clip(span.from, Some(at))),
                (None, None) => {}
            }
        }
        spans.extend(standing);
        spans
    }

    /// Everything that counts and happened on a commit, in order of time.
    fn turns<'a>(&self, checks: &'a CommitChecks, named: &[Pattern]) -> Vec<Turn<'a>> {
        let counts = |name: &str| {
            !self.policy.checks.ignore.iter().any(|p| p.matches(name))
                && (named.is_empty() || named.iter().any(|p| p.matches(name)))
        };
        let mut turns = Vec::new();
        for (id, run) in &checks.runs {
            let scheduled = run.suite.is_some_and(|suite| checks.scheduled_suites.contains(&suite));
            if run.ours || scheduled || !counts(&run.name) {
                continue;
            }
            let key = Key::Run { app: run.app, name: &run.name };
            let order = (run.started_at, *id);
            turns.push(Turn { at: run.started_at, run: order, key, outcome: Outcome::Running });
            if let Some((at, outcome)) = run.completed {
                turns.push(Turn { at: at.max(run.started_at), run: order, key, outcome });
            }
        }
        for (id, status) in checks.statuses.iter().filter(|(_, s)| counts(&s.context)) {
            let key = Key::Status { context: &status.context };
            turns.push(Turn { at: status.at, run: (status.at, *id), key, outcome: status.outcome });
        }
        // Within one moment a start comes before an end.
        turns.sort_by_key(|t| (t.at, t.run, t.outcome != Outcome::Running));
        turns
    }

    /// What can be said of a commit whose checks did not pass.
    pub(super) fn why_not_passed(&self, sha: &Sha, named: &[Pattern]) -> String {
        let Some(checks) = self.facts.checks.get(sha) else {
            return format!("no checks have reported on {}", sha.short());
        };
        let mut latest: BTreeMap<Key<'_>, &Turn<'_>> = BTreeMap::new();
        let turns = self.turns(checks, named);
        for turn in &turns {
            let newest = latest.entry(turn.key).or_insert(turn);
            if turn.run >= newest.run {
                *newest = turn;
            }
        }
        let with = |wanted: &[Outcome]| -> Vec<&str> {
            latest.iter().filter(|(_, t)| wanted.contains(&t.outcome)).map(|(k, _)| k.name()).collect()
        };
        let (failed, running) = (with(&[Outcome::Failure]), with(&[Outcome::Running]));
        let (void, good) = (with(&[Outcome::NoVerdict]), with(&[Outcome::Success]));
        let of = sha.short();
        if !failed.is_empty() {
            format!("failed on {of}: {}", list(&failed))
        } else if !running.is_empty() {
            format!("still running on {of}: {}", list(&running))
        } else if !void.is_empty() {
            format!("ended without a verdict on {of}: {}", list(&void))
        } else if good.is_empty() {
            format!("no check that counts has succeeded on {of}")
        } else {
            format!("the checks of {of} have not settled, or a required one is missing")
        }
    }
}

/// `Some(at_once)` if all is well: every newest run has ended, none failed or
/// ended without a verdict, at least one succeeded, everything asked for is there.
fn verdict(
    latest: &BTreeMap<Key<'_>, &Turn<'_>>,
    named: &[Pattern],
    required: Option<&BTreeMap<String, Option<u64>>>,
) -> Option<bool> {
    let well = latest.values().all(|t| matches!(t.outcome, Outcome::Success | Outcome::Skipped));
    let some = latest.values().any(|t| t.outcome == Outcome::Success);
    let all_named = named.iter().all(|p| latest.keys().any(|k| p.matches(k.name())));
    let required: Vec<&String> = required.into_iter().flatten().map(|(name, _)| name).collect();
    let all_required = required.iter().all(|r| latest.keys().any(|k| k.name() == r.as_str()));
    (well && some && all_named && all_required).then_some(!required.is_empty())
}

fn settled(at: Timestamp, settle: SignedDuration) -> Timestamp {
    at.checked_add(settle).unwrap_or(Timestamp::MAX)
}

fn because(sha: &Sha, latest: &BTreeMap<Key<'_>, &Turn<'_>>) -> String {
    let names: Vec<&str> =
        latest.iter().filter(|(_, t)| t.outcome == Outcome::Success).map(|(k, _)| k.name()).collect();
    format!("checks passed on {}: {}", sha.short(), list(&names))
}

/// Names for people: the first few, and how many more.
fn list(names: &[&str]) -> String {
    const MOST: usize = 5;
    let shown: Vec<String> = names.iter().take(MOST).map(|n| super::message::quoted(n)).collect();
    let more = names.len().saturating_sub(MOST);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}
