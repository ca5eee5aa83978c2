//! `alerts`: no incident is open.

use super::{Case, finding::Finding};
use crate::decide::message::quoted;

pub(super) fn judge(case: Case<'_, '_>, environment: Option<&str>) -> Finding {
    let environment = environment.or(case.subject.environment());
    let now = case.look.now;
    let open = case.look.facts.incidents.values().filter(|incident| {
        environment.is_none_or(|name| incident.environment == name)
            && incident.from <= now
            && incident.until.is_none_or(|until| until > now)
    });
    let mut open: Vec<_> = open.collect();
    open.sort();
    let place = environment.map_or_else(String::new, |name| format!(" on {}", quoted(name)));
    let since = open.iter().map(|incident| incident.from).min();
    match open.as_slice() {
        [] => Finding::pass("alerts_none", format!("no incident is open{place}")).seen(Some(now)),
        [one] => {
            Finding::fail("alerts_open", format!("an incident is open on {}", quoted(&one.environment))).seen(since)
        }
        several => Finding::fail("alerts_open", format!("{} incidents are open{place}", several.len())).seen(since),
    }
}
