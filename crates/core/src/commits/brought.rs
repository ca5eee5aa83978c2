//! Pull requests with which commits came. Everything that says what a comparison of two commits
//! brings asks here.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::{
    commits::landing::Work,
    context::EvalContext,
    domain::{
        event::RefName,
        id::{ItemId, Sha},
        needs::{Answer, Need},
    },
};

/// Limit on cherry-picks of cherry-picks.
const DEEPEST: usize = 8;

/// The work that a commit is a part of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Brought {
    /// Pull requests, of a cherry-pick those of its original; else the commit itself, or its
    /// original. Empty for a commit that only moves others from one listed branch to another.
    pub(crate) work: BTreeSet<Work>,
    /// Pull requests that cherry-picked it.
    pub(crate) picked_by: BTreeSet<ItemId>,
}

impl Brought {
    fn pulls(&self) -> impl Iterator<Item = ItemId> {
        self.work.iter().filter_map(Work::pull).chain(self.picked_by.iter().copied())
    }
}

impl EvalContext<'_> {
    /// Returns the work that a commit is a part of.
    pub(crate) fn brought_with(&self, sha: &Sha) -> Brought {
        let (pulls, promotes) = self.pulls_of(sha);
        let original = self.original(sha);
        let (originals, _) = if original == sha { (BTreeSet::new(), false) } else { self.pulls_of(original) };
        if !originals.is_empty() {
            return Brought { work: originals.into_iter().map(Work::Pull).collect(), picked_by: pulls };
        }
        let mut work: BTreeSet<Work> = pulls.into_iter().map(Work::Pull).collect();
        if work.is_empty() && !promotes {
            work.insert(Work::Commit(original.clone()));
        }
        Brought { work, picked_by: BTreeSet::new() }
    }

    /// Returns the pull requests of the commits that `newer` has and `older` has not; `None` if the
    /// record does not show these commits.
    pub(crate) fn pulls_between(&self, older: &Sha, newer: &Sha) -> Option<BTreeSet<ItemId>> {
        let commits = self.known_commits_between(older, newer)?;
        Some(commits.into_iter().flat_map(|sha| self.brought_with(sha).pulls().collect::<Vec<_>>()).collect())
    }

    /// Returns the pull requests merged since `since` that a commit is known to contain.
    pub(crate) fn pulls_within(&self, sha: &Sha, since: Timestamp) -> BTreeSet<ItemId> {
        let merged = self.facts.index.merges.range((since, 0)..).map(|(_, number)| *number);
        let is_within = |number: &ItemId| {
            let landings = self.landings(&Work::Pull(*number));
            landings.iter().any(|landing| self.known_to_contain(sha, &landing.sha) == Some(true))
        };
        merged.filter(|number| !self.is_promotion(*number) && is_within(number)).collect()
    }

    /// Returns the pull requests of the commits that `newer` has and `older` has not; `None` if the
    /// record does not show these commits, or if a commit a commit came without a pull request.
    pub(crate) fn every_pull_between(&self, older: &Sha, newer: &Sha) -> Option<BTreeSet<ItemId>> {
        let mut all = BTreeSet::new();
        for sha in self.known_commits_between(older, newer)? {
            let brought = self.brought_with(sha);
            if brought.work.iter().any(|work| matches!(work, Work::Commit(_))) {
                return None;
            }
            all.extend(brought.pulls());
        }
        Some(all)
    }

    /// Returns the pull requests that brought a commit, without those that only moved it, and whether
    /// there were such.
    pub(crate) fn pulls_of(&self, sha: &Sha) -> (BTreeSet<ItemId>, bool) {
        let facts = self.facts;
        let mut pulls = self.pulls_by(sha);
        let named = facts.commits.get(sha).and_then(|commit| commit.merges);
        pulls.extend(named.filter(|number| facts.pull(*number).is_some_and(|pull| pull.merged.is_some())));
        if pulls.is_empty() {
            pulls.extend(self.landed_with(sha));
        }
        if let (true, Some(Answer::BroughtBy(by))) =
            (pulls.is_empty(), facts.answers.get(&Need::PullsOf { sha: sha.clone() }).map(|known| &known.answer))
        {
            pulls.extend(by.keys());
        }
        if pulls.is_empty() {
            pulls.extend(facts.pulls_with_head(sha));
        }
        let all = pulls.len();
        pulls.retain(|number| !self.is_promotion(*number));
        let promotes = pulls.len() < all;
        (pulls, promotes)
    }

    /// Returns the pull requests that brought a commit, as far as events show: it is the merge of
    /// one, or was pushed to its branch and was still there at the merge. Gates rest on these alone.
    pub(crate) fn pulls_by(&self, sha: &Sha) -> BTreeSet<ItemId> {
        let facts = self.facts;
        let index = &facts.index;
        let mut pulls: BTreeSet<ItemId> = index.merged_as.get(sha).into_iter().flatten().copied().collect();
        for id in index.brought_by.get(sha).into_iter().flatten() {
            let (RefName::Branch(branch), Some(push)) = (&id.0, facts.pushes.get(id)) else { continue };
            if self.listed(branch) {
                continue;
            }
            let from = index.pulls_from.get(branch).into_iter().flatten().copied();
            pulls.extend(from.filter(|number| {
                let Some(pull) = facts.pull(*number) else { return false };
                match &pull.merged {
                    // A commit that was pushed after the merge, or removed before it, came another
                    // way.
                    Some(merge) => {
                        let mut rewrites = self.rewrites_of(branch, push.at);
                        push.at <= merge.at && !rewrites.any(|(at, _, to)| *at <= merge.at && *to != push.after)
                    }
                    None => pull.heads.contains_key(sha),
                }
            }));
        }
        pulls
    }

    /// Returns the pull request with whose merge a commit landed: the next merge in the list of a
    /// push, which is in the order of the branch.
    fn landed_with(&self, sha: &Sha) -> BTreeSet<ItemId> {
        let facts = self.facts;
        let pushes = facts.index.brought_by.get(sha).into_iter().flatten();
        let landed = pushes.filter(|(name, _, _)| matches!(name, RefName::Branch(branch) if self.listed(branch)));
        let lists = landed.filter_map(|id| facts.pushes.get(id)).map(|push| &push.commits);
        let merges = lists.filter_map(|list| {
            let mut later = list.iter().skip_while(|other| *other != sha);
            later.find_map(|other| facts.index.merged_as.get(other))
        });
        merges.flatten().copied().collect()
    }

    /// Returns whether a pull request only moves commits from one listed branch to another.
    pub(crate) fn is_promotion(&self, number: ItemId) -> bool {
        let shape = self.facts.pull(number).and_then(|pull| pull.shape.as_ref()).map(|shape| &shape.value);
        shape.is_some_and(|shape| !shape.from_fork && self.listed(&shape.head_ref) && self.listed(&shape.base_ref))
    }

    /// Returns the commit that this one was cherry-picked from, or the commit itself.
    fn original<'a>(&'a self, sha: &'a Sha) -> &'a Sha {
        let mut found = sha;
        for _ in 0..DEEPEST {
            let Some(earlier) = self.facts.commits.get(found).and_then(|commit| commit.picked_from.first()) else {
                break;
            };
            found = earlier;
        }
        found
    }
}
