//! Linked work: the pull requests, and commits without one, through which an issue advances.

use jiff::Timestamp;

use crate::{
    commits::landing::Work,
    context::EvalContext,
    domain::{fact::item::ItemFacts, service::Scope},
    evidence::spans::{EvidenceSpans, proofs_for},
};

/// A period: its start, and its end if it has one.
pub(crate) type Stretch = (Timestamp, Option<Timestamp>);

/// Work through which an item advances: a pull request, or a commit without one.
pub(crate) struct LinkedWork<'f> {
    pub(crate) work: Work,
    /// Part of the repository in which it has to advance.
    pub(crate) scope: Scope<'f>,
    /// Periods in which it counts for the item.
    pub(crate) lives: Vec<Stretch>,
    pub(crate) proofs: Vec<EvidenceSpans>,
    pub(crate) landed: Option<Timestamp>,
    /// For work that is merged but has landed nowhere: the time of the merge, and the periods in
    /// which an open pull request led on from its target branch.
    pub(crate) waits: Option<(Timestamp, Vec<Stretch>)>,
}

impl LinkedWork<'_> {
    /// Returns whether this work holds the item back at a given time. Work merged into a branch
    /// from which nothing leads on, such as a backport, does not.
    pub(crate) fn holds_back(&self, at: Timestamp) -> bool {
        self.waits.as_ref().is_none_or(|(since, onward)| {
            at < *since || onward.iter().any(|(from, until)| *from <= at && until.is_none_or(|end| at < end))
        })
    }

    pub(crate) fn is_live(&self, at: Timestamp) -> bool {
        self.lives.iter().any(|(from, until)| *from <= at && until.is_none_or(|end| at < end))
    }
}

/// Returns a piece of work as linked work of an issue, if it counts in this cycle,
/// within a scope.
pub(crate) fn linked_work<'f>(
    eval: &EvalContext<'_>,
    issue: &ItemFacts,
    work: Work,
    cycle: Timestamp,
    scope: Scope<'f>,
) -> Option<LinkedWork<'f>> {
    let landings = eval.landings(&work);
    let landed = landings.iter().map(|c| c.from).min();
    let (from, open_until, pull) = match &work {
        Work::Commit(_) => (landed?, landed, None),
        Work::Pull(number) => {
            let pull = eval.facts.items.get(number)?;
            let merged = pull.pull.as_ref().and_then(|p| p.merged.as_ref()).map(|m| m.at);
            // A pull request closed without a merge stops counting until it is reopened.
            let closed = pull.closed(eval.now).map(|(at, _)| at).filter(|_| merged.is_none());
            let from = eval.counts_from(pull)?.max(pull.reopened_at(eval.now).unwrap_or(Timestamp::MIN));
            (from, merged.or(closed), Some((pull, merged, closed)))
        }
    };
    let merged = pull.as_ref().map_or(landed, |(_, merged, _)| *merged);
    let again = landings.iter().any(|c| c.from >= cycle);
    if merged.is_some_and(|at| at < cycle) && !again {
        return None;
    }
    let mut lives = Vec::new();
    match (merged, pull.as_ref().and_then(|(_, _, closed)| *closed)) {
        (None, closed) => lives.push((from, closed)),
        (Some(merged), _) => {
            // It counts as open until it landed, then for as long as a landing carries it.
            lives.push((from, open_until));
            if landings.is_empty() {
                lives.push((merged.max(from), None));
            }
            let counting = landings.iter().filter(|c| c.from >= cycle);
            lives.extend(
                counting.map(|c| (if merged < cycle { c.from } else { c.from.min(merged) }.max(from), c.until)),
            );
        }
    }
    let proofs = match &pull {
        Some((pull, _, _)) => proofs_for(eval, issue, pull, Some(&work), cycle, scope),
        None => proofs_for(eval, issue, issue, Some(&work), cycle, scope),
    };
    let waiting = pull.as_ref().zip(merged).filter(|_| landings.is_empty());
    let waits = waiting.map(|((pull, ..), merged)| (merged, eval.onward(pull)));
    Some(LinkedWork { work, scope, lives, proofs, landed: merged.or(landed), waits })
}
