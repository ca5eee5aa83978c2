//! `lock`: nobody else holds the environment's lock.

use super::{Case, finding::Finding};
use crate::decide::message::{quoted, reason};

pub(super) fn judge(case: Case<'_, '_>) -> Finding {
    let Some(environment) = case.subject.environment() else {
        return Finding::pass("lock_none", "a release has no lock");
    };
    let Some(lock) = case.look.facts.lock(environment, case.look.now) else {
        return Finding::pass("lock_free", format!("{} is not locked", quoted(environment)));
    };
    if !lock.binds_all && case.subject.requester.as_deref().is_some_and(|who| who.eq_ignore_ascii_case(lock.by)) {
        return Finding::pass("lock_own", format!("the lock is held by {}, who asks", quoted(lock.by)))
            .seen(Some(lock.since));
    }
    let words = format!("{} is locked by {}{}", quoted(environment), quoted(lock.by), reason(lock.reason));
    let finding = Finding::wait("lock_held", words).seen(Some(lock.since)).turns(lock.until);
    // A lock with an end goes by itself.
    if lock.until.is_none() { finding.by_hand() } else { finding }
}
