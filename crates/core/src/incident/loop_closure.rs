//! Loop closure: a change that is linked to the issue runs where the alert fired, and the alert
//! stays quiet.

use jiff::{SignedDuration, Timestamp};

use crate::{commits::landing::Work, context::EvalContext, domain::id::ItemId, incident::timeline::FiringPeriod};

/// A closed loop, or one that closes unless the alert fires again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Loop {
    /// Time at which it closes: the change is in place and the alert has been quiet for the grace
    /// period.
    pub(super) at: Timestamp,
    /// Time since when the change is in place.
    pub(super) since: Timestamp,
    /// The pull request of the change, if it has one.
    pub(super) pull: Option<ItemId>,
}

/// Returns when the loop of an issue closes. A change that already ran there when the alert last
/// started does not count, because it did not end the alert.
pub(super) fn closes(
    eval: &EvalContext<'_>,
    issue: ItemId,
    environment: Option<&str>,
    run: FiringPeriod,
    grace: SignedDuration,
) -> Option<Loop> {
    let over = run.until?;
    let mut deployed: Option<(Timestamp, Option<ItemId>)> = None;
    for work in eval.works_on(issue) {
        let pull = if let Work::Pull(pull) = &work { Some(*pull) } else { None };
        for landing in eval.landings(&work).iter() {
            for place in eval.environments() {
                let here = environment.map_or(place.production, |name| name == place.name);
                let runs = if here { eval.runs_of(place, landing) } else { Vec::new() };
                let from = runs.iter().filter(|span| span.until.is_none()).map(|span| span.from).min();
                let from = from.filter(|from| *from >= run.from).map(|from| (from, pull));
                deployed = [deployed, from].into_iter().flatten().min();
            }
        }
    }
    let (from, pull) = deployed?;
    Some(Loop { at: from.max(over).checked_add(grace).unwrap_or(Timestamp::MAX), since: from, pull })
}
