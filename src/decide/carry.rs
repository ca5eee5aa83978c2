//! The commits that carry a change: where it landed, how it was picked or
//! taken back, and which issues it closes.

use std::{collections::BTreeSet, rc::Rc};

use jiff::Timestamp;

use super::look::Look;
use crate::domain::{
    event::RefName,
    fact::item::{ItemFacts, PullFacts},
    id::{ItemNumber, Sha},
    needs::{Answer, Need},
    when::earlier,
};

/// Issues beyond this many that one pull request names are not followed.
const MOST_LINKS: usize = 10;
/// Reverts of reverts and stacks are followed this far.
const DEEPEST: usize = 12;

/// A commit by which a change is on a listed branch.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Carrier {
    /// Since when it is there.
    pub(super) from: Timestamp,
    /// When it was taken back.
    pub(super) until: Option<Timestamp>,
    /// Since when the commit exists: nothing older can contain it.
    pub(super) born: Timestamp,
    /// The commit.
    pub(super) sha: Sha,
    /// The branch.
    pub(super) branch: String,
    /// How it came there, for people.
    pub(super) how: String,
}

/// What can be carried, reverted and linked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Work {
    /// A pull request.
    Pull(ItemNumber),
    /// A commit that came without one.
    Commit(Sha),
}

impl Look<'_> {
    /// Where a piece of work is on listed branches, reverts considered.
    pub(super) fn carriers(&self, work: &Work) -> Rc<[Carrier]> {
        if let Some(known) = self.carried.borrow().get(work) {
            return known.clone();
        }
        let carriers: Rc<[Carrier]> = self.carriers_within(work, &mut Vec::new()).into();
        self.carried.borrow_mut().insert(work.clone(), carriers.clone());
        carriers
    }

    fn carriers_within(&self, work: &Work, path: &mut Vec<Work>) -> Vec<Carrier> {
        if path.len() >= DEEPEST || path.contains(work) {
            return Vec::new();
        }
        path.push(work.clone());
        let mut carriers = self.landings(work, path);
        for reverter in self.reverters(work, &carriers) {
            let undone = self.carriers_within(&reverter, path);
            for carrier in &mut carriers {
                let by = undone.iter().filter(|u| u.branch == carrier.branch && u.from >= carrier.from);
                carrier.until = earlier(carrier.until, by.map(|u| u.from).min());
            }
            // What takes the revert back brings the change again.
            for again in self.reverters(&reverter, &undone) {
                carriers.extend(self.carriers_within(&again, path).into_iter().map(|mut carrier| {
                    carrier.how = format!("brought back: {}", carrier.how);
                    carrier
                }));
            }
        }
        path.pop();
        carriers.sort();
        carriers.dedup_by(|a, b| a.sha == b.sha && a.branch == b.branch);
        carriers
    }

    /// Where it landed, reverts not considered.
    fn landings(&self, work: &Work, path: &mut Vec<Work>) -> Vec<Carrier> {
        let mut carriers = Vec::new();
        let mut originals: BTreeSet<&Sha> = BTreeSet::new();
        match work {
            Work::Commit(sha) => {
                carriers.extend(self.landing(sha, "pushed"));
                originals.insert(sha);
            }
            Work::Pull(number) => {
                let Some(pull) = self.facts.pull(*number) else { return carriers };
                let Some(shape) = pull.shape.as_ref().map(|s| &s.value) else { return carriers };
                originals.insert(&shape.head_sha);
                if !shape.from_fork {
                    originals.extend(self.branch_commits(*number, pull));
                }
                let recorded = |at| !self.facts.items.get(number).is_some_and(|i| i.before_record(at));
                if let Some(merge) = pull.merged.as_ref().filter(|m| recorded(m.at)) {
                    originals.insert(&merge.sha);
                    if self.listed(&shape.base_ref) {
                        carriers.push(Carrier {
                            from: merge.at,
                            until: None,
                            born: self.born(&merge.sha, merge.at),
                            sha: merge.sha.clone(),
                            branch: shape.base_ref.clone(),
                            how: format!("#{number} merged into `{}` as {}", shape.base_ref, merge.sha.short()),
                        });
                    } else {
                        carriers.extend(self.landing(&merge.sha, "reached"));
                        carriers.extend(self.stacked(*number, merge.at, &shape.base_ref, path));
                    }
                }
            }
        }
        for original in originals {
            for pick in self.facts.index.picks.get(original).into_iter().flatten() {
                carriers.extend(self.landing(pick, &format!("{} cherry-picked,", original.short())));
            }
        }
        carriers
    }

    /// The earliest push that brought a commit to a listed branch.
    fn landing(&self, sha: &Sha, how: &str) -> Option<Carrier> {
        let pushes = self.facts.index.brought_by.get(sha).into_iter().flatten();
        let landed = pushes.filter(|(name, _, _)| self.listed_ref(name)).filter_map(|id| self.facts.pushes.get(id));
        let push = landed.min_by_key(|push| (push.at, &push.name))?;
        let branch = push.name.name().to_owned();
        let how = format!("{how} on `{branch}` as {}", sha.short());
        Some(Carrier { from: push.at, until: None, born: self.born(sha, push.at), sha: sha.clone(), branch, how })
    }

    /// When a commit was first seen, at `seen` or by an earlier push.
    fn born(&self, sha: &Sha, seen: Timestamp) -> Timestamp {
        let pushes = self.facts.index.brought_by.get(sha).into_iter().flatten();
        pushes.filter_map(|id| self.facts.pushes.get(id)).map(|push| push.at).fold(seen, Timestamp::min)
    }

    /// What carries the pull requests whose branch this one was merged into.
    fn stacked(&self, number: ItemNumber, at: Timestamp, base: &str, path: &mut Vec<Work>) -> Vec<Carrier> {
        let below = self.facts.index.pulls_from.get(base).into_iter().flatten();
        let below = below.filter(|b| {
            **b != number && self.facts.pull(**b).and_then(|p| p.merged.as_ref()).is_some_and(|m| m.at >= at)
        });
        below.flat_map(|b| self.carriers_within(&Work::Pull(*b), path)).collect()
    }

    /// Pull requests that a stacked one still waits for: open, from the branch it went into.
    pub(super) fn waits_in(&self, base: &str) -> impl Iterator<Item = ItemNumber> {
        self.facts.index.pulls_from.get(base).into_iter().flatten().copied()
    }

    /// What reverts a piece of work.
    fn reverters(&self, work: &Work, carriers: &[Carrier]) -> BTreeSet<Work> {
        let mut found: BTreeSet<Work> = BTreeSet::new();
        if let Work::Pull(number) = work {
            // An edit may have taken the words out since.
            let says_so = |by: &&ItemNumber| {
                let refs = self.facts.pull(**by).and_then(|p| p.refs.as_ref());
                refs.is_some_and(|r| r.value.reverts.contains(number))
            };
            let reverting = self.facts.index.reverting_pulls.get(number).into_iter().flatten().filter(says_so);
            found.extend(reverting.map(|n| Work::Pull(*n)));
        }
        let mut commits: BTreeSet<&Sha> = carriers.iter().map(|c| &c.sha).collect();
        if let Work::Commit(sha) = work {
            commits.insert(sha);
        }
        for sha in commits {
            for reverter in self.facts.index.reverters.get(sha).into_iter().flatten() {
                // A revert that came by a pull request is counted as that.
                match self.facts.index.merged_as.get(reverter).and_then(|pulls| pulls.first()) {
                    Some(pull) => found.insert(Work::Pull(*pull)),
                    None => found.insert(Work::Commit(reverter.clone())),
                };
            }
        }
        found.remove(work);
        found
    }

    /// Commits pushed to a pull request's branch while it was that pull request's.
    fn branch_commits(&self, number: ItemNumber, pull: &PullFacts) -> Vec<&Sha> {
        let Some(shape) = pull.shape.as_ref().map(|s| &s.value) else { return Vec::new() };
        if shape.from_fork || self.listed(&shape.head_ref) {
            return Vec::new();
        }
        let until = pull.merged.as_ref().map(|m| m.at);
        // A branch may serve one pull request after another.
        let siblings = self.facts.index.pulls_from.get(&shape.head_ref).into_iter().flatten();
        let since = siblings
            .filter(|n| **n < number)
            .filter_map(|n| self.facts.pull(*n).and_then(|p| p.merged.as_ref()).map(|m| m.at))
            .max();
        let name = RefName::Branch(shape.head_ref.clone());
        let first = (name.clone(), Sha(String::new()), Sha(String::new()));
        let pushes = self.facts.pushes.range(first..).take_while(|((n, _, _), _)| *n == name).map(|(_, p)| p);
        let mut pushes: Vec<_> =
            pushes.filter(|p| since.is_none_or(|s| p.at > s) && until.is_none_or(|u| p.at <= u)).collect();
        pushes.sort_by_key(|p| (p.at, &p.after));
        pushes.iter().flat_map(|p| &p.commits).collect()
    }

    /// The issues that a pull request closes, whoever may say so: see [`Self::counts_from`].
    pub(super) fn named_issues(&self, number: ItemNumber) -> Vec<ItemNumber> {
        let Some(pull) = self.facts.pull(number) else { return Vec::new() };
        let mut issues: Vec<ItemNumber> = Vec::new();
        issues.extend(pull.refs.iter().flat_map(|r| &r.value.closes));
        for sha in self.branch_commits(number, pull) {
            issues.extend(self.facts.commits.get(sha).iter().flat_map(|c| &c.closes));
        }
        if let Some(Answer::LinkedIssues(linked)) =
            self.facts.answers.get(&Need::LinkedIssues { pull: number }).map(|a| &a.answer)
        {
            issues.extend(linked);
        }
        let mut seen = BTreeSet::from([number]);
        issues.retain(|n| seen.insert(*n) && !self.facts.items.get(n).is_some_and(|i| i.is_pull));
        issues.truncate(MOST_LINKS);
        issues
    }

    /// From when on a pull request's links count: at once if its author may
    /// write, else once a person with write approved or merged it.
    pub(super) fn counts_from(&self, item: &ItemFacts) -> Option<Timestamp> {
        let pull = item.pull.as_ref()?;
        let association = item.association.as_ref().map(|a| a.value).unwrap_or_default();
        // Who merged may write; nothing needs to be asked.
        let merged = pull.merged.as_ref().map(|m| m.at);
        // An App can open a pull request only where it was given the right to.
        if item.author.as_ref().is_some_and(|a| a.bot || self.writes(&a.login, association)) {
            return item.created_at;
        }
        let approved = self.approvals(pull).map(|(at, _)| at).min();
        earlier(merged, approved)
    }

    /// Approvals that stand, by people who may write.
    pub(super) fn approvals<'b>(&'b self, pull: &'b PullFacts) -> impl Iterator<Item = (Timestamp, &'b str)> {
        let approved = pull.reviews.values().filter(|r| r.value.verdict == crate::domain::event::Verdict::Approved);
        approved
            .filter(|r| self.writes(&r.value.reviewer, r.value.association))
            .map(|r| (r.value.submitted_at, r.value.reviewer.as_str()))
    }

    /// Pull requests and bare commits that close an issue.
    pub(super) fn works_on(&self, issue: ItemNumber) -> BTreeSet<Work> {
        let index = &self.facts.index;
        let mut pulls: BTreeSet<ItemNumber> = index.pulls_naming.get(&issue).cloned().unwrap_or_default();
        let closing = index.commits_closing.get(&issue);
        for sha in closing.into_iter().flatten() {
            for (name, _, _) in index.brought_by.get(sha).into_iter().flatten() {
                pulls.extend(index.pulls_from.get(name.name()).into_iter().flatten());
            }
        }
        pulls.retain(|n| self.named_issues(*n).contains(&issue));
        let direct = closing.into_iter().flatten().filter(|sha| !self.came_by_pull(sha));
        direct.cloned().map(Work::Commit).chain(pulls.iter().map(|n| Work::Pull(*n))).collect()
    }

    /// Whether a commit came to its branch by the merge of a pull request,
    /// also of one whose own events are still to come.
    fn came_by_pull(&self, sha: &Sha) -> bool {
        let index = &self.facts.index;
        self.is_merge(sha)
            || index.brought_by.get(sha).into_iter().flatten().any(|(name, _, after)| {
                self.is_merge(after) || (!self.listed_ref(name) && index.pulls_from.contains_key(name.name()))
            })
    }

    /// Whether a commit is the merge of a pull request: the pull request says
    /// so, or the commit does and the pull request has not ended otherwise.
    fn is_merge(&self, sha: &Sha) -> bool {
        let named = self.facts.commits.get(sha).and_then(|c| c.merges);
        let ended_otherwise = |number: ItemNumber| {
            let item = self.facts.items.get(&number);
            item.is_some_and(|i| i.pull.as_ref().is_none_or(|p| p.merged.is_none()) && i.closed(self.now).is_some())
        };
        self.facts.index.merged_as.contains_key(sha) || named.is_some_and(|number| !ended_otherwise(number))
    }
}
