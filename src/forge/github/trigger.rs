//! The events that start workflow runs, by GitHub's names.

use crate::domain::event::RunTrigger;

const DEPLOYMENT: &str = "deployment";
const DISPATCH: &str = "workflow_dispatch";
const SCHEDULE: &str = "schedule";

/// Returns the kind of the event with this name.
pub(super) fn of_event(name: String) -> RunTrigger {
    match name.as_str() {
        DEPLOYMENT => RunTrigger::Deployment,
        DISPATCH => RunTrigger::Dispatch,
        SCHEDULE => RunTrigger::Schedule,
        _ => RunTrigger::Other(name),
    }
}

/// Returns GitHub's name of the event.
pub(super) fn event(trigger: &RunTrigger) -> &str {
    match trigger {
        RunTrigger::Deployment => DEPLOYMENT,
        RunTrigger::Dispatch => DISPATCH,
        RunTrigger::Schedule => SCHEDULE,
        RunTrigger::Other(name) => name,
    }
}
