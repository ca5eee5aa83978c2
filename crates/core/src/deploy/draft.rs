//! Draft releases, and the gates that guard them.

use jiff::Timestamp;

use crate::{
    context::EvalContext,
    domain::{
        decision::{Decision, GateName},
        fact::RepoFacts,
        id::{Account, Sha},
        policy::Policy,
    },
    gate::{self, Subject},
};

/// A draft release that waits to be published.
pub(crate) struct Draft {
    pub(crate) id: u64,
    pub(crate) tag: String,
    /// Branch that it is made from, if it names one.
    pub(crate) branch: Option<String>,
    /// Subject of the gate that publishes it, or of the first gate that guards it.
    pub(crate) subject: Subject,
    /// Subjects of the other gates that guard it: they have to be open, too.
    pub(super) others: Vec<Subject>,
}

impl Draft {
    /// Evaluates the gates of the draft for `requester`: returns the decision of one that is not
    /// open, or of the first if all are.
    pub(crate) fn evaluate(
        &self,
        facts: &RepoFacts,
        policy: &Policy,
        requester: Option<&Account>,
        now: Timestamp,
    ) -> Decision {
        let evaluate = |subject: &Subject| {
            // A requester can't approve their own request.
            let subject = Subject { requester: requester.cloned(), ..subject.clone() };
            gate::evaluate(facts, policy, &subject, now)
        };
        let first = evaluate(&self.subject);
        let mut others = self.others.iter().map(evaluate);
        if first.standing.is_open() { others.find(|other| !other.standing.is_open()).unwrap_or(first) } else { first }
    }
}

/// Returns the drafts that a gate guards and whose commit is known.
pub(crate) fn drafts(facts: &RepoFacts, policy: &Policy, now: Timestamp) -> Vec<Draft> {
    drafts_in(&EvalContext::new(facts, policy, now))
}

/// Returns the drafts that a gate guards and whose commit is known; asks for unknown commits.
pub(super) fn drafts_in(eval: &EvalContext<'_>) -> Vec<Draft> {
    let mut found = Vec::new();
    for (id, release) in eval.facts.draft_releases() {
        let state = &release.state.value;
        let mut gates: Vec<_> = eval.policy.gates.iter().filter(|(_, rule)| rule.covers_draft(&state.tag)).collect();
        gates.sort_by_key(|(_, rule)| !rule.publish);
        let Some(sha) = eval.draft_commit(&state.tag, &state.target) else { continue };
        let pinned = state.target.parse().is_ok_and(|target: Sha| target == sha);
        let branch = (!pinned).then(|| match state.target.as_str() {
            "" => eval.facts.default_branch().to_owned(),
            target => target.to_owned(),
        });
        let mut subjects = gates.into_iter().map(|(gate, _)| {
            let mut subject = Subject::new(GateName::Release(gate.clone()), sha.clone(), release.state.at);
            subject.tags.push(state.tag.clone());
            subject
        });
        let Some(subject) = subjects.next() else { continue };
        found.push(Draft { id, tag: state.tag.clone(), branch, subject, others: subjects.collect() });
    }
    found
}
