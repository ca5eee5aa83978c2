//! Data that the issue of an incident shows, before rendering.
//!
//! All text here is as the source sent it; [`crate::incident::render`] sanitizes it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;

use crate::domain::{alert::Alert, id::ItemId, turn::Turn};

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
    /// Time from start to end, if it is over, formatted for people.
    pub lasted: Option<String>,
    /// The service, if a route or a label names one.
    pub service: Option<String>,
    /// The account that acknowledged it.
    pub acked_by: Option<String>,
    /// Time of the acknowledgement.
    pub acked_at: Option<Timestamp>,
    /// End of its mute.
    pub muted_until: Option<Timestamp>,
    /// The issue of the previous incident with the same key.
    pub previous: Option<ItemId>,
    /// Deployments that may have caused it, the likeliest first.
    pub suspects: Vec<Suspect>,
    /// The cause that a person named, unless it is an item; `no change`.
    pub cause: Option<String>,
    /// The item that a person named as the cause.
    pub cause_item: Option<ItemId>,
    /// Title of that item.
    pub cause_title: Option<String>,
    /// The account that named the cause.
    pub cause_by: Option<String>,
    /// The linked change that ended it.
    pub fix: Option<Fix>,
    /// Command that undoes the likeliest suspect.
    pub rollback: Option<String>,
    /// Who acts next.
    #[serde(skip)]
    pub turn: Turn,
    /// Time zone of all times.
    #[serde(skip)]
    pub zone: TimeZone,
}

/// A linked change that runs where the incident fired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fix {
    /// Its pull request, if it has one.
    pub item: Option<ItemId>,
    /// Time since when it runs there.
    pub since: Timestamp,
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
    /// Address of the commit's page.
    pub page: Option<String>,
    /// The account that deployed it.
    pub actor: Option<String>,
    /// End of the deployment; `None` if it was in progress.
    pub finished_at: Option<Timestamp>,
    /// Time between its end and the incident, formatted for people.
    pub age: Option<String>,
    /// The pull requests and issues that it brought.
    pub items: Vec<ItemId>,
}

/// A storm as its issue shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StormView {
    /// Its incidents: those that are not resolved first, the latest first.
    pub lines: Vec<StormLine>,
    /// The connections that report them.
    pub connections: String,
    /// The environment of all of them.
    pub environment: Option<String>,
    /// The severity of all of them.
    pub severity: Option<String>,
    /// Every environment that is not resolved, by name; if all are, every one.
    pub environments: BTreeSet<String>,
    /// Every severity, likewise.
    pub severities: BTreeSet<String>,
    /// The issues that were opened shortly before, for the first incidents.
    pub own: Vec<ItemId>,
    /// Deployments that may have caused it, the likeliest first.
    pub suspects: Vec<Suspect>,
    /// Command that undoes the likeliest suspect.
    pub rollback: Option<String>,
    /// End of its mute.
    pub muted_until: Option<Timestamp>,
    /// Who acts next.
    #[serde(skip)]
    pub turn: Turn,
    /// Time zone of all times.
    #[serde(skip)]
    pub zone: TimeZone,
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
        let suspects = self.suspects.iter().flat_map(|suspect| suspect.items.iter().copied());
        let fix = self.fix.as_ref().and_then(|fix| fix.item);
        suspects.chain(self.previous).chain(self.cause_item).chain(fix).collect()
    }

    /// Returns the addresses of ours that its text may link.
    pub(super) fn pages(&self) -> BTreeSet<&str> {
        self.suspects.iter().filter_map(|suspect| suspect.page.as_deref()).collect()
    }
}
