//! What the issue of an incident tells, before it is words.
//!
//! All text in here is as it was sent: [`crate::incident::render`] defuses it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

use crate::domain::{alert::Alert, id::ItemNumber};

/// An incident as its issue shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IncidentView {
    /// The incident's id, as in its marker.
    pub id: String,
    /// The connection that told of it.
    pub connection: String,
    /// How it stands, in one word: `firing`, `resolving`, `resolved` or `muted`.
    pub state: String,
    /// The source's title, or what stands for one.
    pub title: String,
    /// The source's own words.
    pub text: Option<String>,
    /// Where to read more.
    pub url: Option<String>,
    /// Labels that all its alerts share.
    pub labels: BTreeMap<String, String>,
    /// How bad it is, if a label says so.
    pub severity: Option<String>,
    /// Where it is, if known.
    pub environment: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Its alerts, the worst first.
    pub alerts: Vec<Alert>,
    /// How many more the source left out.
    pub left_out: u64,
    /// How often it fired again while it was about to be over.
    pub flaps: u64,
    /// Who acknowledged it.
    pub acked_by: Option<String>,
    /// Until when it is muted.
    pub muted_until: Option<Timestamp>,
    /// The issue of the incident before it with the same key.
    pub previous: Option<ItemNumber>,
    /// Deployments that may have caused it, the likeliest first.
    pub suspects: Vec<Suspect>,
    /// What people said that caused it.
    pub cause: Option<String>,
    /// A command line that would undo the likeliest suspect.
    pub rollback: Option<String>,
}

/// A deployment that may have caused an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Suspect {
    /// Where it went.
    pub environment: String,
    /// What was deployed: a tag or branch, or the commit itself.
    pub reference: String,
    /// The commit, shortened.
    pub commit: String,
    /// Who deployed it.
    pub actor: Option<String>,
    /// When it ended; `None`: it was under way.
    pub finished_at: Option<Timestamp>,
    /// How long before the incident it ended, as people write it.
    pub age: Option<String>,
    /// The pull requests and issues that it carried.
    pub items: Vec<ItemNumber>,
}

/// An incident as a line of a storm's issue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StormLine {
    /// The source's title, or what stands for one.
    pub title: String,
    /// As in [`IncidentView`].
    pub state: String,
    /// How bad it is, if a label says so.
    pub severity: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// Its own issue, if it has one.
    pub item: Option<ItemNumber>,
}

impl IncidentView {
    /// Items that its text may name.
    pub(super) fn items(&self) -> BTreeSet<ItemNumber> {
        self.suspects.iter().flat_map(|suspect| suspect.items.iter().copied()).chain(self.previous).collect()
    }
}
