//! `window`: the time window is open.

use crate::{
    domain::rule::Window,
    gate::{ConditionContext, calendar, condition_result::ConditionResult, turns},
    text::message,
};

pub(super) fn evaluate(ctx: ConditionContext<'_, '_>, window: &Window) -> ConditionResult {
    let now = ctx.eval.now;
    let (open, turns) = calendar::window(window, now);
    let local = turns.map(|at| message::moment(at, &ctx.eval.policy.commands.zone));
    if open {
        let sentence =
            local.map_or_else(|| "the window is open".to_owned(), |at| format!("the window is open until {at}"));
        return ConditionResult::pass("window_open", sentence).seen(Some(now)).turns(turns);
    }
    let finding = match turns {
        Some(at) => ConditionResult::wait("window_shut", "the time window is closed", ctx.at("it opens", at)),
        None => ConditionResult::fail("window_shut", "the time window never opens", turns::edits_policy("change it")),
    };
    finding.seen(Some(now)).turns(turns)
}
