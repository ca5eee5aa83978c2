//! Evidence from before a release: linked branches, open pull requests, tests.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::{
    commits::landing::{Landing, Work},
    context::EvalContext,
    domain::{
        branch::named_issue,
        event::{GroupEnd, RefName},
        fact::{
            commit::RefFacts,
            item::{ItemFacts, PullFacts},
        },
        id::{ItemId, Sha},
        needs::{Answer, Need},
        policy::{Evidence, Pattern},
        when::{Span, earlier},
    },
    evidence::spans::open_spans,
    text::message,
};

/// Limit on the positions of a merge queue that are told apart.
const MOST_QUEUED: usize = 100;
/// Limit on the later commits of its branch whose checks may count for a landing.
pub(crate) const LATER_COMMITS: usize = 50;

impl EvalContext<'_> {
    /// Returns the branches for an issue, by their names or as the forge lists them, with the times
    /// at which each existed. Only people with write access can push one to this repository.
    pub(crate) fn linked_branches(&self, issue: ItemId, numeric: bool) -> Vec<(String, Timestamp, Option<Timestamp>)> {
        let mut found = Vec::new();
        for branch in self.facts.index.branches_for.get(&issue).into_iter().flatten() {
            let by_name = named_issue(branch).filter(|named| named.issue == issue);
            let counts = match by_name {
                Some(named) if !named.bare || numeric => true,
                // Either the forge lists it, or a bare number has to be asked about.
                _ => matches!(
                    self.lasting(&Need::LinkedBranches { issue }),
                    Some(Answer::LinkedBranches(listed)) if listed.contains(branch)
                ),
            };
            if counts && !self.listed(branch) {
                found.extend(self.branch_lives(branch).map(|(from, until)| (branch.clone(), from, until)));
            }
        }
        found
    }

    /// Returns the times at which a branch existed.
    fn branch_lives(&self, branch: &str) -> impl Iterator<Item = (Timestamp, Option<Timestamp>)> {
        let facts = self.facts.refs.get(&RefName::Branch(branch.to_owned()));
        let mut lives: Vec<(Timestamp, Option<Timestamp>)> = Vec::new();
        let created = facts.and_then(|f| f.seen_at.as_ref()).filter(|s| s.value).map(|s| (s.at, true));
        let moves = facts.into_iter().flat_map(RefFacts::moves).map(|(at, sha)| (*at, sha.is_some()));
        let mut turns: Vec<(Timestamp, bool)> = moves.chain(created).collect();
        turns.sort_unstable();
        for (at, exists) in turns {
            match lives.last_mut().filter(|(_, until)| until.is_none()) {
                Some(life) if !exists => life.1 = Some(at),
                None if exists => lives.push((at, None)),
                _ => {}
            }
        }
        lives.into_iter()
    }

    /// Returns the spans in which a pull request was open, or was merged into a branch that has not
    /// landed yet: the change is in progress for as long.
    pub(crate) fn pull_open_spans(&self, item: &ItemFacts, landings: &[Landing], evidence: &Evidence) -> Vec<Span> {
        let Some(shape) = item.pull.as_ref().and_then(|p| p.shape.as_ref()).map(|s| &s.value) else {
            return Vec::new();
        };
        let target = item.pull.as_ref().and_then(PullFacts::target).unwrap_or(&shape.base_ref);
        if !evidence.branches.is_empty() && !evidence.branches.iter().any(|p| p.matches(target)) {
            return Vec::new();
        }
        let number = item.number;
        let open = if shape.draft { format!("#{number} is open as a draft") } else { format!("#{number} is open") };
        let mut spans: Vec<Span> =
            open_spans(item, self.now).filter_map(|(from, until)| Span::between(from, until, open.clone())).collect();
        let merged = item.pull.as_ref().and_then(|p| p.merged.as_ref());
        if let Some(merge) = merged.filter(|m| !self.listed(&shape.base_ref) && !item.before_record(m.at)) {
            let landed = landings.iter().map(|c| c.from).min();
            // Once the branch was given up, the change can't land through it any more.
            let given_up = self.waits_in(&shape.base_ref).filter_map(|below| {
                let below =
                    self.facts.items.get(&below).filter(|b| b.pull.as_ref().is_some_and(|p| p.merged.is_none()))?;
                below.closed(self.now).map(|(at, _)| at).filter(|at| *at >= merge.at)
            });
            let base = message::quoted(&shape.base_ref);
            let because = format!("#{number} was merged into {base}, which has not landed");
            spans.extend(Span::between(merge.at, earlier(landed, given_up.max()), because));
        }
        spans
    }

    /// Returns the times at which a pull request was open from the branch that this one was merged
    /// into, or from a branch that it went on to.
    pub(crate) fn onward(&self, item: &ItemFacts) -> Vec<(Timestamp, Option<Timestamp>)> {
        let base = |item: &ItemFacts| item.pull.as_ref()?.shape.as_ref().map(|s| s.value.base_ref.clone());
        let mut spans = Vec::new();
        let mut open: Vec<String> = base(item).into_iter().collect();
        let mut seen: BTreeSet<String> = BTreeSet::new();
        while let Some(branch) = open.pop() {
            if self.listed(&branch) || !seen.insert(branch.clone()) {
                continue;
            }
            for below in self.waits_in(&branch).filter_map(|n| self.facts.items.get(&n)) {
                spans.extend(open_spans(below, self.now));
                if below.pull.as_ref().is_some_and(|p| p.merged.is_some()) {
                    open.extend(base(below));
                }
            }
        }
        spans
    }

    /// Returns the position of a pull request in its merge queue, as far as merge groups show it: each
    /// is built on the one before.
    pub(crate) fn queue_position(&self, number: ItemId) -> Option<usize> {
        let standing = |head: &Sha| self.facts.groups.get(head).filter(|group| group.end.is_none());
        let mut group = self.facts.index.groups_of.get(&number)?.into_iter().find_map(standing)?;
        let mut position = 1;
        while position < MOST_QUEUED
            && let Some(before) = standing(&group.base_sha)
        {
            (group, position) = (before, position + 1);
        }
        Some(position)
    }

    /// Returns the spans in which a landing counts as tested: by its own commit, its merge group's,
    /// or a later one of its branch.
    pub(crate) fn tested(&self, landing: &Landing, work: &Work, named: &[Pattern]) -> Vec<Span> {
        let mut spans = self.passed(&landing.sha, &landing.branch, named).to_vec();
        if let Work::Pull(number) = work {
            // Of the groups that tested it, only the merged one is what landed.
            for head in self.facts.index.groups_of.get(number).into_iter().flatten() {
                let landed = self.facts.groups.get(head).is_some_and(|group| {
                    group.end == Some(GroupEnd::Merged) && self.same_line(&group.base_ref, &landing.branch)
                });
                if landed && *head != landing.sha {
                    spans.extend(self.passed(head, &landing.branch, named).iter().cloned());
                }
            }
        }
        for later in self.later_commits(landing) {
            if spans.iter().any(|s| s.until.is_none() && s.from <= self.now) {
                break;
            }
            // Only a commit with checks can count, so ancestry is not asked for others.
            let passed = self.passed(later, &landing.branch, named);
            if !passed.is_empty() && self.contains(later, &landing.sha) {
                spans.extend(passed.iter().cloned());
            }
        }
        spans.into_iter().filter_map(|s| s.clip(landing.from, landing.until)).collect()
    }

    /// Returns the later heads of the landing's line of development.
    fn later_commits(&self, landing: &Landing) -> impl Iterator<Item = &Sha> {
        let first = (landing.from, Sha::FIRST, String::new());
        let pushes = self.facts.index.by_time.range(first..);
        pushes
            .filter(|(_, sha, branch)| self.same_line(branch, &landing.branch) && *sha != landing.sha)
            .take(LATER_COMMITS)
            .map(|(_, sha, _)| sha)
    }
}
