//! Periodic listing of a repository's tags.
//!
//! GitHub sends no webhook for tags when more than three are pushed at once. Phases, gates and
//! automatic deploys would miss those tags, so phasebot lists them: at most once an hour.

use jiff::{SignedDuration, Timestamp};

use crate::{
    context::{EvalContext, RETRY_AFTER},
    domain::{
        needs::{Answer, Need},
        policy::{EvidenceKind, Mode, Policy},
        rule::Trigger,
    },
};

/// Time between two listings.
const LIST_EVERY: SignedDuration = SignedDuration::from_hours(1);
/// Granularity of the stored time of a repository's last event: few events then cause a write.
pub(crate) const ACTIVE_STEP: SignedDuration = SignedDuration::from_hours(6);
/// Time after a repository's last event for which its tags are listed on behalf of its phases: six
/// hours, plus the rounding of the event's time.
const ACTIVE_FOR: SignedDuration = SignedDuration::from_hours(6 + ACTIVE_STEP.as_hours());

impl EvalContext<'_> {
    /// Asks for the list of tags if it is due.
    pub(crate) fn want_tags(&self) {
        if self.tags_due_at().is_some_and(|at| at <= self.now) {
            self.want(Need::Tags);
        }
    }

    /// Returns when the tags are to be listed next; `None` if nothing depends on them.
    pub(crate) fn tags_due_at(&self) -> Option<Timestamp> {
        if !(acts_on_tags(self.policy) || self.phases_wait_for_tags()) {
            return None;
        }
        let Some(listed) = self.facts.answers.get(&Need::Tags) else { return Some(self.now) };
        let pause = if matches!(listed.answer, Answer::Unavailable { .. }) { RETRY_AFTER } else { LIST_EVERY };
        listed.at.checked_add(pause).ok()
    }

    /// Returns whether a tag could move an item on, in a repository with recent events.
    fn phases_wait_for_tags(&self) -> bool {
        let index = &self.facts.index;
        let mut evidence = self.policy.phases.iter().flat_map(|phase| &phase.when);
        let active_until = self.facts.about.active_at.and_then(|at| at.checked_add(ACTIVE_FOR).ok());
        active_until.is_some_and(|until| self.now < until)
            && !(index.merged_as.is_empty() && index.commits_closing.is_empty())
            && evidence.any(|evidence| matches!(evidence.kind, EvidenceKind::Tagged { .. }))
    }
}

/// Returns whether a tag can pass a gate or start a deploy.
fn acts_on_tags(policy: &Policy) -> bool {
    let deploys =
        || policy.environments.values().any(|rule| rule.deploy.is_some() && rule.auto.on.contains(&Trigger::Tag));
    policy.mode == Mode::Act && (policy.gates.values().any(|rule| rule.tag.is_some()) || deploys())
}
