//! Facts about commits, branches and checks.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::{
    event::{GroupEnd, RefName, RunOutcome},
    fact::{Newest, RepoFacts},
    id::{Account, ItemNumber, Sha},
};

/// What a commit's message says of others. Only this is kept of the message.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CommitFacts {
    /// Issues that it closes.
    pub closes: Vec<ItemNumber>,
    /// Commits that it was cherry-picked from.
    pub picked_from: Vec<Sha>,
    /// Commits that it reverts.
    pub reverts: Vec<Sha>,
    /// The pull request that it says to be the merge of.
    #[serde(default)]
    pub merges: Option<ItemNumber>,
}

impl CommitFacts {
    /// Says nothing of others, so it needs no record.
    pub fn is_silent(&self) -> bool {
        self.closes.is_empty() && self.picked_from.is_empty() && self.reverts.is_empty() && self.merges.is_none()
    }
}

/// What a push is stored under: its ref, the commit before and the one after.
pub type PushId = (RefName, Sha, Sha);

/// A ref moved from one commit to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushFacts {
    /// Which ref.
    pub name: RefName,
    /// From; all zeroes when new.
    pub before: Sha,
    /// To; all zeroes when removed.
    pub after: Sha,
    /// History may have been rewritten.
    pub forced: bool,
    /// The commits that came, oldest first.
    pub commits: Vec<Sha>,
    /// More came than are listed.
    pub truncated: bool,
    /// The branch from which a new one was made without a commit of its own.
    #[serde(default)]
    pub made_from: Option<String>,
    /// Whether one of its commits changed the policy file; `None`: unknown.
    #[serde(default)]
    pub policy_file: Option<bool>,
    /// When; the earliest sight.
    pub at: Timestamp,
    /// Who pushed; `None`: not known.
    #[serde(default)]
    pub pusher: Option<Account>,
}

impl PushFacts {
    /// Whether «after = before and these commits» is the whole truth.
    pub fn is_exact(&self) -> bool {
        !self.forced && !self.truncated && self.moves()
    }

    /// Whether the ref existed before and after.
    pub fn moves(&self) -> bool {
        !self.before.is_zero() && !self.after.is_zero()
    }

    /// Whether it made the ref.
    pub fn makes(&self) -> bool {
        self.before.is_zero() && !self.after.is_zero()
    }
}

/// What ran on a commit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CommitChecks {
    /// Every check run, by id.
    pub runs: BTreeMap<u64, RunFact>,
    /// Every commit status, by id.
    pub statuses: BTreeMap<u64, StatusFact>,
    /// What is known of the workflows behind check suites, by suite.
    #[serde(default)]
    pub suites: BTreeMap<u64, SuiteFact>,
    /// More reports came than are kept. What is not kept may have failed, so
    /// nothing here counts as passed any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_cut: bool,
}

/// Check runs, statuses and suites that are kept of one commit: whoever sends
/// a pull request from a fork makes as many as its workflows name.
const MOST_REPORTS: usize = 5_000;

impl CommitChecks {
    /// Adds a check run; of two sights of one the later state is kept.
    pub fn add_run(&mut self, id: u64, fact: RunFact) {
        if self.has_room(self.runs.contains_key(&id)) {
            let known = self.runs.remove(&id);
            self.runs.insert(id, known.into_iter().fold(fact, Ord::max));
        }
    }

    /// Adds a commit status; of two sights of one the later state is kept.
    pub fn add_status(&mut self, id: u64, fact: StatusFact) {
        if self.has_room(self.statuses.contains_key(&id)) {
            let known = self.statuses.remove(&id);
            self.statuses.insert(id, known.into_iter().fold(fact, Ord::max));
        }
    }

    /// Adds what is known of a suite's workflow; returns whether that changed anything.
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

    /// Whether a schedule started a suite: its runs say nothing of the commit.
    pub fn is_scheduled(&self, suite: Option<u64>) -> bool {
        suite.and_then(|id| self.suites.get(&id)).is_some_and(|suite| suite.trigger == "schedule")
    }
}

/// The workflow run behind a check suite.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SuiteFact {
    /// The workflow's file, or empty.
    pub workflow: String,
    /// The event that started it, such as `push` or `schedule`.
    pub trigger: String,
}

/// A check run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RunFact {
    /// When it ended, and how; a run that ended outweighs one that did not.
    pub completed: Option<(Timestamp, RunOutcome)>,
    /// When it began.
    pub started_at: Timestamp,
    /// Its name.
    pub name: String,
    /// The App that made it.
    pub app: u64,
    /// Its check suite.
    pub suite: Option<u64>,
    /// Made by ourselves.
    pub ours: bool,
    /// Its page, or empty.
    #[serde(default)]
    pub url: String,
    /// The slug of the App that made it, or empty where it was not told.
    #[serde(default)]
    pub app_slug: String,
}

/// A commit status.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StatusFact {
    /// When it was set.
    pub at: Timestamp,
    /// How it stands.
    pub outcome: RunOutcome,
    /// Its context.
    pub context: String,
    /// Its page, or empty.
    #[serde(default)]
    pub url: String,
}

/// A merge queue's group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GroupFacts {
    /// The commit it was built on.
    pub base_sha: Sha,
    /// Target branch.
    pub base_ref: String,
    /// The pull request that its ref names.
    pub pull: Option<ItemNumber>,
    /// How it ended, once it has.
    #[serde(default)]
    pub end: Option<GroupEnd>,
}

/// Where a tag or branch was, over time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RefFacts {
    /// Moves by time: to a commit, or `None` for removed. A sight without a
    /// commit (a `create` event) is not a move.
    #[serde(skip)]
    moves: BTreeSet<(Timestamp, Option<Sha>)>,
    /// Those moves that no push of the record tells. Only they are stored here:
    /// a branch moves with every push, and a push is stored once.
    #[serde(rename = "moves")]
    untold: BTreeSet<(Timestamp, Option<Sha>)>,
    /// When it was first seen to exist, whatever it names.
    pub seen_at: Option<Newest<bool>>,
}

impl RefFacts {
    /// Moves by time: to a commit, or `None` for removed.
    pub fn moves(&self) -> &BTreeSet<(Timestamp, Option<Sha>)> {
        &self.moves
    }

    /// Adds a move of which no push of the record tells; returns whether it is new.
    pub fn moved(&mut self, at: Timestamp, to: Option<Sha>) -> bool {
        self.moves.insert((at, to.clone()));
        self.untold.insert((at, to))
    }

    /// Adds a move that a push of the record tells.
    pub(super) fn pushed(&mut self, at: Timestamp, to: Option<Sha>) {
        self.moves.insert((at, to));
    }

    /// A push that tells a move was seen at an earlier time than was known.
    pub fn pushed_earlier(&mut self, known: Timestamp, to: Option<Sha>) {
        let known = (known, to);
        if !self.untold.contains(&known) {
            self.moves.remove(&known);
        }
    }

    /// Adds the stored moves to those that pushes tell.
    pub(super) fn restore(&mut self) {
        self.moves.extend(self.untold.iter().cloned());
    }
}

impl RepoFacts {
    /// The pushes to a branch or tag, in no order of time.
    pub fn pushes_of(&self, name: &RefName) -> impl Iterator<Item = (&PushId, &PushFacts)> {
        let first = (name.clone(), Sha::from(""), Sha::from(""));
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
        let suite = || SuiteFact { workflow: "ci.yml".into(), trigger: "push".into() };
        assert!(!checks.add_suite(1, suite()) && checks.suites.is_empty());
    }
}
