//! `window`: the time window is open.

use crate::{
    domain::rule::Window,
    gate::{ConditionContext, calendar, condition_result::ConditionResult},
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
    let sentence = local.map_or_else(|| "the window never opens".to_owned(), |at| format!("the window opens {at}"));
    let finding = if turns.is_some() {
        ConditionResult::wait("window_shut", sentence)
    } else {
        ConditionResult::fail("window_shut", sentence)
    };
    finding.seen(Some(now)).turns(turns)
}
