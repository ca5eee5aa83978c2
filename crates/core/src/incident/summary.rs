//! An incident in a few words, for notices.

use jiff::Timestamp;

use crate::{
    context::EvalContext,
    domain::{fact::incident::ShownIn, id::ItemId},
    incident::{later, state::Incident},
};

/// State of an incident that has an issue of its own.
pub(crate) struct IncidentSummary {
    /// True if the issue shows it as firing, false if it shows that it is over.
    pub(crate) is_firing: bool,
    /// True if a person muted it.
    pub(crate) is_muted: bool,
    /// The source's title, not sanitized.
    pub(crate) title: String,
    /// Its severity, not sanitized.
    pub(crate) severity: Option<String>,
    /// Its environment in lower case, if known.
    pub(crate) environment: Option<String>,
    /// Its issue.
    pub(crate) issue: ItemId,
    /// Start of the cycle that the issue shows.
    pub(crate) began: Timestamp,
    /// Time since when it is in this state.
    pub(crate) at: Timestamp,
}

/// Returns the state of an incident; `None` if it has no issue of its own, or the forge has not
/// reported the issue's number.
pub(crate) fn summary_of(eval: &EvalContext<'_>, id: &str) -> Option<IncidentSummary> {
    let (id, facts) = eval.facts.incidents.get_key_value(id)?;
    let case = Incident::new(eval, id, facts);
    let cycle = case.present()?;
    let ShownIn::Own(issue) = &cycle.place else { return None };
    let run = case.course.last()?;
    let at = match run.until {
        Some(until) if !issue.firing => {
            if run.by_hand {
                until
            } else {
                later(until, eval.policy.alerts.grace)
            }
        }
        _ => later(run.from, eval.policy.alerts.hold),
    };
    Some(IncidentSummary {
        is_firing: issue.firing,
        is_muted: case.word(eval).muted_until.is_some(),
        title: case.title(),
        severity: case.traits.severity.clone(),
        environment: case.traits.environment.clone(),
        issue: issue.number?,
        began: cycle.began,
        at,
    })
}
