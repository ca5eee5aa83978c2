//! Facts about issues and pull requests.

mod bounds;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::{
    event::{Association, CloseReason, Verdict},
    fact::{Newest, command::CommandMarks, label::LabelEvents},
    id::{Account, Actor, ItemNumber, Sha},
};

/// Everything seen of one issue or pull request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ItemFacts {
    /// Its number.
    pub number: ItemNumber,
    /// It is a pull request.
    pub is_pull: bool,
    /// Who opened it.
    pub author: Option<Actor>,
    /// How the author stands to the repository, in the forge's words.
    pub association: Option<Newest<Association>>,
    /// When it was opened.
    pub created_at: Option<Timestamp>,
    /// The earliest state of it that was seen: what it was before is not in our record.
    pub recorded_from: Option<Timestamp>,
    /// Title.
    pub title: Option<Newest<String>>,
    /// Open, at the newest sight.
    pub open: Option<Newest<bool>>,
    /// Every closing, with its reason.
    pub closings: BTreeMap<Timestamp, CloseReason>,
    /// Every reopening.
    pub reopenings: BTreeSet<Timestamp>,
    /// All its labels at the newest sight, and at our own last write.
    pub labels: Option<Labels>,
    /// Deleted or transferred.
    pub gone: Option<Timestamp>,
    /// What people said about its phase by command.
    pub marks: BTreeSet<PhaseOverride>,
    /// Up to when commands are decided whose records are gone: older ones never run.
    #[serde(default, skip_serializing_if = "CommandMarks::is_empty")]
    pub command_marks: CommandMarks,
    /// Labels that people and other bots put on or took off.
    #[serde(default)]
    pub label_events: LabelEvents,
    /// Our own issue about the policy file: a notice, not work.
    #[serde(default)]
    pub notice: bool,
    /// It was read with others as it was, and is not to be labelled for that.
    #[serde(default)]
    pub read: bool,
    /// An event was about it, or somebody asked for its label.
    #[serde(default)]
    pub heard: bool,
    /// What only pull requests have.
    pub pull: Option<PullFacts>,
}

impl ItemFacts {
    /// An item of which only the number is known.
    pub fn new(number: ItemNumber, is_pull: bool) -> Self {
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

    /// Nothing but a look at the whole repository tells of it: nobody waits for a label.
    pub fn is_silent(&self) -> bool {
        self.read && !self.heard
    }

    /// When the present cycle began: the last reopening, else the opening.
    pub fn cycle_start(&self, now: Timestamp) -> Option<Timestamp> {
        self.reopened_at(now).or(self.created_at)
    }

    /// The last reopening. One whose event was missed shows itself by an
    /// open state that is newer than the last closing.
    pub fn reopened_at(&self, now: Timestamp) -> Option<Timestamp> {
        let told = self.reopenings.range(..=now).next_back().copied();
        let last_closing = self.closings.range(..=now).next_back().map(|(at, _)| *at);
        let seen_open = self
            .open
            .as_ref()
            .filter(|o| o.value && last_closing.is_some_and(|c| c < o.at) && told < last_closing)
            .map(|o| o.at);
        told.max(seen_open)
    }

    /// The closing that holds at `now`, if it is closed.
    pub fn closed(&self, now: Timestamp) -> Option<(Timestamp, CloseReason)> {
        let (at, reason) = self.closings.range(..=now).next_back()?;
        (self.reopened_at(now) < Some(*at)).then_some((*at, *reason))
    }

    /// When it was last closed without its change having landed, and stayed so.
    pub fn given_up_at(&self) -> Option<Timestamp> {
        let (at, reason) = self.closings.last_key_value()?;
        if self.reopened_at(Timestamp::MAX) >= Some(*at) {
            return None;
        }
        let merged = self.pull.as_ref().is_some_and(|pull| pull.merged.is_some());
        let given_up = if self.is_pull { !merged } else { *reason != CloseReason::Completed };
        given_up.then_some(*at)
    }

    /// Whether something at `at` lies before our record of this item. The
    /// forge stamps an item's update up to some seconds after what caused it.
    pub fn before_record(&self, at: Timestamp) -> bool {
        const SLACK: jiff::SignedDuration = jiff::SignedDuration::from_mins(1);
        self.recorded_from.is_some_and(|from| from.duration_since(at) > SLACK)
    }
}

/// The labels on an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Labels {
    /// When they were seen.
    pub at: Timestamp,
    /// Their names. Of two sights within one moment both are kept: taking off
    /// a label that is not there does no harm, leaving one on does.
    pub names: BTreeSet<String>,
}

impl Labels {
    /// Joins a sight.
    pub fn join(slot: &mut Option<Self>, at: Timestamp, names: &BTreeSet<String>) {
        match slot {
            Some(known) if known.at > at => {}
            Some(known) if known.at == at => known.names.extend(names.iter().cloned()),
            _ => *slot = Some(Self { at, names: names.clone() }),
        }
    }
}

/// A word about an item's phase by someone who may say it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PhaseOverride {
    /// When.
    pub at: Timestamp,
    /// What was said. Within one moment a label put on outweighs one taken
    /// off (people swap labels), and a command outweighs both.
    pub word: OverrideKind,
    /// By whom: a login, for showing.
    pub by: String,
}

/// What was said.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum OverrideKind {
    /// Took the label off: leave the item alone.
    OptOut,
    /// It is in this phase.
    Baseline {
        /// Phase name.
        phase: String,
        /// And stays there.
        pin: bool,
    },
    /// Back to what the facts say.
    Auto,
}

/// What only pull requests have.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PullFacts {
    /// Where it comes from and where it goes.
    pub shape: Option<Newest<PullShape>>,
    /// What title and body say of other items.
    pub refs: Option<Newest<TextRefs>>,
    /// Its merge.
    pub merged: Option<Merge>,
    /// Reviews by id: the newest verdict of each.
    pub reviews: BTreeMap<u64, Newest<ReviewFact>>,
    /// Every source commit, with the earliest time at which it was seen there.
    #[serde(default)]
    pub heads: BTreeMap<Sha, Timestamp>,
    /// Who pushed to its branch while it was open, by the forge's word.
    #[serde(default)]
    pub pushers: BTreeSet<Account>,
    /// What was last found of the policy file in it.
    #[serde(default)]
    pub policy: Option<PolicyInPull>,
}

/// What a pull request does to the policy file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyInPull {
    /// The head that was looked at.
    pub head: Sha,
    /// The target branch that it was compared with: a pull request may be
    /// turned to another one. Empty: it is to be looked at again.
    #[serde(default)]
    pub base: String,
    /// It changes the file: a check or comment of ours says what was found.
    pub changes: bool,
}

impl PolicyInPull {
    /// It was found for the pull request as it stands.
    pub fn is_of(&self, shape: &PullShape) -> bool {
        self.head == shape.head_sha && self.base == shape.base_ref
    }
}

/// Where a pull request comes from and where it goes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PullShape {
    /// Source branch.
    pub head_ref: String,
    /// Source commit.
    pub head_sha: Sha,
    /// From another repository.
    pub from_fork: bool,
    /// Target branch.
    pub base_ref: String,
    /// Not ready for review.
    pub draft: bool,
}

/// What a text says of other items.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct TextRefs {
    /// Issues that it closes, in the order of the text.
    pub closes: Vec<ItemNumber>,
    /// Pull requests that it reverts.
    pub reverts: Vec<ItemNumber>,
}

/// A merge.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Merge {
    /// When.
    pub at: Timestamp,
    /// The commit that it put on the target branch.
    pub sha: Sha,
    /// By whom.
    pub by: Option<Account>,
}

/// A review.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ReviewFact {
    /// What it says now.
    pub verdict: Verdict,
    /// When it was first submitted.
    pub submitted_at: Timestamp,
    /// By whom.
    pub reviewer: Account,
    /// How the reviewer stands to the repository.
    pub association: Association,
    /// Which commit was reviewed.
    pub commit: Option<Sha>,
}
