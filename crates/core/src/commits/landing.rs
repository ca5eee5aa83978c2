//! Landings of a change: where it landed, and how it was cherry-picked, reverted and reapplied.

use std::{collections::BTreeSet, rc::Rc};

use jiff::{SignedDuration, Timestamp};

use crate::{
    context::EvalContext,
    domain::{
        event::RefName,
        fact::{commit::PushFacts, item::PullFacts},
        id::{ItemId, Sha},
        when::earlier,
    },
    text::message::quoted,
};

/// Limit on the depth of reverts of reverts, and of stacked pull requests.
const DEEPEST: usize = 12;
/// Longest time in which the forge lands all of a stack.
const STACK_LANDS_WITHIN: SignedDuration = SignedDuration::from_mins(10);

/// A commit by which a change is on a listed branch.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Landing {
    /// Time since when it is there.
    pub(crate) from: Timestamp,
    /// Time at which it was reverted or dropped.
    pub(crate) until: Option<Timestamp>,
    /// Earliest time at which the commit can exist: nothing older can contain it.
    pub(crate) born: Timestamp,
    /// The commit.
    pub(crate) sha: Sha,
    /// The branch.
    pub(crate) branch: String,
    /// Description of how it came there, for people.
    pub(crate) how: String,
}

/// Work that can land, be reverted and be linked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Work {
    /// A pull request.
    Pull(ItemId),
    /// A commit that came without one.
    Commit(Sha),
}

impl Work {
    /// Returns its number, if it is a pull request.
    pub(crate) fn pull(&self) -> Option<ItemId> {
        match self {
            Self::Pull(number) => Some(*number),
            Self::Commit(_) => None,
        }
    }
}

impl EvalContext<'_> {
    /// Returns the landings of a piece of work on listed branches, with reverts applied.
    pub(crate) fn landings(&self, work: &Work) -> Rc<[Landing]> {
        if let Some(known) = self.carried.borrow().get(work) {
            return known.clone();
        }
        let landings: Rc<[Landing]> = self.landings_within(work, &mut Vec::new()).into();
        self.carried.borrow_mut().insert(work.clone(), landings.clone());
        landings
    }

    /// Returns the landings of a piece of work itself, without what reverts took away or brought
    /// back.
    pub(crate) fn own_landings(&self, work: &Work) -> Vec<Landing> {
        self.raw_landings(work, &mut vec![work.clone()])
    }

    fn landings_within(&self, work: &Work, path: &mut Vec<Work>) -> Vec<Landing> {
        if path.len() >= DEEPEST || path.contains(work) {
            return Vec::new();
        }
        path.push(work.clone());
        let mut landings: Vec<Landing> =
            self.raw_landings(work, path).into_iter().flat_map(|landing| self.stretches(landing)).collect();
        for reverter in self.reverters(work, &landings) {
            let undone = self.landings_within(&reverter, path);
            for landing in &mut landings {
                let by = undone.iter().filter(|u| self.same_line(&u.branch, &landing.branch) && u.from >= landing.from);
                landing.until = earlier(landing.until, by.map(|u| u.from).min());
            }
            // Reverting the revert brings the change back.
            for again in self.reverters(&reverter, &undone) {
                landings.extend(self.landings_within(&again, path).into_iter().map(|mut landing| {
                    landing.how = format!("brought back: {}", landing.how);
                    landing
                }));
            }
        }
        path.pop();
        landings.sort();
        // A landing that was reverted and came back appears twice.
        landings.dedup_by(|a, b| a.sha == b.sha && a.branch == b.branch && (a.from == b.from || b.until.is_none()));
        landings
    }

    /// Returns the periods in which a commit was on its branch: a rewrite may drop it, and a later
    /// push may bring it back.
    fn stretches(&self, landed: Landing) -> Vec<Landing> {
        let mut stretches = Vec::new();
        let mut next = Some(landed);
        while let Some(mut landing) = next.take().filter(|_| stretches.len() < DEEPEST) {
            let dropped = self.rewrites_of(&landing.branch, landing.from).find(|(_, before, after)| {
                let dropped = self.ask_commits_between(after, before);
                dropped.is_some_and(|dropped| dropped.contains(&landing.sha))
            });
            if let Some((at, _, _)) = dropped {
                let again = self.pushes_bringing(&landing.sha).filter(|(push, _)| {
                    push.at > *at && self.same_line(push.name.name(), &landing.branch) && self.listed_ref(&push.name)
                });
                let again = again.map(|(push, _)| push.at).min();
                next = again.map(|from| Landing { from, ..landing.clone() });
                landing.until = Some(*at);
            }
            stretches.push(landing);
        }
        stretches
    }

    /// Returns the pushes since `from` that rewrote a branch, under any of its names.
    pub(crate) fn rewrites_of(&self, branch: &str, from: Timestamp) -> impl Iterator<Item = &(Timestamp, Sha, Sha)> {
        let renamed = self.facts.about.default_branches.iter().filter(|name| *name != branch);
        let lines = renamed.map(String::as_str).filter(|name| self.same_line(name, branch)).chain([branch]);
        let first = (from, Sha::FIRST, Sha::FIRST);
        let tables: Vec<_> = lines.filter_map(|name| self.facts.index.rewrites.get(name)).collect();
        let mut rewrites: Vec<_> = tables.into_iter().flat_map(|rewrites| rewrites.range(first.clone()..)).collect();
        rewrites.sort();
        rewrites.into_iter()
    }

    /// Returns the landings without applying reverts.
    fn raw_landings(&self, work: &Work, path: &mut Vec<Work>) -> Vec<Landing> {
        let mut landings = Vec::new();
        let mut originals: BTreeSet<&Sha> = BTreeSet::new();
        match work {
            Work::Commit(sha) => {
                landings.extend(self.landing(sha, "pushed"));
                originals.insert(sha);
            }
            Work::Pull(number) => {
                let Some(pull) = self.facts.pull(*number) else { return landings };
                let Some(shape) = pull.shape.as_ref().map(|s| &s.value) else { return landings };
                originals.insert(&shape.head_sha);
                if !shape.from_fork {
                    originals.extend(self.branch_commits(*number, pull));
                }
                let recorded = |at| !self.facts.items.get(number).is_some_and(|i| i.before_record(at));
                if let Some(merge) = pull.merged.as_ref().filter(|m| recorded(m.at)) {
                    originals.insert(&merge.sha);
                    if self.listed(&shape.base_ref) {
                        landings.push(Landing {
                            from: merge.at,
                            until: None,
                            born: self.born(&merge.sha, merge.at),
                            sha: merge.sha.clone(),
                            branch: shape.base_ref.clone(),
                            how: format!("#{number} merged into {} as {}", quoted(&shape.base_ref), merge.sha.code()),
                        });
                    } else {
                        landings.extend(self.landing(&merge.sha, "reached"));
                        landings.extend(self.stacked(*number, merge.at, &shape.base_ref, path));
                        landings.extend(self.landed_with_stack(*number, pull, path));
                    }
                }
            }
        }
        for original in originals {
            for pick in self.facts.index.picks.get(original).into_iter().flatten() {
                landings.extend(self.landing(pick, &format!("{} cherry-picked,", original.code())));
            }
        }
        landings
    }

    /// Returns how a commit came to a listed branch: by the earliest push that brought it, or
    /// earlier if the forge had closed an issue for it by then.
    fn landing(&self, sha: &Sha, how: &str) -> Option<Landing> {
        let landed = self.pushes_bringing(sha).filter(|(push, _)| self.listed_ref(&push.name));
        let landed = landed.min_by_key(|(push, since)| (push.at, &push.name, *since));
        let closed = self.facts.index.closed_by_commit.get(sha).and_then(|closed| closed.first());
        if let Some((at, issue)) = closed.filter(|(at, _)| landed.is_none_or(|(push, _)| *at < push.at)) {
            let branch = self.facts.default_branch().to_owned();
            let how = format!("{} closed #{issue} on {}", sha.code(), quoted(&branch));
            return Some(Landing { from: *at, until: None, born: self.born(sha, *at), sha: sha.clone(), branch, how });
        }
        let (push, since) = landed?;
        let branch = push.name.name().to_owned();
        let how = format!("{how} on {} as {}", quoted(&branch), sha.code());
        Some(Landing { from: push.at, until: None, born: self.born(sha, since), sha: sha.clone(), branch, how })
    }

    /// Returns the pushes that brought a commit, by their own lists or by comparisons, each with
    /// the earliest time at which the commit can have come.
    fn pushes_bringing(&self, sha: &Sha) -> impl Iterator<Item = (&PushFacts, Timestamp)> {
        let index = &self.facts.index;
        let push = |id| self.facts.pushes.get(id);
        let listed = index.brought_by.get(sha).into_iter().flatten().filter_map(push).map(|push| (push, push.at));
        let compared = index.also_brought_by.get(sha).into_iter().flatten();
        let compared = compared.filter_map(move |(id, base)| {
            let push = push(id)?;
            // A commit between two pushes came after the first of them.
            let ended = index.ended_at.get(base).into_iter().flatten().filter(|other| other.0 == id.0);
            let before = ended.filter_map(|other| self.facts.pushes.get(other)).map(|other| other.at);
            let since = before.filter(|at| *at <= push.at).max().filter(|_| push.before != *base && push.moves());
            Some((push, since.unwrap_or(push.at)))
        });
        listed.chain(compared)
    }

    /// Returns when a commit was first seen, at `seen` or by an earlier push.
    fn born(&self, sha: &Sha, seen: Timestamp) -> Timestamp {
        let pushes = self.facts.index.brought_by.get(sha).into_iter().flatten();
        pushes.filter_map(|id| self.facts.pushes.get(id)).map(|push| push.at).fold(seen, Timestamp::min)
    }

    /// Returns the landings of the pull requests whose branch this one was merged into.
    fn stacked(&self, number: ItemId, at: Timestamp, base: &str, path: &mut Vec<Work>) -> Vec<Landing> {
        let below = self.facts.index.pulls_from.get(base).into_iter().flatten();
        let below = below.filter(|b| {
            **b != number && self.facts.pull(**b).and_then(|p| p.merged.as_ref()).is_some_and(|m| m.at >= at)
        });
        below.flat_map(|b| self.landings_within(&Work::Pull(*b), path)).collect()
    }

    /// Returns the landing of a pull request of a stack that landed at once: the pull request below it
    /// landed on the stack's base about when this one was merged, although its own target is the
    /// branch below.
    fn landed_with_stack(&self, number: ItemId, pull: &PullFacts, path: &mut Vec<Work>) -> Option<Landing> {
        let (place, merge, shape) = (pull.stack()?, pull.merged.as_ref()?, pull.shape.as_ref()?);
        let of_stack = |below: &&ItemId| {
            let below = self.facts.pull(**below).filter(|_| **below != number).and_then(PullFacts::stack);
            below.is_some_and(|below| (&below.base, below.number) == (&place.base, place.number))
        };
        let below = self.facts.index.pulls_from.get(&shape.value.base_ref).into_iter().flatten();
        let below: Vec<ItemId> = below.filter(of_stack).copied().collect();
        let landings = below.into_iter().flat_map(|below| self.landings_within(&Work::Pull(below), path));
        let landed = landings.filter(|landing| self.same_line(&landing.branch, &place.base)).find(|landing| {
            landing.until.is_none() && landing.from.duration_since(merge.at).abs() <= STACK_LANDS_WITHIN
        })?;
        let from = merge.at.max(landed.from);
        let (branch, sha) = (place.base.clone(), merge.sha.clone());
        let how = format!("#{number} merged into {} with its stack as {}", quoted(&branch), sha.code());
        Some(Landing { from, until: None, born: self.born(&sha, merge.at), sha, branch, how })
    }

    /// Returns the pull requests from the branch `base`, which a stacked pull request went into.
    pub(crate) fn waits_in(&self, base: &str) -> impl Iterator<Item = ItemId> {
        self.facts.index.pulls_from.get(base).into_iter().flatten().copied()
    }

    /// Returns the work that reverts a piece of work.
    pub(crate) fn reverters(&self, work: &Work, landings: &[Landing]) -> BTreeSet<Work> {
        let mut found: BTreeSet<Work> = BTreeSet::new();
        if let Work::Pull(number) = work {
            // An edit may have removed the reference since.
            let says_so = |by: &&ItemId| {
                let refs = self.facts.pull(**by).and_then(|p| p.refs.as_ref());
                refs.is_some_and(|r| r.value.reverts.contains(number))
            };
            let reverting = self.facts.index.reverting_pulls.get(number).into_iter().flatten().filter(says_so);
            found.extend(reverting.map(|n| Work::Pull(*n)));
        }
        let mut commits: BTreeSet<&Sha> = landings.iter().map(|c| &c.sha).collect();
        if let Work::Commit(sha) = work {
            commits.insert(sha);
        }
        for sha in commits {
            for reverter in self.facts.index.reverters.get(sha).into_iter().flatten() {
                // A revert that came by a pull request counts as that pull request.
                match self.facts.index.merged_as.get(reverter).and_then(|pulls| pulls.first()) {
                    Some(pull) => found.insert(Work::Pull(*pull)),
                    None => found.insert(Work::Commit(reverter.clone())),
                };
            }
        }
        found.remove(work);
        found
    }

    /// Returns the commits pushed to a pull request's branch while the branch served that pull
    /// request.
    pub(crate) fn branch_commits(&self, number: ItemId, pull: &PullFacts) -> Vec<&Sha> {
        self.branch_pushes(number, pull).into_iter().flat_map(|push| &push.commits).collect()
    }

    /// Returns the pushes to a pull request's branch while the branch served that pull request,
    /// oldest first.
    pub(crate) fn branch_pushes(&self, number: ItemId, pull: &PullFacts) -> Vec<&PushFacts> {
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
        let pushes = self.facts.pushes_of(&name).map(|(_, push)| push);
        let mut pushes: Vec<_> =
            pushes.filter(|p| since.is_none_or(|s| p.at > s) && until.is_none_or(|u| p.at <= u)).collect();
        pushes.sort_by_key(|p| (p.at, &p.after));
        pushes
    }
}
