//! `alerts`: no incident is open.

use super::{Case, finding::Finding};
use crate::decide::{feedback, message::quoted};

pub(super) fn judge(case: Case<'_, '_>, environment: Option<&str>) -> Finding {
    let environment = environment.or(case.subject.environment());
    let open = feedback::open_in(case.look, environment);
    let place = environment.map_or_else(String::new, |name| format!(" on {}", quoted(name)));
    let since = open.iter().map(|incident| incident.since).min();
    // Those that are quiet already are over by themselves; then it is looked at again.
    let turns = open.iter().filter_map(|incident| incident.ends_at).min();
    match open.as_slice() {
        [] => Finding::pass("alerts_none", format!("no incident is open{place}")).seen(Some(case.look.now)),
        [one] => {
            let place = one.environment.as_deref().map_or_else(String::new, |name| format!(" on {}", quoted(name)));
            let issue = one.issue.map_or_else(String::new, |number| format!(" (#{number})"));
            Finding::fail("alerts_open", format!("an incident is open{place}{issue}")).seen(since).turns(turns)
        }
        several => Finding::fail("alerts_open", format!("{} incidents are open{place}", several.len()))
            .seen(since)
            .turns(turns),
    }
}
