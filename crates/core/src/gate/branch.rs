//! `branch`: the commit may go to the environment, by what it is on. It always
//! counts before environments, is not listed in policies, and nobody overrides it.

use crate::gate::{
    ConditionContext,
    condition_result::ConditionResult,
    target::{Basis, Refusal, permitted},
};

/// What `branch` finds for a subject; `None` where it holds.
pub(super) fn evaluate(ctx: ConditionContext<'_, '_>) -> Option<ConditionResult> {
    let environment = ctx.subject.environment()?;
    let facts = ctx.eval.facts;
    let request = ctx.subject.request.as_ref().and_then(|id| facts.requests.get_key_value(id));
    let basis = request.map_or(Basis::BARE, |(id, request)| Basis::of(facts, id, request));
    let finding = match permitted(ctx.eval, environment, &ctx.subject.sha, basis) {
        Ok(()) => return None,
        Err(Refusal::No(why)) => ConditionResult::fail("branch_none", why),
        Err(Refusal::Pending(why)) => ConditionResult::unknown("branch_asked", why),
    };
    Some(finding.named("branch"))
}
