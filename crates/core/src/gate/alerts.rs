//! `alerts`: no incident is open.

use crate::{
    gate::{ConditionContext, condition_result::ConditionResult},
    incident,
    text::message::quoted,
};

pub(super) fn evaluate(ctx: ConditionContext<'_, '_>, environment: Option<&str>) -> ConditionResult {
    let environment = environment.or(ctx.subject.environment());
    let (eval, now) = (ctx.eval, ctx.eval.now);
    let open = incident::open_incidents(eval.facts, eval.policy, environment, now);
    let place = environment.map_or_else(String::new, |name| format!(" on {}", quoted(name)));
    let since = open.first().map(|incident| incident.since);
    match open.as_slice() {
        [] => ConditionResult::pass("alerts_none", format!("no incident is open{place}")).seen(Some(now)),
        [one] => {
            let place = match (environment, &one.environment) {
                (Some(_), None) => " that names no environment".to_owned(),
                _ => place,
            };
            let issue = one.issue.map_or_else(String::new, |number| format!(" (#{number})"));
            ConditionResult::fail("alerts_open", format!("an incident is open{place}{issue}"))
                .seen(since)
                .turns(one.ends_at)
        }
        several => ConditionResult::fail("alerts_open", format!("{} incidents are open{place}", several.len()))
            .seen(since)
            .turns(several.iter().map(|incident| incident.ends_at).max().flatten()),
    }
}
