//! `ancestry`: the commit is on one of the branches.

use crate::{
    commits::branches::OnLine,
    context::rights::WRITERS,
    domain::{policy::Pattern, turn::Turn},
    gate::{ConditionContext, condition_result::ConditionResult, turns},
    text::message::{forge_words, quoted},
};

pub(super) fn evaluate(ctx: ConditionContext<'_, '_>, of: &[Pattern], any: bool) -> ConditionResult {
    if any {
        return ConditionResult::pass("ancestry_any", "the policy accepts any branch");
    }
    let short = ctx.subject.sha.code();
    match ctx.eval.on_branches(&ctx.subject.sha, of) {
        OnLine::Yes { branch, since } => {
            ConditionResult::pass("ancestry", format!("{short} is on {}", quoted(&branch))).seen(since)
        }
        OnLine::No => {
            let allowed: Vec<String> = of.iter().map(|pattern| quoted(pattern.as_str())).collect();
            let allowed = if allowed.is_empty() { "a branch that counts".to_owned() } else { allowed.join(", ") };
            let turn = Turn::people(WRITERS, format!("merge {short} into {allowed}"));
            ConditionResult::fail("ancestry_none", format!("{short} is not on {allowed}"), turn)
        }
        OnLine::Unknown(Some(why)) => ConditionResult::error(
            "ancestry_unavailable",
            format!("GitHub did not say whether {short} is on a branch that counts: {}", forge_words(&why)),
            turns::refused(),
        ),
        OnLine::Unknown(None) => ConditionResult::unknown(
            "ancestry_asked",
            format!("GitHub is being asked whether {short} is on a branch that counts"),
            Turn::asking(),
        ),
    }
}
