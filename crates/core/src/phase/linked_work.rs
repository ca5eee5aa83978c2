//! The ways by which an issue advances: its pull requests, and commits without one.

use jiff::Timestamp;

use crate::{
    commits::landing::Work,
    context::EvalContext,
    domain::fact::item::ItemFacts,
    evidence::spans::{EvidenceSpans, proofs_for},
};

/// From when until when.
pub(crate) type Stretch = (Timestamp, Option<Timestamp>);

/// One way by which an item advances: a pull request, or a commit without one.
pub(crate) struct LinkedWork {
    pub(crate) work: Work,
    /// From when on it counts for the item, until when.
    pub(crate) lives: Vec<Stretch>,
    pub(crate) proofs: Vec<EvidenceSpans>,
    pub(crate) landed: Option<Timestamp>,
    /// Merged, but landed nowhere: since when, and when an open pull request
    /// led on from the branch it went into.
    pub(crate) waits: Option<(Timestamp, Vec<Stretch>)>,
}

impl LinkedWork {
    /// Whether the item is no further than this at a moment. What went into a
    /// branch from which nothing leads on, such as a backport, holds nothing back.
    pub(crate) fn holds_back(&self, at: Timestamp) -> bool {
        self.waits.as_ref().is_none_or(|(since, onward)| {
            at < *since || onward.iter().any(|(from, until)| *from <= at && until.is_none_or(|end| at < end))
        })
    }

    pub(crate) fn is_live(&self, at: Timestamp) -> bool {
        self.lives.iter().any(|(from, until)| *from <= at && until.is_none_or(|end| at < end))
    }
}

/// A piece of work as a strand of an issue, if it counts in this cycle.
pub(crate) fn linked_work(
    eval: &EvalContext<'_>,
    issue: &ItemFacts,
    work: Work,
    cycle: Timestamp,
) -> Option<LinkedWork> {
    let landings = eval.landings(&work);
    let landed = landings.iter().map(|c| c.from).min();
    let (from, open_until, pull) = match &work {
        Work::Commit(_) => (landed?, landed, None),
        Work::Pull(number) => {
            let pull = eval.facts.items.get(number)?;
            let merged = pull.pull.as_ref().and_then(|p| p.merged.as_ref()).map(|m| m.at);
            // Closed without a merge it counts no more, until it is opened again.
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
            // Open until it landed, then for as long as something carries it.
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
        Some((pull, _, _)) => proofs_for(eval, issue, pull, Some(&work), cycle),
        None => proofs_for(eval, issue, issue, Some(&work), cycle),
    };
    let waiting = pull.as_ref().zip(merged).filter(|_| landings.is_empty());
    let waits = waiting.map(|((pull, ..), merged)| (merged, eval.onward(pull)));
    Some(LinkedWork { work, lives, proofs, landed: merged.or(landed), waits })
}
