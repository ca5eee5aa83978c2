//! What events replaced: rows that rested on it are derived again.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::{
    context::EvalContext,
    domain::{
        alert::Says,
        event::{DeployState, Event, Seen},
        fact::{
            RepoFacts,
            deployment::DeploymentFacts,
            environment::stretches,
            incident::{IncidentFacts, incident_id},
        },
        id::ItemId,
        rule::name_key,
    },
    evidence::shipped::first,
    insight::{repair::is_feedback, suspicion::suspected_for},
};

/// What the last events replaced: what is blamed on what may differ from there on.
#[derive(Debug, Default)]
pub(crate) struct Former {
    /// Incidents before the first event on them; `None`: there was none.
    pub(crate) incidents: BTreeMap<String, Option<IncidentFacts>>,
    /// Deployments before the first event on them; `None`: there was none.
    pub(crate) deployments: BTreeMap<u64, Option<DeploymentFacts>>,
    /// Pull requests that a pull request reverted before the first event on it.
    pub(crate) reverts: BTreeMap<ItemId, Vec<ItemId>>,
    /// Whether an issue was a feedback issue before the first event on it.
    feedback: BTreeMap<ItemId, bool>,
}

impl Former {
    /// Keeps what an event is about to change.
    pub(crate) fn note(&mut self, facts: &RepoFacts, event: &Event) {
        if let Seen::Alert(message) = &event.seen
            && let Says::Group(group) = &message.says
        {
            let id = incident_id(&message.connection, &group.key);
            let known = facts.incidents.get(&id).cloned();
            self.incidents.entry(id).or_insert(known);
        }
        if let Some(item) = event.seen.item() {
            self.note_labels(facts, item);
        }
        if let Seen::Deployment(seen) = &event.seen {
            self.deployments.entry(seen.id).or_insert_with(|| facts.deployments.get(&seen.id).cloned());
        }
        if let Seen::Pull(seen) = &event.seen {
            let number = seen.item.number;
            let refs = facts.pull(number).and_then(|pull| pull.refs.as_ref());
            let reverts = refs.map(|refs| refs.value.reverts.clone()).unwrap_or_default();
            self.reverts.entry(number).or_insert(reverts);
        }
    }

    /// Keeps what other labels on an item are about to change.
    pub(crate) fn note_labels(&mut self, facts: &RepoFacts, item: ItemId) {
        self.feedback.entry(item).or_insert_with(|| is_feedback(facts, item));
    }

    /// Returns whether an issue became a feedback issue, or is none any more.
    pub(crate) fn turned_feedback(&self, facts: &RepoFacts, issue: ItemId) -> bool {
        self.feedback.get(&issue).is_some_and(|was| *was != is_feedback(facts, issue))
    }

    /// Returns a deployment as it was, if what it ran, and when, is still the same.
    pub(crate) fn ran_alike(&self, eval: &EvalContext<'_>, id: u64) -> bool {
        let (Some(now), Some(Some(before))) = (eval.facts.deployments.get(&id), self.deployments.get(&id)) else {
            return false;
        };
        let what = |one: &DeploymentFacts| (name_key(&one.environment), one.origin(), one.run, one.is_linked());
        let periods = |one: &DeploymentFacts| -> Vec<_> {
            stretches(one).iter().map(|stretch| (stretch.from, stretch.failed)).collect()
        };
        let failed = |one: &DeploymentFacts| first(one, DeployState::Failure);
        let is_same = now.names_commits_of(before)
            && what(now) == what(before)
            && periods(now) == periods(before)
            && failed(now) == failed(before);
        is_same && !self.left_empty(eval, id, now)
    }

    /// Returns whether a deployment became inactive and nothing runs in its place.
    fn left_empty(&self, eval: &EvalContext<'_>, id: u64, now: &DeploymentFacts) -> bool {
        let known = self.deployments.get(&id).and_then(Option::as_ref);
        let known = |at: Timestamp| {
            let ended =
                |one: &DeploymentFacts| one.statuses.iter().any(|s| s.state == DeployState::Inactive && s.at == at);
            known.is_some_and(ended)
        };
        let ends = now.statuses.iter().filter(|status| status.state == DeployState::Inactive).map(|status| status.at);
        let history = eval.history(&name_key(&now.environment));
        ends.filter(|at| !known(*at)).any(|at| history.at(at).is_none_or(|run| run.deployment == id))
    }

    /// Returns the environment of a deployment and its first success as they were, if either differs.
    pub(crate) fn moved_from(&self, facts: &RepoFacts, id: u64) -> Option<(String, Timestamp)> {
        let before = self.deployments.get(&id)?.as_ref()?;
        let at = first(before, DeployState::Success)?;
        let environment = name_key(&before.environment);
        let is_there = |now: &DeploymentFacts| {
            first(now, DeployState::Success) == Some(at) && name_key(&now.environment) == environment
        };
        (!facts.deployments.get(&id).is_some_and(is_there)).then_some((environment, at))
    }

    /// Returns the first and the last time at which an incident can have begun that a deployment is,
    /// or was, suspected for; `None` if that did not change.
    pub(crate) fn suspected_for(&self, eval: &EvalContext<'_>, id: u64) -> Option<(Timestamp, Timestamp)> {
        let deployment = eval.facts.deployments.get(&id)?;
        let (first, last) = suspected_for(eval, deployment);
        let Some(Some(before)) = self.deployments.get(&id) else { return Some((first, last)) };
        let (former_first, former_last) = suspected_for(eval, before);
        let counts = |one: &DeploymentFacts| (name_key(&one.environment), one.origin(), one.run);
        let is_same = (first, last) == (former_first, former_last) && counts(deployment) == counts(before);
        (!is_same).then(|| (first.min(former_first), last.max(former_last)))
    }
}
