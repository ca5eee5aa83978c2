//! Rows that stay as they are.

use jiff::{SignedDuration, Timestamp};

use crate::context::EvalContext;

/// An incident is forgotten by its end, and a deployment may have gone on for as long beside it.
const MARGIN: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Returns whether evidence of what happened at a time may be forgotten. A row that is there stays as
/// it is then: derived again, it could lose an incident that it was blamed for.
pub(crate) fn is_settled(eval: &EvalContext<'_>, at: Timestamp) -> bool {
    let until = eval.facts.about.forgotten_before.and_then(|before| before.checked_add(MARGIN).ok());
    until.is_some_and(|until| at < until)
}
