//! Changes that only repair.

use crate::{
    commits::landing::Work,
    context::EvalContext,
    domain::{
        fact::RepoFacts,
        id::{ItemId, Sha},
    },
};

/// Returns whether a change only repairs: it has a label of rework, reverts something, or closes a
/// feedback issue.
pub(crate) fn is_rework(eval: &EvalContext<'_>, work: &Work) -> bool {
    let facts = eval.facts;
    let reverts = |commit: &Sha| facts.commits.get(commit).is_some_and(|said| !said.reverts.is_empty());
    match work {
        Work::Commit(sha) => reverts(sha),
        Work::Pull(number) => {
            let labels = facts.item_labels(*number).into_iter().flatten();
            let labelled =
                || labels.into_iter().any(|label| eval.policy.insight.rework.iter().any(|p| p.matches(label)));
            let pull = facts.pull(*number);
            let says = || pull.and_then(|pull| pull.refs.as_ref()).is_some_and(|refs| !refs.value.reverts.is_empty());
            let merged = || pull.and_then(|pull| pull.merged.as_ref()).is_some_and(|merge| reverts(&merge.sha));
            let feedback = || eval.named_issues(*number).iter().any(|issue| is_feedback(eval.facts, *issue));
            labelled() || says() || merged() || feedback()
        }
    }
}

/// Returns whether an issue is a feedback issue.
pub(crate) fn is_feedback(facts: &RepoFacts, issue: ItemId) -> bool {
    let labels = facts.item_labels(issue).into_iter().flatten();
    facts.index.shown_in.contains_key(&issue) || labels.into_iter().any(|label| label == "feedback")
}
