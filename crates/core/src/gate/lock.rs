//! `lock`: nobody else holds the environment's lock, and the requester does not
//! hold it for another item.

use crate::{
    context::rights::{DEPLOYS, who_may},
    domain::{
        fact::lock::LockOwner,
        turn::{Act, Turn},
    },
    gate::{ConditionContext, condition_result::ConditionResult},
    text::{
        message::{command_line, moment, on_item, quoted, reason},
        people,
    },
};

pub(super) fn evaluate(ctx: ConditionContext<'_, '_>) -> ConditionResult {
    let Some(environment) = ctx.subject.environment() else {
        return ConditionResult::pass("lock_none", "locks do not apply to releases");
    };
    let Some(lock) = ctx.eval.facts.lock(environment, ctx.eval.now) else {
        return ConditionResult::pass("lock_free", format!("{} is not locked", quoted(environment)));
    };
    let (name, by, why) = (quoted(environment), quoted(&lock.by.login), reason(lock.reason));
    let zone = &ctx.eval.policy.commands.zone;
    let until = lock.until.map_or_else(String::new, |at| format!(" until {}", moment(at, zone)));
    let since = format!(" since {}{until}", moment(lock.since, zone));
    let unlock = command_line(&["unlock", environment]);
    let may = who_may(ctx.eval.policy, "unlock", DEPLOYS);
    let turn = match lock.until {
        Some(at) => Turn::by_itself(format!(
            "the lock ends {}, or when {} comments {}",
            moment(at, zone),
            people::or_may(lock.by, &may),
            unlock.code()
        )),
        None => Turn::people(
            people::human(lock.by).map_or(may, |who| format!("{who} (locked it)")),
            Act::comment(unlock).and(" as soon as that is safe"),
        ),
    };
    let holder = ctx.eval.facts.locking_rollback(environment).map(|(_, request)| request);
    if holder.is_some() && holder == ctx.subject.request.as_ref() {
        return ConditionResult::pass("lock_own", "this rollback holds the lock").seen(Some(lock.since));
    }
    let owner = ctx.subject.requester.as_ref().map(|who| lock.owner(who, ctx.subject.item));
    let finding = match owner {
        Some(LockOwner::Same) => {
            return ConditionResult::pass("lock_own", format!("{by}, who asks, holds the lock")).seen(Some(lock.since));
        }
        Some(LockOwner::OtherItem(item)) if ctx.subject.replaces => {
            let words = format!("{by}, who asks, holds the lock for #{item} and replaces it");
            return ConditionResult::pass("lock_replaced", words).seen(Some(lock.since));
        }
        Some(LockOwner::OtherItem(item)) => {
            ConditionResult::wait("lock_other_item", format!("{name} is locked by {by} for #{item}{since}{why}"), turn)
        }
        Some(LockOwner::Other) | None => ConditionResult::wait(
            "lock_held",
            format!("{name} is locked by {by}{}{since}{why}", on_item(lock.item)),
            turn,
        ),
    };
    let finding = finding.seen(Some(lock.since)).turns(lock.until);
    // A lock with an expiry ends without a person.
    if lock.until.is_none() { finding.by_hand() } else { finding }
}
