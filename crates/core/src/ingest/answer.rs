//! Turns the forge's answers into facts.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::{
    domain::{
        event::RefName,
        fact::{DocumentKey, RepoFacts},
        id::Sha,
        needs::{Answer, Answered},
    },
    ingest::record::{add_commit, add_run, add_schema_change, add_status, home},
};

/// Adds an answer of the forge to the facts; returns the documents that changed.
pub(crate) fn learn(facts: &mut RepoFacts, answered: &Answered) -> BTreeSet<DocumentKey> {
    let mut changed = BTreeSet::new();
    if let Answer::Commits { commits, .. } = &answered.answer {
        let home = home(facts);
        for commit in commits {
            changed.extend(add_commit(facts, commit, &home));
        }
    }
    let mut kept = answered.clone();
    if let Answer::Commits { commits, .. } = &mut kept.answer {
        // Messages can be long and many. Their references to other items are facts of their own by
        // now, and nothing else reads the messages.
        for commit in commits {
            (commit.message, commit.parents) = (String::new(), None);
        }
    }
    match &answered.answer {
        Answer::Checks { runs, statuses } => {
            changed.extend(runs.iter().map(|run| add_run(facts, run)));
            changed.extend(statuses.iter().map(|status| add_status(facts, status)));
            kept.answer = Answer::Kept;
        }
        Answer::Tags(tags) => {
            changed.extend(add_tags(facts, tags, answered.at));
            kept.answer = Answer::Kept;
        }
        Answer::SchemaChanges { changes, numbers, needs_approval } => {
            changed.extend(changes.iter().flat_map(|change| add_schema_change(facts, change)));
            let (numbers, needs_approval) = (numbers.clone(), *needs_approval);
            kept.answer = Answer::SchemaChanges { changes: Vec::new(), numbers, needs_approval };
        }
        Answer::SchemaChange(change) => {
            changed.extend(add_schema_change(facts, change));
            kept.answer = Answer::Kept;
        }
        Answer::Writer(_)
        | Answer::Role(_)
        | Answer::Member(_)
        | Answer::LinkedIssues(_)
        | Answer::LinkedBranches(_)
        | Answer::Closer(_)
        | Answer::Commits { .. }
        | Answer::TagCommit(_)
        | Answer::Named(_)
        | Answer::Runs(_)
        | Answer::FailedJob(_)
        | Answer::AnyJobBegan(_)
        | Answer::Files(_)
        | Answer::BranchHead(_)
        | Answer::Kept
        | Answer::OpenIssues(_)
        | Answer::Authors(_)
        | Answer::TagSignature { .. }
        | Answer::CommitPlace(_)
        | Answer::BroughtBy(_)
        | Answer::Reviews { .. }
        | Answer::Starters(_)
        | Answer::RequiredChecks(_)
        | Answer::Unavailable { .. } => {}
    }
    facts.answers.insert(answered.need.clone(), kept);
    changed.insert(DocumentKey::Answer(answered.need.clone()));
    for key in &changed {
        facts.reindex(key);
    }
    changed.extend(facts.place_deployments(&changed));
    changed
}

/// Stores the list of tags, and adds tags that were created or moved since the previous list
/// without an event. The first list starts the record: its tags are not new.
fn add_tags(facts: &mut RepoFacts, tags: &BTreeMap<String, Sha>, at: Timestamp) -> Vec<DocumentKey> {
    let mut changed = Vec::new();
    if facts.tags.listed.as_ref() == Some(tags) {
        return changed;
    }
    let before = facts.tags.listed.replace(tags.clone());
    changed.push(DocumentKey::Tags);
    let Some(before) = before else { return changed };
    for (tag, sha) in tags.iter().filter(|(tag, sha)| before.get(*tag) != Some(sha)) {
        let name = RefName::Tag(tag.clone());
        let place = facts.refs.entry(name.clone()).or_default();
        let last = place.moves().last().and_then(|(_, sha)| sha.as_ref());
        if last != Some(sha) {
            place.moved(at, Some(sha.clone()));
            changed.push(DocumentKey::Ref(name));
        }
    }
    changed
}
