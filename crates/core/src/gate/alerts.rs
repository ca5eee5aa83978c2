//! `alerts`: no incident is open.

use crate::{
    context::rights::{TRIAGES, who_may},
    domain::turn::{Act, Turn},
    gate::{ConditionContext, condition_result::ConditionResult},
    incident::{self, OpenIncident},
    text::message::{command_line, quoted},
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
            ConditionResult::fail(
                "alerts_open",
                format!("an incident is open{place}{issue}"),
                resolves(ctx, open.first()),
            )
            .seen(since)
            .turns(one.ends_at)
        }
        several => {
            let words = format!("{} incidents are open{place}", several.len());
            ConditionResult::fail("alerts_open", words, resolves(ctx, several.first()))
                .seen(since)
                .turns(several.iter().map(|incident| incident.ends_at).max().flatten())
        }
    }
}

/// Returns the turn of those who end an incident.
fn resolves(ctx: ConditionContext<'_, '_>, incident: Option<&OpenIncident>) -> Turn {
    match incident.and_then(|incident| incident.issue) {
        Some(issue) => Turn::people(
            format!("whoever is on call or {}", who_may(ctx.eval.policy, "resolve", TRIAGES)),
            Act::comment(command_line(&["resolve"]).on(issue)).and(" when it is over"),
        ),
        None => Turn::people("whoever is on call", "resolve the alert in the monitoring system"),
    }
}
