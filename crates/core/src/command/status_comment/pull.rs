//! The open pull request on which an item waits: what its author has to do, and who merges it.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    command::status_comment::{StatusComment, state::Heading},
    commits::landing::Work,
    context::{EvalContext, rights::WRITERS},
    domain::{
        event::{RunOutcome, Verdict},
        fact::item::{PullFacts, ReviewFact},
        id::ItemId,
        policy::Mode,
        turn::{Act, CommandPlace, Turn},
    },
    evidence::checks::list,
    text::{
        message::{command_line, person},
        people,
    },
};

/// Limit on the reviewers whose right to write is asked about, newest review first.
const MOST_REVIEWERS: usize = 20;

/// Adds the unknown facts that the first line of an item's status comment rests on: who of the
/// reviewers may write, and which checks have to pass where one failed.
pub(crate) fn want(eval: &EvalContext<'_>, item: ItemId) {
    if !super::is_wanted(eval.facts, item) {
        return;
    }
    if let Some((_, pull)) = only_pull(eval, item) {
        verdicts(eval, pull);
        failed_checks(eval, pull);
    }
}

/// Returns the items whose status comment shows the checks of a commit: open pull requests whose head
/// it is, and the issues that they close.
pub(crate) fn showing_checks(eval: &EvalContext<'_>, sha: &crate::domain::id::Sha) -> BTreeSet<ItemId> {
    let pulls = eval.facts.pulls_with_head(sha).filter(|pull| is_open(eval, *pull));
    let items = pulls.flat_map(|pull| eval.named_issues(pull).into_iter().chain([pull]));
    items.filter(|item| super::is_wanted(eval.facts, *item)).collect()
}

fn is_open(eval: &EvalContext<'_>, pull: ItemId) -> bool {
    let facts = eval.facts;
    facts.items.get(&pull).is_some_and(|item| item.closed(eval.now).is_none())
        && facts.pull(pull).is_some_and(|pull| pull.merged.is_none())
}

/// Returns the pull request whose merge moves an item on, if there is only one.
fn only_pull<'f>(eval: &EvalContext<'f>, item: ItemId) -> Option<(ItemId, &'f PullFacts)> {
    let works = match eval.facts.pull(item) {
        Some(_) => [Work::Pull(item)].into(),
        None => eval.works_on(item),
    };
    let pulls = works.into_iter().filter_map(|work| if let Work::Pull(pull) = work { Some(pull) } else { None });
    let mut open = pulls.filter(|pull| is_open(eval, *pull));
    let only = open.next().filter(|_| open.next().is_none())?;
    Some((only, eval.facts.pull(only)?))
}

/// Returns the last verdict of each reviewer with write access, by login; a comment is none.
fn verdicts<'f>(eval: &EvalContext<'f>, pull: &'f PullFacts) -> BTreeMap<&'f str, Verdict> {
    let mut reviews: Vec<&ReviewFact> = pull.reviews.values().map(|review| &review.value).collect();
    reviews.retain(|review| review.verdict != Verdict::Commented);
    reviews.sort_by_key(|review| review.submitted_at);
    let mut last: BTreeMap<&str, &ReviewFact> = BTreeMap::new();
    last.extend(
        reviews.iter().rev().take(MOST_REVIEWERS).rev().map(|review| (review.reviewer.login.as_str(), *review)),
    );
    last.retain(|_, review| review.verdict != Verdict::Dismissed && eval.writes(&review.reviewer));
    last.into_iter().map(|(login, review)| (login, review.verdict)).collect()
}

/// Returns the checks that have to pass before the merge and failed or were cancelled on the head;
/// none while it is not known which have to.
fn failed_checks<'f>(eval: &EvalContext<'f>, pull: &'f PullFacts) -> BTreeSet<&'f str> {
    let checks = pull.shape.as_ref().and_then(|shape| eval.facts.checks.get(&shape.value.head_sha));
    let (Some(checks), Some(target)) = (checks, pull.target()) else { return BTreeSet::new() };
    let is_bad = |outcome: RunOutcome| matches!(outcome, RunOutcome::Failure | RunOutcome::Cancelled);
    // Only a failure makes it worth a question.
    if checks.is_cut || !eval.newest_checks(checks, &[]).reports().any(|report| is_bad(report.outcome)) {
        return BTreeSet::new();
    }
    let required = eval.required_checks(target).unwrap_or_default();
    let newest = eval.newest_checks(checks, &required);
    let bad = newest.reports().filter(|report| is_bad(report.outcome));
    bad.filter(|report| required.iter().any(|check| report.key.meets(check))).map(|report| report.key.name).collect()
}

impl StatusComment<'_, '_> {
    /// Returns what the author of the pull request has to do before it can be merged: what reviews
    /// request, a required check that failed, or a draft.
    pub(super) fn unready(&self) -> Option<Heading> {
        let (eval, (number, pull)) = (self.eval, only_pull(self.eval, self.derived.item)?);
        let author = people::authors(eval.facts, &[number]).unwrap_or_else(|| format!("the author of #{number}"));
        let against = verdicts(eval, pull).into_iter().filter(|(_, verdict)| *verdict == Verdict::ChangesRequested);
        let against: Vec<String> = against.map(|(login, _)| person(login)).collect();
        let failed = failed_checks(eval, pull);
        let checks = list(failed.iter().copied());
        let state = match failed.len() {
            0 => String::new(),
            1 => format!("required check {checks} failed"),
            _ => format!("required checks failed: {checks}"),
        };
        let act = match against.as_slice() {
            [] if !failed.is_empty() => self.mend(number, pull, &checks),
            [] if pull.shape.as_ref().is_some_and(|shape| shape.value.draft) => {
                Act::from(format!("mark #{number} as ready for review"))
            }
            [] => return None,
            people => {
                let verb = if people.len() == 1 { "requests" } else { "request" };
                let fix = if failed.is_empty() { String::new() } else { format!(", and a fix for {checks}") };
                Act::from(format!("push the changes that {} {verb} on #{number}{fix}", people.join(" and ")))
            }
        };
        Some(Heading { state, turn: Turn::people(author, act) })
    }

    /// Returns how a failed check is mended. A fork's jobs are run again by hand.
    fn mend(&self, number: ItemId, pull: &PullFacts, checks: &str) -> Act {
        let fix = Act::from(format!("push a fix to #{number}, or "));
        let is_ours = pull.shape.as_ref().is_some_and(|shape| !shape.value.from_fork);
        if is_ours && self.eval.policy.mode == Mode::Act {
            let mut retest = command_line(&["retest"]);
            if number != self.derived.item {
                retest.place = CommandPlace::On(number);
            }
            fix.and("comment ").with(retest).and(" if it failed by chance")
        } else {
            fix.and(format!("re-run {checks} if it failed by chance"))
        }
    }

    /// Returns the turn of those who merge a pull request that is approved, or of its merge queue.
    pub(super) fn approved(&self) -> Option<Turn> {
        let (number, pull) = only_pull(self.eval, self.derived.item)?;
        if pull.queued.as_ref().is_some_and(|queued| queued.value) {
            return Some(Turn::by_itself(format!("the merge queue merges #{number}")));
        }
        let is_approved = verdicts(self.eval, pull).values().any(|verdict| *verdict == Verdict::Approved);
        is_approved.then(|| Turn::people(WRITERS, format!("merge #{number}")))
    }
}
