//! Facts about alerts: what the sources said, and the issues that came of it.
//!
//! A group of alerts has one document, named after its connection and key
//! ([`incident_id`]). The issue that is open for it is the last one in there:
//! so one group can never have two open issues in a repository. That is the
//! unique constraint, and no search on the forge takes part in it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::domain::{
    alert::{Feedback, Group},
    fact::Newest,
    id::ItemNumber,
};

/// Names the incident of a group: short hash of connection and key, each with
/// its length, so that no two pairs run together.
pub fn incident_id(connection: &str, key: &str) -> String {
    let mut hash = Sha256::new();
    for part in [connection, key] {
        hash.update(part.len().to_be_bytes());
        hash.update(part.as_bytes());
    }
    hex::encode(hash.finalize()).chars().take(16).collect()
}

/// One stretch of an alert: its fingerprint, and when it began by the source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EpisodeKey {
    /// When it began. First, so that the oldest go first.
    pub from: Timestamp,
    /// Which alert.
    pub fingerprint: String,
}

/// What is known of one stretch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Episode {
    /// How it stood by the newest message that lists it: `None` fires, else
    /// when it ended. Of two words within one moment the ending counts.
    pub ended: Newest<Option<Timestamp>>,
    /// The earliest message that listed it as firing. Without one it is an end
    /// of something that we never heard of.
    pub fired: Option<Timestamp>,
}

/// A group of alerts of one connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentFacts {
    /// The connection.
    pub connection: String,
    /// The group's key there.
    pub key: String,
    /// Its stretches as a list, since JSON's keys are texts.
    #[serde(with = "pairs")]
    pub episodes: BTreeMap<EpisodeKey, Episode>,
    /// The newest message in which something fired: what the issue is about.
    pub portrait: Option<Newest<Group>>,
    /// The newest message that left nothing out.
    pub whole_at: Option<Timestamp>,
    /// The newest message that left something out.
    pub cut_at: Option<Timestamp>,
    /// Since when we know that it fires: the hold counts from then, so that of a
    /// backlog nothing is filed that is over by its end.
    pub noticed: Option<Timestamp>,
    /// When it disturbed its environment, as was last told to what soaks there:
    /// from, and until when.
    #[serde(default)]
    pub disturbed: Vec<(Timestamp, Option<Timestamp>)>,
    /// Times at which it fired again after having been over, and what was
    /// shown of each; the last one is the present.
    pub cycles: Vec<CycleFacts>,
}

impl IncidentFacts {
    /// A group of which nothing was said.
    pub fn new(connection: &str, key: &str) -> Self {
        Self {
            connection: connection.to_owned(),
            key: key.to_owned(),
            episodes: BTreeMap::new(),
            portrait: None,
            whole_at: None,
            cut_at: None,
            noticed: None,
            disturbed: Vec::new(),
            cycles: Vec::new(),
        }
    }

    /// When it was last heard of.
    pub fn heard_at(&self) -> Option<Timestamp> {
        self.whole_at.max(self.cut_at)
    }

    /// Nothing fires, and nothing is shown as firing.
    pub fn is_done(&self) -> bool {
        let shown = self.cycles.last().is_some_and(|cycle| match &cycle.place {
            ShownIn::Own(issue) => issue.firing,
            ShownIn::Storm(_) => false,
        });
        !shown && self.noticed.is_none()
    }

    /// The source says when it is over.
    pub fn tells_end(&self) -> bool {
        self.portrait.as_ref().is_none_or(|p| p.value.tells_end)
    }
}

/// One time that an incident was shown to people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CycleFacts {
    /// When it began, as it was known when it was decided to show it.
    pub began: Timestamp,
    /// Where.
    pub place: ShownIn,
}

/// Where an incident is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ShownIn {
    /// In an issue of its own.
    Own(IssueFacts),
    /// In the issue of this storm.
    Storm(String),
}

/// Many incidents at once, shown in one issue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StormFacts {
    /// When it began.
    pub began: Timestamp,
    /// Its issue.
    pub issue: IssueFacts,
}

/// An issue that we opened, and what we last made of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssueFacts {
    /// Its marker: `incident:ID`, `feedback:ID`.
    pub marker: String,
    /// When it was decided to open it.
    pub asked_at: Timestamp,
    /// How often that was asked of the forge.
    pub asked: u32,
    /// The forge refused, when and why.
    pub refused: Option<(Timestamp, String)>,
    /// Its number, once the forge has told it.
    pub number: Option<ItemNumber>,
    /// Labels that it was opened with.
    pub opened_with: BTreeSet<String>,
    /// Labels that it was last meant to carry.
    pub labels: BTreeSet<String>,
    /// People were assigned.
    pub assigned: bool,
    /// It is shown as firing; else as resolved.
    pub firing: bool,
    /// It should be open, as far as it is up to us.
    pub open: bool,
    /// Since when. A closing after that is somebody else's.
    pub open_since: Timestamp,
    /// How often it turned from firing to resolved or back.
    pub turns: u32,
    /// It is shown as stale.
    pub stale: bool,
    /// Short hash of title and text, and when they were last written.
    pub text: (String, Timestamp),
}

/// A user's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedbackFacts {
    /// The connection.
    pub connection: String,
    /// The first message: later ones with its key are the same.
    pub said: (Timestamp, Feedback),
    /// Its issue.
    pub issue: Option<IssueFacts>,
}

impl FeedbackFacts {
    /// Its issue is there.
    pub fn is_filed(&self) -> bool {
        self.issue.as_ref().is_some_and(|issue| issue.number.is_some())
    }
}

/// A connection that has to be heard of regularly.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HeartbeatFacts {
    /// When it was last heard of.
    pub heard_at: Option<Timestamp>,
}

/// A map whose keys are no texts, as a list of pairs.
mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<K: Serialize, V: Serialize, S: Serializer>(
        map: &BTreeMap<K, V>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map.iter())
    }

    pub(super) fn deserialize<'de, K: Deserialize<'de> + Ord, V: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<K, V>, D::Error> {
        Ok(Vec::<(K, V)>::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_pairs_have_one_name() {
        assert_ne!(incident_id("a", "bc"), incident_id("ab", "c"));
        assert_eq!(incident_id("prod", "x").len(), 16);
    }
}
