//! Facts about alerts: the messages of the sources, and the issues that were opened for them.
//!
//! A group of alerts has one document, named after its connection and key ([`incident_id`]). The
//! issue that is open for it is the last one in there, so one group can never have two open issues
//! in a repository. The document is the unique constraint; it does not depend on a search on the
//! forge.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::domain::{
    alert::{Feedback, Group},
    fact::{DocumentKey, Newest, RepoFacts},
    id::ItemId,
};

/// Returns the id of a group's incident: a short hash of connection and key, each with its length,
/// so that no two pairs give the same input to the hash.
pub fn incident_id(connection: &str, key: &str) -> String {
    let mut hash = Sha256::new();
    for part in [connection, key] {
        hash.update(part.len().to_be_bytes());
        hash.update(part.as_bytes());
    }
    hex::encode(hash.finalize()).chars().take(16).collect()
}

/// The key of one episode of an alert: its fingerprint, and its start according to the source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EpisodeKey {
    /// Start. It is the first field, so that the oldest sort first.
    pub from: Timestamp,
    /// The alert's fingerprint.
    pub fingerprint: String,
}

/// The facts about one episode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Episode {
    /// State according to the newest message that lists it: `None` while it fires, else its end. If
    /// two messages have the same time, the end counts.
    pub ended: Newest<Option<Timestamp>>,
    /// The time of the earliest message that listed it as firing. `None`: we only received the end
    /// of an alert whose start we never saw.
    pub fired: Option<Timestamp>,
}

/// An incident: a group of alerts of one connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentFacts {
    /// The connection.
    pub connection: String,
    /// The group's key there.
    pub key: String,
    /// The episodes, stored as a list because JSON keys are strings.
    #[serde(with = "pairs")]
    pub episodes: BTreeMap<EpisodeKey, Episode>,
    /// The newest message in which an alert fired. The issue describes it.
    pub portrait: Option<Newest<Group>>,
    /// The time of the newest message that left nothing out.
    pub whole_at: Option<Timestamp>,
    /// The time of the newest message that left something out.
    pub cut_at: Option<Timestamp>,
    /// The time since when we know that it fires. The hold counts from then, so that nothing is
    /// filed for a backlog of alerts that are over by its end.
    pub noticed: Option<Timestamp>,
    /// The periods in which it disturbed its environment, as last reported to the soaking
    /// deployments there: start, and end.
    #[serde(default)]
    pub disturbed: Vec<(Timestamp, Option<Timestamp>)>,
    /// The cycles: one for each time that it fired again after it was over, with the issue that
    /// showed it. The last one is the current one.
    pub cycles: Vec<CycleFacts>,
}

impl IncidentFacts {
    /// Creates an incident without any message.
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

    /// Returns the time of the last message.
    pub fn heard_at(&self) -> Option<Timestamp> {
        self.whole_at.max(self.cut_at)
    }

    /// Returns true if nothing fires, and nothing is shown as firing.
    pub fn is_done(&self) -> bool {
        let shown = self.cycles.last().is_some_and(|cycle| match &cycle.place {
            ShownIn::Own(issue) => issue.firing,
            ShownIn::Storm(_) => false,
        });
        !shown && self.noticed.is_none()
    }

    /// Returns true if the source reports the end of alerts.
    pub fn tells_end(&self) -> bool {
        self.portrait.as_ref().is_none_or(|p| p.value.tells_end)
    }
}

impl RepoFacts {
    /// Adds a changed incident to the tables.
    pub(super) fn index_incident(&mut self, id: &str) {
        let Some(incident) = self.incidents.get(id) else { return };
        for (key, episode) in &incident.episodes {
            let start = episode.fired.map_or(key.from, |fired| fired.min(key.from));
            self.index.alert_starts.insert((start, id.to_owned()));
        }
        let own = incident.cycles.iter().filter_map(|cycle| match &cycle.place {
            ShownIn::Own(issue) => issue.number,
            ShownIn::Storm(_) => None,
        });
        self.index.shown_in.extend(own.map(|number| (number, DocumentKey::Incident(id.to_owned()))));
    }
}

/// One cycle of an incident that was shown to people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CycleFacts {
    /// Start, as it was known when the cycle was first shown.
    pub began: Timestamp,
    /// The issue that shows it.
    pub place: ShownIn,
}

/// The issue that shows an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ShownIn {
    /// An issue of its own.
    Own(Box<IssueFacts>),
    /// The issue of this storm.
    Storm(String),
}

/// A storm: many incidents at once, shown in one issue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StormFacts {
    /// Start.
    pub began: Timestamp,
    /// The storm's issue.
    pub issue: IssueFacts,
}

/// An issue that we opened, and the state that we last gave it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssueFacts {
    /// The issue's marker: `incident:ID`, `feedback:ID`.
    pub marker: String,
    /// Time at which we planned to open it.
    pub asked_at: Timestamp,
    /// Number of times that we asked the forge to open it.
    pub asked: u32,
    /// Time and reason of the forge's refusal.
    pub refused: Option<(Timestamp, String)>,
    /// Issue number, once the forge has reported it.
    pub number: Option<ItemId>,
    /// Labels that it was opened with.
    pub opened_with: BTreeSet<String>,
    /// Labels that we last wanted it to have.
    pub labels: BTreeSet<String>,
    /// True if people were assigned.
    pub assigned: bool,
    /// True if it is shown as firing, false if it is shown as resolved.
    pub firing: bool,
    /// True if we want it to be open.
    pub open: bool,
    /// The time since when we want that. A closing after it is somebody else's.
    pub open_since: Timestamp,
    /// Number of changes from firing to resolved or back.
    pub turns: u32,
    /// True if it is shown as stale.
    pub stale: bool,
    /// Short hash of title and text, and the time when they were last written.
    pub text: (String, Timestamp),
    /// Human actions on the incident when the text was last written.
    #[serde(default)]
    pub acts: String,
}

/// A user's feedback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedbackFacts {
    /// The connection.
    pub connection: String,
    /// Time and content of the first message. Later messages with its key are the same.
    pub said: (Timestamp, Feedback),
    /// The issue.
    pub issue: Option<IssueFacts>,
}

impl FeedbackFacts {
    /// Returns true if its issue exists.
    pub fn is_filed(&self) -> bool {
        self.issue.as_ref().is_some_and(|issue| issue.number.is_some())
    }
}

/// A connection that must send a heartbeat regularly.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HeartbeatFacts {
    /// Time of the last message.
    pub heard_at: Option<Timestamp>,
}

/// Serializes a map whose keys are not strings as a list of pairs.
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
