//! Ancestry of commits: which commit contains which, from the record of pushes first and the
//! forge's comparisons second.
//!
//! Push events name no parents. But a push that rewrote nothing shows exactly which commits its end
//! adds to its beginning, and so does a comparison. From these two alone, both "contains" and "does
//! not contain" can be proven; what can't be proven is unknown, and asked for.

use std::{
    collections::{BTreeSet, HashSet},
    rc::Rc,
};

use jiff::SignedDuration;

use crate::{
    context::EvalContext,
    domain::{
        event::CommitSeen,
        fact::commit::PushFacts,
        id::Sha,
        needs::{Answer, Need},
    },
};

/// A known part of a commit's ancestry: all of `base`'s ancestry, and `more`.
struct Step<'f> {
    base: Option<&'f Sha>,
    /// `more`, as a push lists it.
    pushed: &'f [Sha],
    /// `more`, as a comparison lists it.
    compared: &'f [CommitSeen],
}

impl<'f> Step<'f> {
    fn more(&self) -> impl Iterator<Item = &'f Sha> + use<'f> {
        self.pushed.iter().chain(self.compared.iter().map(|commit| &commit.sha))
    }
}

/// Ancestry of a commit, as far as recorded.
#[derive(Default)]
pub(crate) struct Ancestors<'f> {
    /// Proven ancestors, without the commit itself.
    commits: HashSet<&'f Sha>,
    /// Ancestors beyond which nothing is recorded.
    roots: Vec<&'f Sha>,
    /// Not even the commit's own ancestry is recorded.
    unrecorded: bool,
}

/// Number of pushes to search before a whole ancestry is gathered: most questions are about commits
/// close to each other.
const NEAR: usize = 32;
/// Limit on the pushes that are followed from one commit back to another.
const MOST_STEPS: usize = 500;
/// Limit on the newest pushes with incomplete lists that are examined.
const MOST_UNPROVEN: usize = 200;
/// Time after a push at which a missing earlier push is asked about.
const GAP_AFTER: SignedDuration = SignedDuration::from_mins(5);

impl<'f> EvalContext<'f> {
    /// Returns whether `newer` contains `older`. Returns `false` and asks if it is unknown.
    pub(crate) fn contains(&self, newer: &Sha, older: &Sha) -> bool {
        self.known_to_contain(newer, older).unwrap_or_else(|| {
            self.lasting(&Need::Commits { base: Some(older.clone()), head: newer.clone() });
            false
        })
    }

    /// Returns whether `newer` contains `older`, if the record shows it.
    pub(crate) fn known_to_contain(&self, newer: &Sha, older: &Sha) -> Option<bool> {
        if newer == older {
            return Some(true);
        }
        if let Some(compared) = self.compared(newer, older) {
            return Some(compared);
        }
        let gathered = self.pasts.borrow().contains_key(newer);
        if !gathered && self.is_near(newer, older) {
            return Some(true);
        }
        let past = self.past(newer);
        if past.commits.contains(older) {
            return Some(true);
        }
        if past.roots.is_empty() && !past.unrecorded {
            return Some(false);
        }
        // `older` came after `newer`.
        if self.is_near(older, newer) || self.past(older).commits.contains(newer) {
            return Some(false);
        }
        self.came_after_all(older, newer, &past).then_some(false)
    }

    /// Returns whether the last pushes before `newer` brought `older`, or began at it.
    fn is_near(&self, newer: &Sha, older: &Sha) -> bool {
        let mut at = newer;
        for _ in 0..NEAR {
            let Some(step) = self.steps(at).next() else { return false };
            if step.base == Some(older) || step.more().any(|commit| commit == older) {
                return true;
            }
            let Some(base) = step.base else { return false };
            at = base;
        }
        false
    }

    /// Returns whether `commit` was new in a push that already contained everything at which
    /// `newer`'s record ends: then `newer` can't contain it.
    fn came_after_all(&self, commit: &Sha, newer: &Sha, past: &Ancestors<'_>) -> bool {
        let pushes = self.facts.index.brought_by.get(commit).into_iter().flatten();
        pushes.filter_map(|id| self.facts.pushes.get(id)).filter(|push| push.is_exact()).any(|push| {
            let before = self.past(&push.before);
            let held = |root: &Sha| *root == push.before || before.commits.contains(root);
            if past.unrecorded { held(newer) } else { past.roots.iter().all(|root| held(root)) }
        })
    }

    /// Returns the commits that `newer` has and `older` has not, if an unbroken chain of pushes and
    /// comparisons leads from one to the other.
    pub(crate) fn chained_commits_between(&self, older: &Sha, newer: &Sha) -> Option<BTreeSet<&'f Sha>> {
        let mut between = BTreeSet::new();
        let mut at = newer;
        for _ in 0..MOST_STEPS {
            if at == older {
                return Some(between);
            }
            let step = self.steps(at).find(|step| step.base.is_some())?;
            // A push that brought `older` among others shows which commits came with it, but not
            // their ancestry.
            if step.more().any(|commit| commit == older) {
                return None;
            }
            between.extend(step.more());
            at = step.base?;
        }
        None
    }

    /// Returns the commits that `head` has and `base` has not, if the record is complete. Asks for
    /// them otherwise.
    pub(crate) fn ask_commits_between(&self, base: &Sha, head: &Sha) -> Option<BTreeSet<&'f Sha>> {
        let known = self.known_commits_between(base, head);
        if known.is_none() {
            self.lasting(&Need::Commits { base: Some(base.clone()), head: head.clone() });
        }
        known
    }

    /// Returns the commits that `head` has and `base` has not, if the record is complete.
    pub(crate) fn known_commits_between(&self, base: &Sha, head: &Sha) -> Option<BTreeSet<&'f Sha>> {
        let need = Need::Commits { base: Some(base.clone()), head: head.clone() };
        match self.facts.answers.get(&need).map(|known| &known.answer) {
            Some(Answer::Commits { commits, complete: true, .. }) => {
                Some(commits.iter().map(|commit| &commit.sha).collect())
            }
            _ => self.chained_commits_between(base, head).or_else(|| {
                // A rollback: the older commit adds nothing.
                (self.known_to_contain(base, head) == Some(true)).then(BTreeSet::new)
            }),
        }
    }

    /// Asks for what the newest push events to listed branches leave out: commits missing from a
    /// list, commits of a new branch, commits dropped by a rewrite, and commits of an unseen push.
    pub(crate) fn want_pushes(&self) {
        let newest = self.facts.index.unproven.iter().rev().take(MOST_UNPROVEN).map(|(_, id)| id);
        for id in newest.filter(|(name, _, _)| self.listed_ref(name)) {
            let Some(push) = self.facts.pushes.get(id) else { continue };
            if push.makes() {
                self.want_contents(push);
                continue;
            }
            let range = |base: &Sha, head: &Sha| Need::Commits { base: Some(base.clone()), head: head.clone() };
            let dropped = range(&push.after, &push.before);
            let answered = self.facts.answers.contains_key(&dropped);
            if push.forced && (answered || self.chained_commits_between(&push.after, &push.before).is_none()) {
                self.lasting(&dropped);
            }
            if push.truncated {
                self.lasting(&range(&push.before, &push.after));
            }
            self.want_gap(push);
        }
    }

    /// Asks for the commits of a new branch beyond the default branch.
    fn want_contents(&self, push: &PushFacts) {
        let is_compared = self.facts.index.compared.contains_key(&push.after);
        let from_main = push.made_from.as_ref().is_some_and(|from| self.facts.is_main_line(from));
        if is_compared || from_main || self.facts.is_main_line(push.name.name()) {
            return;
        }
        let before = self.facts.index.by_time.range(..(push.at, push.after.clone(), String::new())).rev();
        let main = before.take(MOST_STEPS).find(|(_, _, branch)| self.facts.is_main_line(branch));
        let Some((_, main, _)) = main else { return };
        if *main != push.after && !self.is_near(main, &push.after) {
            self.lasting(&Need::Commits { base: Some(main.clone()), head: push.after.clone() });
        }
    }

    /// Asks for the commits before a push that does not begin where the previous one ended.
    /// Deliveries may arrive out of order, so this waits for a while.
    fn want_gap(&self, push: &PushFacts) {
        let ended = |commit: &Sha| self.facts.index.ended_at.get(commit).into_iter().flatten();
        if self.now.duration_since(push.at) < GAP_AFTER || ended(&push.before).any(|id| id.0 == push.name) {
            return;
        }
        let earlier = self.facts.index.by_time.range(..(push.at, Sha::FIRST, String::new())).rev();
        let last = earlier.take(MOST_STEPS).find(|(_, _, branch)| branch == push.name.name());
        if let Some((_, last, _)) = last.filter(|(_, last, _)| !self.is_near(last, &push.before)) {
            self.lasting(&Need::Commits { base: Some(last.clone()), head: push.before.clone() });
        }
    }

    fn compared(&self, newer: &Sha, older: &Sha) -> Option<bool> {
        self.facts.index.compared.get(newer)?;
        let need = Need::Commits { base: Some(older.clone()), head: newer.clone() };
        let Answer::Commits { merge_base, .. } = &self.facts.answers.get(&need)?.answer else { return None };
        Some(merge_base.as_ref() == Some(older))
    }

    /// Returns everything recorded of a commit's ancestry; gathered once per evaluation context.
    fn past(&self, start: &Sha) -> Rc<Ancestors<'f>> {
        if let Some(known) = self.pasts.borrow().get(start) {
            return known.clone();
        }
        let mut past = Ancestors::default();
        let mut open = Vec::new();
        past.unrecorded = true;
        for step in self.steps(start) {
            past.unrecorded = false;
            past.commits.extend(step.more().filter(|c| *c != start));
            open.extend(step.base);
        }
        while let Some(commit) = open.pop() {
            if !past.commits.insert(commit) {
                continue;
            }
            let mut is_root = true;
            for step in self.steps(commit) {
                is_root = false;
                past.commits.extend(step.more().filter(|c| *c != commit));
                open.extend(step.base);
            }
            if is_root {
                past.roots.push(commit);
            }
        }
        let past = Rc::new(past);
        self.pasts.borrow_mut().insert(start.clone(), past.clone());
        past
    }

    /// Returns the known parts of a commit's ancestry: first those that pushes show.
    fn steps<'c>(&self, commit: &'c Sha) -> impl Iterator<Item = Step<'f>> + use<'f, 'c> {
        let facts = self.facts;
        let pushes = facts.index.ended_at.get(commit).into_iter().flatten();
        let pushes = pushes.filter_map(|id| facts.pushes.get(id)).filter(|push| push.is_exact());
        let pushed = pushes.map(|push| Step { base: Some(&push.before), pushed: &push.commits, compared: &[] });
        let compared = facts.index.compared.get(commit).into_iter().flatten().filter_map(move |need| {
            let answer = facts.answers.get(need).map(|known| &known.answer);
            let Some(Answer::Commits { merge_base, commits, complete: true }) = answer else { return None };
            // If the head itself is the common ancestor, the answer shows nothing of its ancestry.
            let shows_more = merge_base.as_ref() != Some(commit);
            shows_more.then(|| Step { base: merge_base.as_ref(), pushed: &[], compared: commits })
        });
        pushed.chain(compared)
    }
}
