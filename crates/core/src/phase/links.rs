//! Links between changes and the issues that they close.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::{
    commits::landing::Work,
    context::EvalContext,
    domain::{
        event::{CloseReason, RefName},
        fact::{
            commit::PushFacts,
            item::{ItemFacts, PullFacts},
        },
        id::{ItemId, Sha},
        needs::{Answer, Need},
    },
};

/// Maximum issues followed for one pull request.
const MOST_LINKS: usize = 10;

/// Delay within which a forge closes an issue after the merge or push that closes it.
pub(crate) const CLOSING_LAG: SignedDuration = SignedDuration::from_mins(1);

impl<'f> EvalContext<'f> {
    /// Returns the issues that a pull request closes, whoever links them: see
    /// [`Self::counts_from`].
    pub(crate) fn named_issues(&self, number: ItemId) -> Vec<ItemId> {
        let Some(pull) = self.facts.pull(number) else { return Vec::new() };
        let mut issues: Vec<ItemId> = Vec::new();
        issues.extend(pull.refs.iter().flat_map(|r| &r.value.closes));
        for sha in self.branch_commits(number, pull).into_iter().chain(self.merged_commits(pull)) {
            issues.extend(self.closed_by(sha));
        }
        if let Some(Answer::LinkedIssues(linked)) =
            self.facts.answers.get(&Need::LinkedIssues { pull: number }).map(|a| &a.answer)
        {
            issues.extend(linked);
        }
        issues.extend(self.facts.index.closed_by_pull.get(&number).into_iter().flatten());
        let mut seen = BTreeSet::from([number]);
        issues.retain(|n| seen.insert(*n) && !self.facts.items.get(n).is_some_and(|i| i.is_pull));
        issues.truncate(MOST_LINKS);
        issues
    }

    /// Returns the issues that a commit closes, by its message or according to the forge.
    pub(crate) fn closed_by(&self, sha: &Sha) -> impl Iterator<Item = ItemId> {
        let said = self.facts.commits.get(sha).into_iter().flat_map(|commit| &commit.closes).copied();
        let reported = self.facts.index.closed_by_commit.get(sha).into_iter().flatten().map(|(_, issue)| *issue);
        said.chain(reported)
    }

    /// Returns the commits that the merge of a pull request brought: in the push to the target
    /// branch, those since the previous merge. Their messages count, wherever the source branch is.
    pub(crate) fn merged_commits(&self, pull: &PullFacts) -> Vec<&'f Sha> {
        let Some((shape, merge)) = pull.shape.as_ref().zip(pull.merged.as_ref()) else { return Vec::new() };
        let facts = self.facts;
        let Some((merge, pushes)) = facts.index.brought_by.get_key_value(&merge.sha) else {
            return facts.commits.get_key_value(&merge.sha).map(|(sha, _)| sha).into_iter().collect();
        };
        let base = RefName::Branch(shape.value.base_ref.clone());
        let target = pull.target().map(|target| RefName::Branch(target.to_owned()));
        let pushes = pushes
            .iter()
            .filter(|id| id.0 == base || Some(&id.0) == target.as_ref())
            .filter_map(|id| facts.pushes.get(id));
        let brought = pushes.flat_map(|push| {
            let end = push.commits.iter().position(|sha| sha == merge).unwrap_or(0);
            let begin = push.commits[..end].iter().rposition(|sha| self.is_merge(sha)).map_or(0, |last| last + 1);
            &push.commits[begin..end]
        });
        brought.chain([merge]).collect()
    }

    /// Returns the pull requests, and commits without one, that an issue follows.
    ///
    /// Excludes work that began after the issue was completed, and backports of other work of the
    /// issue: neither is a second half of the completed work. To make it count, reopen the issue.
    pub(crate) fn works_on(&self, issue: ItemId) -> BTreeSet<Work> {
        let mut works = self.claims_on(issue);
        let closed = self.facts.items.get(&issue).and_then(|item| item.closed(self.now));
        if let Some((completed, CloseReason::Completed)) = closed {
            works.retain(|work| !self.begins_after(work, completed));
        }
        if works.len() < 2 {
            return works;
        }
        let backports: Vec<Work> = works.iter().filter(|work| self.is_backport(work, &works)).cloned().collect();
        works.retain(|work| !backports.contains(work));
        works
    }

    /// Returns all work that claims to close an issue.
    fn claims_on(&self, issue: ItemId) -> BTreeSet<Work> {
        let index = &self.facts.index;
        let mut pulls: BTreeSet<ItemId> = index.pulls_naming.get(&issue).into_iter().flatten().copied().collect();
        let closing = index.commits_closing.get(&issue);
        for sha in closing.into_iter().flatten() {
            pulls.extend(self.pulls_bringing(sha));
        }
        pulls.retain(|n| self.named_issues(*n).contains(&issue));
        let direct = closing.into_iter().flatten().filter(|sha| !self.came_by_pull(sha));
        direct.cloned().map(Work::Commit).chain(pulls.iter().map(|n| Work::Pull(*n))).collect()
    }

    fn begins_after(&self, work: &Work, completed: Timestamp) -> bool {
        match work {
            Work::Pull(number) => {
                self.facts.items.get(number).and_then(|pull| pull.created_at).is_some_and(|at| at > completed)
            }
            Work::Commit(_) => {
                let landed = self.landings(work).iter().map(|landing| landing.from).min();
                landed.is_some_and(|at| at.duration_since(completed) > CLOSING_LAG)
            }
        }
    }

    /// Returns whether work contains a cherry-pick of what other work of the same issue brought to
    /// a listed branch before it.
    fn is_backport(&self, work: &Work, works: &BTreeSet<Work>) -> bool {
        let mut picked: BTreeSet<&Sha> = BTreeSet::new();
        for sha in self.commits_of(work) {
            picked.extend(self.facts.commits.get(sha).into_iter().flat_map(|commit| &commit.picked_from));
        }
        if picked.is_empty() {
            return false;
        }
        let landed = |work: &Work| self.landings(work).iter().map(|landing| landing.from).min();
        let own = landed(work);
        works.iter().filter(|other| *other != work).any(|other| {
            let earlier = landed(other).is_some_and(|at| own.is_none_or(|own| (at, other) < (own, work)));
            earlier
                && (self.landings(other).iter().any(|landing| picked.contains(&landing.sha))
                    || self.commits_of(other).iter().any(|sha| picked.contains(sha)))
        })
    }

    /// Returns the known commits of a piece of work.
    fn commits_of<'w>(&'w self, work: &'w Work) -> Vec<&'w Sha> {
        match work {
            Work::Commit(sha) => vec![sha],
            Work::Pull(number) => {
                let Some(pull) = self.facts.pull(*number) else { return Vec::new() };
                let mut commits = self.branch_commits(*number, pull);
                commits.extend(self.merged_commits(pull));
                commits
            }
        }
    }

    /// Returns the pull requests that may have brought a commit: those of its branch, or those
    /// whose merge ended the push to a listed branch that brought it.
    fn pulls_bringing(&self, sha: &Sha) -> BTreeSet<ItemId> {
        let index = &self.facts.index;
        let mut pulls: BTreeSet<ItemId> = index.merged_as.get(sha).into_iter().flatten().copied().collect();
        for id in index.brought_by.get(sha).into_iter().flatten() {
            if self.listed_ref(&id.0) {
                let merge = self.facts.pushes.get(id).and_then(|push| self.merge_after(push, sha));
                pulls.extend(merge.and_then(|merge| index.merged_as.get(merge)).into_iter().flatten());
            } else {
                pulls.extend(index.pulls_from.get(id.0.name()).into_iter().flatten());
            }
        }
        pulls
    }

    /// Returns whether a commit came to its branch through the merge of a pull request, including
    /// one whose own events have not arrived yet.
    fn came_by_pull(&self, sha: &Sha) -> bool {
        let index = &self.facts.index;
        self.is_merge(sha)
            || index.brought_by.get(sha).into_iter().flatten().any(|id| {
                let merged = self.facts.pushes.get(id).is_some_and(|push| self.merge_after(push, sha).is_some());
                merged || (!self.listed_ref(&id.0) && index.pulls_from.contains_key(id.0.name()))
            })
    }

    /// Returns the first merge of a pull request in a push, from `sha` on.
    fn merge_after<'p>(&self, push: &'p PushFacts, sha: &Sha) -> Option<&'p Sha> {
        let from = push.commits.iter().position(|commit| commit == sha)?;
        push.commits[from..].iter().chain([&push.after]).find(|commit| self.is_merge(commit))
    }

    /// Returns whether a commit is the merge of a pull request: either the pull request says so, or
    /// the commit does and the pull request has not ended otherwise.
    fn is_merge(&self, sha: &Sha) -> bool {
        let named = self.facts.commits.get(sha).and_then(|c| c.merges);
        let ended_otherwise = |number: ItemId| {
            let item = self.facts.items.get(&number);
            // An issue's number in a title names no merge.
            item.is_some_and(|i| {
                let is_merged = i.pull.as_ref().is_some_and(|pull| pull.merged.is_some());
                !i.is_pull || (!is_merged && i.closed(self.now).is_some())
            })
        };
        self.facts.index.merged_as.contains_key(sha) || named.is_some_and(|number| !ended_otherwise(number))
    }

    /// Asks the forge what closed an issue without a known cause: it may have closed it for a
    /// change that we did not link. Asked once for each closing.
    pub(crate) fn want_closer(&self, issue: &ItemFacts, closing: Timestamp) {
        let need = Need::Closer { issue: issue.number, at: closing };
        if !issue.is_silent() && !self.facts.answers.contains_key(&need) {
            self.want(need);
        }
    }
}
