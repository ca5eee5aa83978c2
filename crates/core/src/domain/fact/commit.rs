//! Facts about commits, branches and checks.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::{
    event::{CheckSource, GroupEnd, RefName, RunOutcome, RunTrigger},
    fact::{Newest, RepoFacts, paths::Paths},
    id::{Account, ItemId, Sha},
};

/// References in a commit's message to other commits and items. Nothing else of the message is
/// stored.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CommitFacts {
    /// Issues that it closes.
    pub closes: Vec<ItemId>,
    /// Commits that it was cherry-picked from.
    pub picked_from: Vec<Sha>,
    /// Commits that it reverts.
    pub reverts: Vec<Sha>,
    /// The pull request that it says it merges.
    #[serde(default)]
    pub merges: Option<ItemId>,
}

impl CommitFacts {
    /// Returns true if the message refers to nothing, so that no record is needed.
    pub fn is_silent(&self) -> bool {
        self.closes.is_empty() && self.picked_from.is_empty() && self.reverts.is_empty() && self.merges.is_none()
    }
}

/// The key of a push: its ref, the commit before and the commit after.
pub type PushId = (RefName, Sha, Sha);

/// A push that moved a ref from one commit to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushFacts {
    /// The branch or tag.
    pub name: RefName,
    /// Commit before the push; all zeroes if the ref is new.
    pub before: Sha,
    /// Commit after the push; all zeroes if the ref was deleted.
    pub after: Sha,
    /// True if history may have been rewritten.
    pub forced: bool,
    /// The pushed commits, oldest first.
    pub commits: Vec<Sha>,
    /// Paths that each of the commits touches, where the policy has services; without a commit of
    /// which they are not all known.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub paths: BTreeMap<Sha, Paths>,
    /// Number of its commits that no other branch had.
    #[serde(default)]
    pub new_commits: u32,
    /// Committer time of the earliest of them, but no later than the push.
    #[serde(default)]
    pub first_commit: Option<Timestamp>,
    /// True if more commits were pushed than are listed.
    pub truncated: bool,
    /// The branch from which a new one was created without a commit of its own.
    #[serde(default)]
    pub made_from: Option<String>,
    /// True if one of its commits changed the policy file; `None` if unknown.
    #[serde(default)]
    pub policy_file: Option<bool>,
    /// The earliest time at which the push was seen.
    pub at: Timestamp,
    /// The account that pushed; `None` if unknown.
    #[serde(default)]
    pub pusher: Option<Account>,
}

impl PushFacts {
    /// Returns true if "after = before and these commits" is complete.
    pub fn is_exact(&self) -> bool {
        !self.forced && !self.truncated && self.moves()
    }

    /// Returns true if the ref existed before and after.
    pub fn moves(&self) -> bool {
        !self.before.is_zero() && !self.after.is_zero()
    }

    /// Returns true if the push created the ref.
    pub fn makes(&self) -> bool {
        self.before.is_zero() && !self.after.is_zero()
    }
}

/// The checks on a commit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CommitChecks {
    /// Check runs by id.
    pub runs: BTreeMap<u64, RunFact>,
    /// Commit statuses by id.
    pub statuses: BTreeMap<u64, StatusFact>,
    /// Facts about the workflows behind check suites, by suite.
    #[serde(default)]
    pub suites: BTreeMap<u64, SuiteFact>,
    /// True if more reports arrived than are stored. A report that is not stored may have failed,
    /// so nothing here counts as passed any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_cut: bool,
}

/// Maximum number of check runs, statuses and suites that are stored for one commit. Whoever opens
/// a pull request from a fork creates as many as its workflows name.
const MOST_REPORTS: usize = 5_000;

impl CommitChecks {
    /// Adds a check run. If it is already known, the later state is kept.
    pub fn add_run(&mut self, id: u64, fact: RunFact) {
        if self.has_room(self.runs.contains_key(&id)) {
            let known = self.runs.remove(&id);
            self.runs.insert(id, known.into_iter().fold(fact, Ord::max));
        }
    }

    /// Adds a commit status. If it is already known, the later state is kept.
    pub fn add_status(&mut self, id: u64, fact: StatusFact) {
        if self.has_room(self.statuses.contains_key(&id)) {
            let known = self.statuses.remove(&id);
            self.statuses.insert(id, known.into_iter().fold(fact, Ord::max));
        }
    }

    /// Adds facts about a suite's workflow. Returns true if that changed anything.
    pub fn add_suite(&mut self, id: u64, fact: SuiteFact) -> bool {
        let was_cut = self.is_cut;
        let is_new = self.suites.get(&id).is_none_or(|known| *known < fact);
        if is_new && self.has_room(self.suites.contains_key(&id)) {
            self.suites.insert(id, fact);
            return true;
        }
        self.is_cut != was_cut
    }

    fn has_room(&mut self, is_known: bool) -> bool {
        let has_room = is_known || self.runs.len() + self.statuses.len() + self.suites.len() < MOST_REPORTS;
        self.is_cut |= !has_room;
        has_room
    }

    /// Returns true if a schedule started the suite: its runs say nothing about the commit.
    pub fn is_scheduled(&self, suite: Option<u64>) -> bool {
        suite.and_then(|id| self.suites.get(&id)).is_some_and(|suite| suite.trigger == RunTrigger::Schedule)
    }
}

/// The workflow run behind a check suite.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SuiteFact {
    /// The workflow's file, or empty.
    pub workflow: String,
    /// The kind of event that started it.
    pub trigger: RunTrigger,
}

/// A check run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RunFact {
    /// Time and outcome of its completion. A completed run takes precedence over one that is not.
    pub completed: Option<(Timestamp, RunOutcome)>,
    /// Start time.
    pub started_at: Timestamp,
    /// Name.
    pub name: String,
    /// Source.
    #[serde(rename = "app")]
    pub source: CheckSource,
    /// Check suite.
    pub suite: Option<u64>,
    /// True if we created it.
    pub ours: bool,
    /// URL of its page, or empty.
    #[serde(default)]
    pub url: String,
    /// Name of the source, or empty if it is unknown.
    #[serde(default, rename = "app_slug")]
    pub source_name: String,
}

/// A commit status.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StatusFact {
    /// Time at which it was set.
    pub at: Timestamp,
    /// Outcome.
    pub outcome: RunOutcome,
    /// Context.
    pub context: String,
    /// URL of its page, or empty.
    #[serde(default)]
    pub url: String,
    /// True if we set it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ours: bool,
}

/// A merge group of a merge queue.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GroupFacts {
    /// The commit it was built on.
    pub base_sha: Sha,
    /// Target branch.
    pub base_ref: String,
    /// The pull request that its ref names.
    pub pull: Option<ItemId>,
    /// The group's end, once it has ended.
    #[serde(default)]
    pub end: Option<GroupEnd>,
}

/// The positions of a tag or branch over time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RefFacts {
    /// Moves by time: to a commit, or `None` for a deletion. An event without a commit (a `create`
    /// event) is not a move.
    #[serde(skip)]
    moves: BTreeSet<(Timestamp, Option<Sha>)>,
    /// The moves that no push in the record shows. Only these are stored here: a branch moves with
    /// every push, and a push is stored once.
    #[serde(rename = "moves")]
    untold: BTreeSet<(Timestamp, Option<Sha>)>,
    /// Time at which the ref was first seen to exist, at any commit.
    pub seen_at: Option<Newest<bool>>,
}

impl RefFacts {
    /// Returns the moves by time: to a commit, or `None` for a deletion.
    pub fn moves(&self) -> &BTreeSet<(Timestamp, Option<Sha>)> {
        &self.moves
    }

    /// Adds a move that no push in the record shows. Returns true if it is new.
    pub fn moved(&mut self, at: Timestamp, to: Option<Sha>) -> bool {
        self.moves.insert((at, to.clone()));
        self.untold.insert((at, to))
    }

    /// Adds a move that a push in the record shows.
    pub(super) fn pushed(&mut self, at: Timestamp, to: Option<Sha>) {
        self.moves.insert((at, to));
    }

    /// Removes a move from time `known`, because the push that shows it turned out to be earlier.
    pub fn pushed_earlier(&mut self, known: Timestamp, to: Option<Sha>) {
        let known = (known, to);
        if !self.untold.contains(&known) {
            self.moves.remove(&known);
        }
    }

    /// Adds the stored moves to those that pushes show.
    pub(super) fn restore(&mut self) {
        self.moves.extend(self.untold.iter().cloned());
    }
}

impl RepoFacts {
    /// Returns the pushes to a branch or tag, not in order of time.
    pub fn pushes_of(&self, name: &RefName) -> impl Iterator<Item = (&PushId, &PushFacts)> {
        let first = (name.clone(), Sha::FIRST, Sha::FIRST);
        let name = name.clone();
        self.pushes.range(first..).take_while(move |((other, _, _), _)| *other == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_on_a_commit_are_bounded_and_it_is_noted_that_some_are_missing() {
        let status = |second: i64, outcome| StatusFact {
            at: Timestamp::from_second(1_700_000_000 + second).unwrap(),
            outcome,
            context: format!("job {second}"),
            url: String::new(),
            ours: false,
        };
        let mut checks = CommitChecks::default();
        let most = u64::try_from(MOST_REPORTS).unwrap();
        for id in 0..most {
            checks.add_status(id, status(id.cast_signed(), RunOutcome::Running));
        }
        assert!(!checks.is_cut);
        checks.add_status(0, status(0, RunOutcome::Success));
        assert!(!checks.is_cut, "what is known may still end");
        checks.add_status(most, status(most.cast_signed(), RunOutcome::Failure));
        assert_eq!((checks.statuses.len(), checks.is_cut), (MOST_REPORTS, true));
        let suite = || SuiteFact { workflow: "ci.yml".into(), trigger: RunTrigger::Other("push".into()) };
        assert!(!checks.add_suite(1, suite()) && checks.suites.is_empty());
    }
}
