//! `order`: an automatic deploy does not go back. The condition always applies to such a request;
//! it is not listed in policies and can't be overridden.

use crate::{
    domain::turn::Turn,
    gate::{
        ConditionContext,
        condition_result::ConditionResult,
        rollout_order::{self, Order},
    },
    text::message::quoted,
};

/// Evaluates `order` for a subject; `None` where it does not apply.
pub(super) fn evaluate(ctx: ConditionContext<'_, '_>) -> Option<ConditionResult> {
    let request = ctx.eval.facts.requests.get(ctx.subject.request.as_ref()?)?;
    let rule = ctx.eval.policy.environment(&request.environment)?;
    if !request.is_automatic() || rule.auto.allow_older {
        return None;
    }
    let order = rollout_order::order(ctx.eval, request);
    let environment = quoted(&request.environment);
    let finding = match &order {
        Order::Forward => ConditionResult::pass("order", format!("what {environment} runs is not newer")),
        Order::Unknown => {
            let words = format!("GitHub is being asked whether it is older than what {environment} runs");
            ConditionResult::unknown("order_asked", words, Turn::asking())
        }
        Order::Older { .. } | Order::Lower { .. } => {
            let code = if matches!(order, Order::Older { .. }) { "order_older" } else { "order_lower" };
            let why = rollout_order::backward(request, &order);
            ConditionResult::fail(code, why.state(), why.turn().clone())
        }
    };
    Some(finding.named("order"))
}
