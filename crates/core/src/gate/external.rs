//! `external`: another system passed the commit.

use jiff::{SignedDuration, Timestamp};

use crate::{
    domain::{event::VerdictState, fact::verdict::VerdictFact, rule::ExternalRule, turn::Turn},
    gate::{ConditionContext, condition_result::ConditionResult},
    text::message::{self, quoted},
};

pub(super) fn evaluate(ctx: ConditionContext<'_, '_>, rule: &ExternalRule) -> ConditionResult {
    let (eval, subject) = (ctx.eval, ctx.subject);
    let environment = rule.environment.as_deref().or(subject.environment());
    let from = quoted(&rule.from);
    let known = eval.facts.verdicts.get(&subject.sha).map(|known| known.of(&rule.from, environment));
    let Some(of_connection) = known.unwrap_or_else(|| Some(Vec::new())) else {
        let sentence = format!("{from} sent more verdicts on the commit than phasebot keeps");
        return ConditionResult::fail("external_too_many", sentence, judged_again(ctx, &from));
    };
    let verdicts: Vec<&VerdictFact> =
        of_connection.into_iter().filter(|verdict| rule.name.matches(&verdict.name)).collect();
    if verdicts.is_empty() {
        let until = after(subject.since, rule.report_within);
        return if eval.now < until {
            let turn = ctx.at(&format!("phasebot waits for {from} until"), until);
            ConditionResult::unknown("external_awaited", format!("{from} has not reported on the commit"), turn)
                .turns(Some(until))
        } else {
            let words = format!("{from} did not report on the commit in time");
            ConditionResult::fail("external_missing", words, judged_again(ctx, &from))
        };
    }
    let seen = verdicts.iter().map(|verdict| verdict.at).max();
    let worst = verdicts.iter().find(|verdict| verdict.state == VerdictState::Fail);
    if let Some(failed) = worst {
        let act = format!("push a fix, or let {from} judge {} again", subject.sha.code());
        let turn = Turn::people(ctx.makers(), act);
        return ConditionResult::fail("external_failed", sentence(failed, "failed the commit"), turn)
            .seen(Some(failed.at))
            .link(failed.url.as_deref());
    }
    let ends = |verdict: &VerdictFact| {
        let aged = after(verdict.at, rule.max_age);
        verdict.valid_until.map_or(aged, |until| until.min(aged))
    };
    if let Some(old) = verdicts.iter().find(|verdict| verdict.state == VerdictState::Pass && ends(verdict) <= eval.now)
    {
        let moment = message::moment(ends(old), &eval.policy.commands.zone);
        return ConditionResult::fail(
            "external_expired",
            format!("the verdict {} of {from} expired {moment}", quoted(&old.name)),
            judged_again(ctx, &from),
        )
        .seen(Some(old.at))
        .link(old.url.as_deref());
    }
    if let Some(waiting) = verdicts.iter().find(|verdict| verdict.state == VerdictState::Pending) {
        let until = after(waiting.at, rule.report_within);
        let finding = if eval.now < until {
            let turn = ctx.at(&format!("phasebot waits for {from} until"), until);
            ConditionResult::unknown("external_pending", sentence(waiting, "has not decided yet"), turn)
                .turns(Some(until))
        } else {
            let words = sentence(waiting, "did not decide in time");
            ConditionResult::fail("external_missing", words, judged_again(ctx, &from))
        };
        return finding.seen(Some(waiting.at)).link(waiting.url.as_deref());
    }
    let only = verdicts.first().filter(|_| verdicts.len() == 1);
    let what = match only {
        Some(one) => sentence(one, "passed the commit"),
        None => format!("{from} passed the commit: {} verdicts", verdicts.len()),
    };
    ConditionResult::pass("external_passed", what)
        .seen(seen)
        .link(only.and_then(|one| one.url.as_deref()))
        .turns(verdicts.iter().map(|verdict| ends(verdict)).min())
}

/// Returns the turn of those who let the other system judge the commit again.
fn judged_again(ctx: ConditionContext<'_, '_>, from: &str) -> Turn {
    Turn::people(ctx.makers(), format!("let {from} judge {} again", ctx.subject.sha.code()))
}

fn sentence(verdict: &VerdictFact, does: &str) -> String {
    let reason = message::reason(verdict.reason.as_deref());
    format!("{} ({}) {does}{reason}", quoted(&verdict.connection), quoted(&verdict.name))
}

fn after(at: Timestamp, span: SignedDuration) -> Timestamp {
    at.checked_add(span).unwrap_or(Timestamp::MAX)
}
