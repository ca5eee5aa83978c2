//! Facts about releases.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::fact::{
    Newest, RepoFacts,
    indexed::{IndexedMap, KeysBy, MapIndex},
};

/// A release as last seen.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ReleaseFacts {
    /// The newest state by the forge's time.
    pub state: Newest<ReleaseState>,
}

/// The state of a release.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ReleaseState {
    /// True if it was deleted or unpublished. This takes precedence over every other state of the
    /// same time.
    pub withdrawn: bool,
    /// Publication time; `None` for a draft.
    pub published_at: Option<Timestamp>,
    /// Tag.
    pub tag: String,
    /// Branch or commit that the tag is created from.
    pub target: String,
    /// True for a pre-release.
    pub prerelease: bool,
}

/// Releases by id.
pub type Releases = IndexedMap<u64, ReleaseFacts, ReleaseIndex>;

/// Look-up tables over [`Releases`].
#[derive(Debug, Clone, Default)]
pub struct ReleaseIndex {
    /// Releases that are neither published nor withdrawn.
    pub drafts: BTreeSet<u64>,
    /// Releases by publication time.
    pub published: BTreeSet<(Timestamp, u64)>,
    /// Releases by tag.
    pub by_tag: KeysBy<String, u64>,
}

impl MapIndex<u64, ReleaseFacts> for ReleaseIndex {
    fn add(&mut self, id: &u64, release: &ReleaseFacts) {
        let state = &release.state.value;
        if state.published_at.is_none() && !state.withdrawn {
            self.drafts.insert(*id);
        }
        self.published.extend(state.published_at.map(|at| (at, *id)));
        self.by_tag.add(state.tag.clone(), *id);
    }

    fn remove(&mut self, id: &u64, release: &ReleaseFacts) {
        let state = &release.state.value;
        self.drafts.remove(id);
        if let Some(at) = state.published_at {
            self.published.remove(&(at, *id));
        }
        self.by_tag.remove(&state.tag, id);
    }
}

impl RepoFacts {
    /// Returns the releases that are neither published nor withdrawn.
    pub fn draft_releases(&self) -> impl Iterator<Item = (u64, &ReleaseFacts)> {
        self.releases.index().drafts.iter().filter_map(|id| Some((*id, self.releases.get(id)?)))
    }

    /// Returns the releases that were published at `since` or later, oldest first.
    pub fn releases_since(&self, since: Timestamp) -> impl DoubleEndedIterator<Item = (Timestamp, &ReleaseState)> {
        let published = self.releases.index().published.range((since, 0)..);
        published.filter_map(|(at, id)| Some((*at, &self.releases.get(id)?.state.value)))
    }

    /// Returns the releases that were published before `at`, newest first.
    pub fn releases_before(&self, at: Timestamp) -> impl Iterator<Item = (Timestamp, &ReleaseState)> {
        let published = self.releases.index().published.range(..(at, 0)).rev();
        published.filter_map(|(at, id)| Some((*at, &self.releases.get(id)?.state.value)))
    }

    /// Returns the releases of a tag.
    pub fn releases_of<'a>(&'a self, tag: &str) -> impl Iterator<Item = &'a ReleaseState> {
        let ids = self.releases.index().by_tag.of(tag);
        ids.filter_map(|id| self.releases.get(id)).map(|release| &release.state.value)
    }
}
