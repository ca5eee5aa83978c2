//! Adds commits, check runs and statuses to the facts, from events and answers alike.

use crate::{
    domain::{
        event::{CheckSeen, CommitSeen, StatusSeen},
        fact::{
            DocumentKey, Newest, RepoFacts,
            commit::{RunFact, StatusFact},
        },
        schema::SchemaChange,
    },
    ingest::references::{self, Home},
};

/// Returns the repository and host against which a repository's texts are resolved.
pub(crate) fn home(facts: &RepoFacts) -> Home {
    let newest = |known: &Option<Newest<String>>| known.as_ref().map(|known| known.value.clone());
    Home { full_name: newest(&facts.about.full_name).unwrap_or_default(), web_host: newest(&facts.about.web_host) }
}

pub(crate) fn add_commit(facts: &mut RepoFacts, commit: &CommitSeen, home: &Home) -> Option<DocumentKey> {
    let said = references::commit_facts(&commit.message, home);
    if said.is_silent() || facts.commits.get(&commit.sha) == Some(&said) {
        return None;
    }
    facts.commits.insert(commit.sha.clone(), said);
    Some(DocumentKey::Commit(commit.sha.clone()))
}

pub(crate) fn add_run(facts: &mut RepoFacts, seen: &CheckSeen) -> DocumentKey {
    let fact = RunFact {
        completed: seen.completed,
        started_at: seen.started_at,
        name: seen.name.clone(),
        source: seen.source,
        suite: seen.suite,
        ours: seen.ours,
        url: seen.url.clone(),
        source_name: seen.source_name.clone(),
    };
    facts.checks.entry(seen.sha.clone()).or_default().add_run(seen.id, fact);
    DocumentKey::Checks(seen.sha.clone())
}

pub(crate) fn add_status(facts: &mut RepoFacts, seen: &StatusSeen) -> DocumentKey {
    let fact = StatusFact {
        at: seen.at,
        outcome: seen.outcome,
        context: seen.context.clone(),
        url: seen.url.clone(),
        ours: seen.ours,
    };
    facts.checks.entry(seen.sha.clone()).or_default().add_status(seen.id, fact);
    DocumentKey::Checks(seen.sha.clone())
}

/// Adds what a database told of a schema change; returns the documents that changed.
pub(super) fn add_schema_change(facts: &mut RepoFacts, change: &SchemaChange) -> Vec<DocumentKey> {
    let keys = facts.add_schema_change(change).into_iter();
    keys.map(|(connection, number)| DocumentKey::SchemaChange(connection, number)).collect()
}
