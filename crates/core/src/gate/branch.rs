//! `branch`: the commit's branch or tag lets it go to the environment. The condition always applies
//! to environments; it is not listed in policies and can't be overridden.

use crate::gate::{
    ConditionContext,
    condition_result::ConditionResult,
    target::{Basis, Refusal, permitted},
};

/// Evaluates `branch` for a subject; `None` where it holds.
pub(super) fn evaluate(ctx: ConditionContext<'_, '_>) -> Option<ConditionResult> {
    let environment = ctx.subject.environment()?;
    let facts = ctx.eval.facts;
    let request = ctx.subject.request.as_ref().and_then(|id| facts.requests.get_key_value(id));
    let basis = request.map_or(Basis::BARE, |(id, request)| Basis::of(facts, id, request));
    let finding = match permitted(ctx.eval, environment, &ctx.subject.sha, basis) {
        Ok(()) => return None,
        Err(Refusal::No(why)) => ConditionResult::fail("branch_none", why.state(), why.turn().clone()),
        Err(Refusal::Pending(why)) => ConditionResult::unknown("branch_asked", why.state(), why.turn().clone()),
    };
    Some(finding.named("branch"))
}
