//! Facts about issues and pull requests.

mod bounds;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use crate::domain::fact::phase_override::OverrideKind;
use crate::domain::{
    event::{Association, CloseReason, StackPlace, Verdict},
    fact::{Newest, command::CommandMarks, label::LabelEvents},
    id::{Account, Actor, ItemId, Sha},
};

/// Everything seen of one issue or pull request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ItemFacts {
    /// Issue or pull request number.
    pub number: ItemId,
    /// True if it is a pull request.
    pub is_pull: bool,
    /// Author.
    pub author: Option<Actor>,
    /// The author's association with the repository, as the forge reports it.
    pub association: Option<Newest<Association>>,
    /// Creation time.
    pub created_at: Option<Timestamp>,
    /// The time of the earliest state that was seen. The item's earlier history is not in our
    /// record.
    pub recorded_from: Option<Timestamp>,
    /// Title.
    pub title: Option<Newest<String>>,
    /// True if it was open when last seen.
    pub open: Option<Newest<bool>>,
    /// Every closing, with its reason.
    pub closings: BTreeMap<Timestamp, CloseReason>,
    /// Every reopening.
    pub reopenings: BTreeSet<Timestamp>,
    /// All its labels when last seen, or as we last wrote them.
    pub labels: Option<Labels>,
    /// Time at which it was deleted or transferred.
    pub gone: Option<Timestamp>,
    /// Phase overrides by command.
    pub marks: BTreeSet<PhaseOverride>,
    /// Times up to which processed commands have no record any more. Commands up to these times
    /// never run.
    #[serde(default, skip_serializing_if = "CommandMarks::is_empty")]
    pub command_marks: CommandMarks,
    /// Labels that people and other bots added or removed.
    #[serde(default)]
    pub label_events: LabelEvents,
    /// True for our own issue about the policy file: it is a notice, not work.
    #[serde(default)]
    pub notice: bool,
    /// True if it was read in a survey of the repository, which alone is no reason to label it.
    #[serde(default)]
    pub read: bool,
    /// True if an event concerned it, or somebody asked for its label.
    #[serde(default)]
    pub heard: bool,
    /// The facts that only pull requests have.
    pub pull: Option<PullFacts>,
}

impl ItemFacts {
    /// Creates an item of which only the number is known.
    pub fn new(number: ItemId, is_pull: bool) -> Self {
        Self {
            number,
            is_pull,
            author: None,
            association: None,
            created_at: None,
            recorded_from: None,
            title: None,
            open: None,
            closings: BTreeMap::new(),
            reopenings: BTreeSet::new(),
            labels: None,
            gone: None,
            marks: BTreeSet::new(),
            command_marks: CommandMarks::default(),
            label_events: LabelEvents::default(),
            notice: false,
            read: false,
            heard: false,
            pull: None,
        }
    }

    /// Returns true if only a survey of the whole repository read it: nobody waits for a label.
    pub fn is_silent(&self) -> bool {
        self.read && !self.heard
    }

    /// Returns the start of the present cycle: the last reopening, else the creation.
    pub fn cycle_start(&self, now: Timestamp) -> Option<Timestamp> {
        self.reopened_at(now).or(self.created_at)
    }

    /// Returns the time of the last reopening. If its event was missed, an open state newer than
    /// the last closing shows it.
    pub fn reopened_at(&self, now: Timestamp) -> Option<Timestamp> {
        let reopened = self.reopenings.range(..=now).next_back().copied();
        let last_closing = self.closings.range(..=now).next_back().map(|(at, _)| *at);
        let seen_open = self
            .open
            .as_ref()
            .filter(|o| o.value && last_closing.is_some_and(|c| c < o.at) && reopened < last_closing)
            .map(|o| o.at);
        reopened.max(seen_open)
    }

    /// Returns the time of the last closing, whether or not it was reopened since.
    pub fn last_closing(&self) -> Option<Timestamp> {
        self.closings.last_key_value().map(|(at, _)| *at)
    }

    /// Returns the closing in effect at `now`, if it is closed.
    pub fn closed(&self, now: Timestamp) -> Option<(Timestamp, CloseReason)> {
        let (at, reason) = self.closings.range(..=now).next_back()?;
        (self.reopened_at(now) < Some(*at)).then_some((*at, *reason))
    }

    /// Returns the time at which it was last closed without its change having landed, if it stayed
    /// closed.
    pub fn given_up_at(&self) -> Option<Timestamp> {
        let (at, reason) = self.closings.last_key_value()?;
        if self.reopened_at(Timestamp::MAX) >= Some(*at) {
            return None;
        }
        let merged = self.pull.as_ref().is_some_and(|pull| pull.merged.is_some());
        let given_up = if self.is_pull { !merged } else { *reason != CloseReason::Completed };
        given_up.then_some(*at)
    }

    /// Returns true if `at` lies before our record of this item. The forge sets an item's update
    /// time up to some seconds after the change that caused it.
    pub fn before_record(&self, at: Timestamp) -> bool {
        const SLACK: jiff::SignedDuration = jiff::SignedDuration::from_mins(1);
        self.recorded_from.is_some_and(|from| from.duration_since(at) > SLACK)
    }
}

/// The labels of an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Labels {
    /// Time at which they were seen.
    pub at: Timestamp,
    /// Label names. If two different states have the same time, the labels of both are kept:
    /// removing a label that is not there is harmless, leaving one is not.
    pub names: BTreeSet<String>,
}

impl Labels {
    /// Adds a state of the labels. A later state replaces an earlier one.
    pub fn join(slot: &mut Option<Self>, at: Timestamp, names: &BTreeSet<String>) {
        match slot {
            Some(known) if known.at > at => {}
            Some(known) if known.at == at => known.names.extend(names.iter().cloned()),
            _ => *slot = Some(Self { at, names: names.clone() }),
        }
    }
}

/// A phase override by a person who is allowed to make it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PhaseOverride {
    /// Time.
    pub at: Timestamp,
    /// The override. At the same time, an added label takes precedence over a removed one (people
    /// swap labels), and a command over both.
    pub word: OverrideKind,
    /// Login of the person, for display.
    pub by: String,
}

/// The facts that only pull requests have.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PullFacts {
    /// Source and target.
    pub shape: Option<Newest<PullShape>>,
    /// References in title and body to other items.
    pub refs: Option<Newest<TextRefs>>,
    /// The merge.
    pub merged: Option<Merge>,
    /// Reviews by id: the newest verdict of each.
    pub reviews: BTreeMap<u64, Newest<ReviewFact>>,
    /// Every head commit, with the earliest time at which it was seen as the head.
    #[serde(default)]
    pub heads: BTreeMap<Sha, Timestamp>,
    /// Accounts that pushed to its branch while it was open, according to the forge.
    #[serde(default)]
    pub pushers: BTreeSet<Account>,
    /// The last finding about the policy file in it.
    #[serde(default)]
    pub policy: Option<PolicyInPull>,
    /// Its place in a stack; `None` in it: in none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack: Option<Newest<Option<StackPlace>>>,
    /// True if it was in a merge queue when last heard of there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued: Option<Newest<bool>>,
}

impl PullFacts {
    /// Returns its place in a stack, if it is in one.
    pub fn stack(&self) -> Option<&StackPlace> {
        self.stack.as_ref()?.value.as_ref()
    }

    /// Returns the branch that it is to land on: its stack's, else its own target.
    pub fn target(&self) -> Option<&str> {
        let own = self.shape.as_ref().map(|shape| shape.value.base_ref.as_str());
        self.stack().map(|place| place.base.as_str()).or(own)
    }
}

/// The effect of a pull request on the policy file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyInPull {
    /// The head that was examined.
    pub head: Sha,
    /// The target branch that it was compared with, because a pull request can be retargeted.
    /// Empty: it must be examined again.
    #[serde(default)]
    pub base: String,
    /// True if it changes the file: a check or comment of ours shows the finding.
    pub changes: bool,
}

impl PolicyInPull {
    /// Returns true if the finding is for the pull request's current head and target.
    pub fn is_of(&self, shape: &PullShape) -> bool {
        self.head == shape.head_sha && self.base == shape.base_ref
    }
}

/// Source and target of a pull request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PullShape {
    /// Source branch.
    pub head_ref: String,
    /// Head commit.
    pub head_sha: Sha,
    /// True if the source is in another repository.
    pub from_fork: bool,
    /// Target branch.
    pub base_ref: String,
    /// True if it is a draft.
    pub draft: bool,
}

/// References in a text to other items.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct TextRefs {
    /// Issues that it closes, in the order of the text.
    pub closes: Vec<ItemId>,
    /// Pull requests that it reverts.
    pub reverts: Vec<ItemId>,
}

/// A merge.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Merge {
    /// Time.
    pub at: Timestamp,
    /// The commit that it put on the target branch.
    pub sha: Sha,
    /// The account that merged.
    pub by: Option<Account>,
}

/// A review.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ReviewFact {
    /// The current verdict.
    pub verdict: Verdict,
    /// Time of first submission.
    pub submitted_at: Timestamp,
    /// Reviewer.
    pub reviewer: Account,
    /// The reviewer's association with the repository.
    pub association: Association,
    /// The reviewed commit.
    pub commit: Option<Sha>,
}
