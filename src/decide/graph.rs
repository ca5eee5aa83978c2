//! Which commit contains which, from our own record of pushes first and the
//! forge's comparisons after.
//!
//! Pushes do not tell parents. But a push that rewrote nothing says exactly
//! which commits its end has more than its beginning, and so does a
//! comparison. From these two alone «contains» and «does not contain» can both
//! be proven; what can't be proven is unknown, and asked.

use std::collections::BTreeSet;

use super::look::Look;
use crate::domain::{
    id::Sha,
    needs::{Answer, Need},
};

/// What is exactly known of a commit's past: all of `base`'s past, and `more`.
struct Step<'a> {
    base: Option<&'a Sha>,
    more: Box<dyn Iterator<Item = &'a Sha> + 'a>,
}

/// The past of a commit, as far as the record goes.
#[derive(Default)]
struct Past<'a> {
    /// Commits that are in it for certain.
    commits: BTreeSet<&'a Sha>,
    /// Commits beyond which nothing is recorded.
    roots: BTreeSet<&'a Sha>,
}

impl<'a> Look<'a> {
    /// Whether `newer` contains `older`. An unknown answer is `false`, and asked for.
    pub(super) fn contains(&self, newer: &Sha, older: &Sha) -> bool {
        self.known_to_contain(newer, older).unwrap_or_else(|| {
            self.lasting(&Need::Commits { base: Some(older.clone()), head: newer.clone() });
            false
        })
    }

    /// Whether `newer` contains `older`, if the record can tell.
    pub(super) fn known_to_contain(&self, newer: &Sha, older: &Sha) -> Option<bool> {
        if newer == older {
            return Some(true);
        }
        if let Some(compared) = self.compared(newer, older) {
            return Some(compared);
        }
        let past = self.past(newer, Some(older));
        if past.commits.contains(older) {
            return Some(true);
        }
        if past.roots.is_empty() {
            return Some(false);
        }
        // `older` came after `newer`.
        if self.past(older, Some(newer)).commits.contains(newer) {
            return Some(false);
        }
        self.came_after_all(older, &past.roots).then_some(false)
    }

    /// Whether `commit` was new in a push that already stood on every one of
    /// `roots`: then no root's past can hold it.
    fn came_after_all(&self, commit: &Sha, roots: &BTreeSet<&Sha>) -> bool {
        let pushes = self.facts.index.brought_by.get(commit).into_iter().flatten();
        pushes.filter_map(|id| self.facts.pushes.get(id)).filter(|push| push.is_exact()).any(|push| {
            let before = self.past(&push.before, None);
            roots.iter().all(|root| before.commits.contains(*root))
        })
    }

    fn compared(&self, newer: &Sha, older: &Sha) -> Option<bool> {
        let need = Need::Commits { base: Some(older.clone()), head: newer.clone() };
        match &self.facts.answers.get(&need)?.answer {
            Answer::Commits { merge_base, .. } => Some(merge_base.as_ref() == Some(older)),
            _ => None,
        }
    }

    /// Walks back from `start` until the record ends or `goal` is met.
    fn past(&self, start: &'a Sha, goal: Option<&Sha>) -> Past<'a> {
        let mut past = Past::default();
        let mut open = vec![start];
        while let Some(commit) = open.pop() {
            if !past.commits.insert(commit) {
                continue;
            }
            if goal == Some(commit) {
                break;
            }
            let mut recorded = false;
            for step in self.steps(commit) {
                recorded = true;
                past.commits.extend(step.more.filter(|c| *c != commit));
                open.extend(step.base);
            }
            if !recorded {
                past.roots.insert(commit);
            }
            if goal.is_some_and(|goal| past.commits.contains(goal)) {
                break;
            }
        }
        past
    }

    fn steps(&self, commit: &Sha) -> Vec<Step<'a>> {
        let facts = self.facts;
        let pushes = facts.index.ended_at.get(commit).into_iter().flatten();
        let pushes = pushes.filter_map(|id| facts.pushes.get(id)).filter(|push| push.is_exact());
        let mut steps: Vec<Step<'a>> =
            pushes.map(|push| Step { base: Some(&push.before), more: Box::new(push.commits.iter()) }).collect();
        for need in facts.index.compared.get(commit).into_iter().flatten() {
            let answer = facts.answers.get(need).map(|a| &a.answer);
            // Where the head itself is the common ancestor the answer says
            // nothing of its past.
            if let Some(Answer::Commits { merge_base, commits, complete: true }) = answer
                && merge_base.as_ref() != Some(commit)
            {
                steps.push(Step { base: merge_base.as_ref(), more: Box::new(commits.iter().map(|c| &c.sha)) });
            }
        }
        steps
    }
}
