//! Data that the issue of an incident shows, before rendering.
//!
//! All text here is as the source sent it; [`crate::incident::render`] sanitizes it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

use crate::domain::{alert::Alert, id::ItemId};

/// An incident as its issue shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IncidentView {
    /// Its id, as in the marker.
    pub id: String,
    /// The connection that reported it.
    pub connection: String,
    /// Its state: `firing`, `resolving`, `resolved` or `muted`.
    pub state: String,
    /// The source's title, or a substitute for it.
    pub title: String,
    /// The source's text.
    pub text: Option<String>,
    /// Link to more details.
    pub url: Option<String>,
    /// Labels that all its alerts share.
    pub labels: BTreeMap<String, String>,
    /// Its severity, if a label names one.
    pub severity: Option<String>,
    /// Its environment, if known.
    pub environment: Option<String>,
    /// Start of the latest firing period.
    pub started_at: Timestamp,
    /// End of the incident.
    pub ended_at: Option<Timestamp>,
    /// Its alerts: firing ones first, then by start.
    pub alerts: Vec<Alert>,
    /// Number of alerts that the source left out.
    pub left_out: u64,
    /// Number of times that it fired again before it was over.
    pub flaps: u64,
    /// The account that acknowledged it.
    pub acked_by: Option<String>,
    /// End of its mute.
    pub muted_until: Option<Timestamp>,
    /// The issue of the previous incident with the same key.
    pub previous: Option<ItemId>,
    /// Deployments that may have caused it, the likeliest first.
    pub suspects: Vec<Suspect>,
    /// The cause that a person named.
    pub cause: Option<String>,
    /// Command that undoes the likeliest suspect.
    pub rollback: Option<String>,
}

/// A deployment that may have caused an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Suspect {
    /// Target environment.
    pub environment: String,
    /// Deployed reference: a tag, a branch, or the commit itself.
    pub reference: String,
    /// The commit, shortened.
    pub commit: String,
    /// The account that deployed it.
    pub actor: Option<String>,
    /// End of the deployment; `None` if it was in progress.
    pub finished_at: Option<Timestamp>,
    /// Time between its end and the incident, formatted for people.
    pub age: Option<String>,
    /// The pull requests and issues that it brought.
    pub items: Vec<ItemId>,
}

/// An incident as a row of a storm's issue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StormLine {
    /// The source's title, or a substitute for it.
    pub title: String,
    /// Its state, as in [`IncidentView`].
    pub state: String,
    /// Its severity, if a label names one.
    pub severity: Option<String>,
    /// Start of the latest firing period.
    pub started_at: Timestamp,
    /// Its own issue, if it has one.
    pub item: Option<ItemId>,
}

impl IncidentView {
    /// Returns the items that its text may name.
    pub(super) fn items(&self) -> BTreeSet<ItemId> {
        self.suspects.iter().flat_map(|suspect| suspect.items.iter().copied()).chain(self.previous).collect()
    }
}
