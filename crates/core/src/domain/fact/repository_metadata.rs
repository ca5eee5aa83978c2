//! Metadata of a repository.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::{
    event::ExternalDeployment,
    fact::Newest,
    id::{Account, ItemId},
};

/// Metadata of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RepositoryMetadata {
    /// `owner/name`, newest.
    pub full_name: Option<Newest<String>>,
    /// Default branch, newest.
    pub default_branch: Option<Newest<String>>,
    /// Every branch that was the default branch when an event was seen. A rename only shows as
    /// another name, and what landed before stays landed.
    #[serde(default)]
    pub default_branches: BTreeSet<String>,
    /// Owner, newest.
    pub owner: Option<Newest<Account>>,
    /// Host of its web pages, newest.
    #[serde(default)]
    pub web_host: Option<Newest<String>>,
    /// Time of the last activity, accurate to some hours.
    #[serde(default)]
    pub active_at: Option<Timestamp>,
    /// Time of the earliest event: the beginning of our record.
    #[serde(default)]
    pub recorded_since: Option<Timestamp>,
    /// Evidence of what happened before this time may be deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forgotten_before: Option<Timestamp>,
    /// Whether it is private, newest.
    #[serde(default)]
    pub private: Option<Newest<bool>>,
    /// The phases of the policies that were in force, by name, each with the time since when.
    #[serde(default)]
    pub phases: Vec<(Timestamp, Vec<String>)>,
    /// The last weekly retrospective; `None`: there never was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retro: Option<RetroFacts>,
    /// Labels that exist with our colour and description.
    pub known_labels: BTreeSet<String>,
    /// Times at which an environment was taken down, by its lower-case name and the connection that
    /// reported it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub removals: BTreeMap<String, BTreeSet<(Timestamp, String)>>,
    /// Open pull requests with a label that makes an environment for them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub labelled_pulls: BTreeSet<ItemId>,
    /// External deployments of tags that are not known yet.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub of_unknown_tags: BTreeSet<ExternalDeployment>,
}

/// A weekly retrospective.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetroFacts {
    /// The week that it is about, such as `2026-W10`.
    pub week: String,
    /// Its issue, once the forge has reported its number.
    pub issue: Option<ItemId>,
    /// Issue of the last retrospective before it that has one, until its own is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former: Option<ItemId>,
}

impl RetroFacts {
    /// Returns the newest issue of a retrospective.
    pub fn last_issue(&self) -> Option<ItemId> {
        self.issue.or(self.former)
    }
}

/// Maximum environments whose removals are kept.
const MOST_REMOVED: usize = 200;
/// Maximum removals that are kept of one environment; the newest are kept.
const MOST_REMOVALS: usize = 20;
/// Maximum external deployments of unknown tags; the newest are kept.
const MOST_OF_UNKNOWN_TAGS: usize = 50;

impl RepositoryMetadata {
    /// Records that what a connection deployed to an environment was taken down. Returns whether that
    /// is new.
    pub fn remove_environment(&mut self, environment: &str, connection: &str, at: Timestamp) -> bool {
        if !self.removals.contains_key(environment) && self.removals.len() >= MOST_REMOVED {
            let newest =
                |(name, times): (&String, &BTreeSet<(Timestamp, String)>)| (times.last().cloned(), name.clone());
            let oldest = self.removals.iter().map(newest).min();
            oldest.map(|(_, name)| self.removals.remove(&name));
        }
        let known = self.removals.entry(environment.to_owned()).or_default();
        let is_new = known.insert((at, connection.to_owned()));
        if known.len() > MOST_REMOVALS {
            known.pop_first();
        }
        is_new && known.contains(&(at, connection.to_owned()))
    }

    /// Keeps an external deployment until its tag is known. Returns whether it is new.
    pub fn keep_until_tagged(&mut self, deployment: &ExternalDeployment) -> bool {
        let is_new = self.of_unknown_tags.insert(deployment.clone());
        if self.of_unknown_tags.len() > MOST_OF_UNKNOWN_TAGS {
            let oldest = self.of_unknown_tags.iter().min_by_key(|kept| kept.at).cloned();
            oldest.map(|oldest| self.of_unknown_tags.remove(&oldest));
        }
        is_new
    }

    /// Returns the first time, at or after `since`, at which what a connection deployed to an
    /// environment was taken down.
    pub fn removed_after(&self, environment: &str, connection: &str, since: Timestamp) -> Option<Timestamp> {
        let removals = self.removals.get(environment)?.range((since, String::new())..);
        removals.into_iter().find(|(_, by)| by == connection).map(|(at, _)| *at)
    }
}
