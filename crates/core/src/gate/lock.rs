//! `lock`: nobody else holds the environment's lock, and the requester does not
//! hold it for another item.

use crate::{
    domain::fact::lock::LockOwner,
    gate::{ConditionContext, condition_result::ConditionResult},
    text::message::{quoted, reason},
};

pub(super) fn evaluate(ctx: ConditionContext<'_, '_>) -> ConditionResult {
    let Some(environment) = ctx.subject.environment() else {
        return ConditionResult::pass("lock_none", "a release has no lock");
    };
    let Some(lock) = ctx.eval.facts.lock(environment, ctx.eval.now) else {
        return ConditionResult::pass("lock_free", format!("{} is not locked", quoted(environment)));
    };
    let (name, by, why) = (quoted(environment), quoted(&lock.by.login), reason(lock.reason));
    let owner = ctx.subject.requester.as_ref().map(|who| lock.owner(who, ctx.subject.item));
    let finding = match owner {
        Some(LockOwner::Same) => {
            return ConditionResult::pass("lock_own", format!("the lock is held by {by}, who asks"))
                .seen(Some(lock.since));
        }
        Some(LockOwner::OtherItem(item)) if ctx.subject.replaces => {
            let words = format!("the lock is held by {by}, who asks, for #{item}, and is to be replaced");
            return ConditionResult::pass("lock_replaced", words).seen(Some(lock.since));
        }
        Some(LockOwner::OtherItem(item)) => {
            ConditionResult::wait("lock_other_item", format!("{name} is locked by {by}, who asks, for #{item}{why}"))
        }
        Some(LockOwner::Other) | None => ConditionResult::wait("lock_held", format!("{name} is locked by {by}{why}")),
    };
    let finding = finding.seen(Some(lock.since)).turns(lock.until);
    // A lock with an expiry ends without a person.
    if lock.until.is_none() { finding.by_hand() } else { finding }
}
