//! `order`: a deploy that nobody asked for does not go back. It always counts
//! for such a request, is not listed in policies, and nobody overrides it.

use crate::{
    gate::{
        ConditionContext,
        condition_result::ConditionResult,
        rollout_order::{self, Order},
    },
    text::message::quoted,
};

/// What `order` finds for a subject; `None` where it does not count.
pub(super) fn evaluate(ctx: ConditionContext<'_, '_>) -> Option<ConditionResult> {
    let request = ctx.eval.facts.requests.get(ctx.subject.request.as_ref()?)?;
    let rule = ctx.eval.policy.environments.get(&request.environment)?;
    if !request.is_automatic() || rule.auto.allow_older {
        return None;
    }
    let order = rollout_order::order(ctx.eval, request);
    let environment = quoted(&request.environment);
    let finding = match &order {
        Order::Forward => ConditionResult::pass("order", format!("what {environment} runs is not newer")),
        Order::Unknown => {
            let words = format!("whether it is older than what {environment} runs is being asked of the forge");
            ConditionResult::unknown("order_asked", words)
        }
        Order::Older { .. } => ConditionResult::fail("order_older", rollout_order::backward(request, &order)),
        Order::Lower { .. } => ConditionResult::fail("order_lower", rollout_order::backward(request, &order)),
    };
    Some(finding.named("order"))
}
