//! Turns a plan into a commit.

use std::collections::BTreeSet;

use crate::{
    domain::{
        fact::DocumentKey,
        id::ConnectionId,
        policy::{Mode, Policy},
    },
    engine::{Plan, Repository},
    plan::{PlannedEffect, PlannedNotice},
    port::store::{Commit, Document, NewEffect, NewNotice, Seq},
};

/// Longest note, in characters.
const LONGEST_NOTE: usize = 2000;
/// Most moved items that a note lists one by one.
const MOVES_TOLD: usize = 20;
/// Permission to queue effects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writes {
    /// Granted, as this installation.
    As(ConnectionId),
    /// Denied, with the reason.
    No(&'static str),
}

impl Writes {
    /// Returns the permission under a policy, for a repository's installation.
    pub(crate) fn allowed(dry_run: bool, policy: &Policy, installation: Option<ConnectionId>) -> Self {
        match installation {
            _ if dry_run => Self::No("dry run"),
            _ if policy.mode == Mode::Observe => Self::No("mode: observe"),
            Some(installation) => Self::As(installation),
            None => Self::No("phasebot is not installed there"),
        }
    }

    /// Returns why nothing may be written, if so.
    pub(crate) fn silent(self) -> Option<&'static str> {
        match self {
            Self::As(_) => None,
            Self::No(why) => Some(why),
        }
    }

    /// Adds the effects of a plan to the commit.
    pub(crate) fn queue(
        self,
        effects: impl IntoIterator<Item = PlannedEffect>,
        cause: Option<Seq>,
        commit: &mut Commit,
    ) {
        let Self::As(installation) = self else { return };
        commit.effects.extend(effects.into_iter().map(|PlannedEffect { key, replaces, effect }| NewEffect {
            key,
            replaces,
            installation,
            effect,
            cause,
        }));
    }
}

/// Returns the commit that stores a plan and queues its effects, attributed to
/// the delivery that caused it.
pub(crate) fn commit_of(plan: Plan, repo: &Repository, writes: Writes, cause: Option<Seq>) -> Commit {
    let mut commit = Commit {
        repo: Some(repo.facts.key.clone()),
        now: Some(plan.now),
        facts: documents(repo, &plan.changed),
        items: plan.items,
        histories: plan.histories,
        insight: plan.insight,
        timers: plan.timers,
        cancel_effects: plan.cancel,
        ..Commit::default()
    };
    if writes.silent().is_none() {
        let new = |PlannedNotice { target, notice }| NewNotice { target, notice };
        commit.notices = plan.notices.into_iter().map(new).collect();
    }
    writes.queue(plan.effects, cause, &mut commit);
    commit
}

/// Returns the current documents under changed keys.
pub(crate) fn documents(repo: &Repository, changed: &BTreeSet<DocumentKey>) -> Vec<Document> {
    changed.iter().map(|key| Document { key: key.to_string(), body: repo.facts.document(key) }).collect()
}

/// Joins sentences into one note: bounded, and without control characters,
/// since titles and branch names in it come from other people.
pub(crate) fn note(sentences: &[String]) -> String {
    let told = sentences.iter().filter(|s| !s.is_empty());
    let mut text = told.clone().take(MOVES_TOLD).cloned().collect::<Vec<_>>().join("; ");
    let more = told.count().saturating_sub(MOVES_TOLD);
    if more > 0 {
        text = format!("{text}; and {more} more");
    }
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST_NOTE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_bounded_and_one_line() {
        let sentences: Vec<String> = (0..600).map(|n| format!("#{n}\nplan\u{7}")).collect();
        let note = note(&sentences);
        assert!(note.ends_with("and 580 more"), "{note}");
        assert!(!note.chars().any(char::is_control));
    }
}
