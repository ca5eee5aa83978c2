//! All rows of one repository, and the terms under which they were derived.

use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    context::EvalContext,
    domain::{
        fact::RepoFacts,
        insight::{OPEN, RowGroup, RowKind},
        policy::Policy,
    },
    insight::{
        overrides::OverrideRow,
        row::{ChangeRow, DeploymentRow, GateRow, IncidentRow, Row, UnitRow},
    },
};

/// Version of the definitions. It changes when a figure of the same facts does.
pub const DEFINITION: u32 = 3;

/// The rows of one repository, as [`crate::insight::figures()`] reads them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct InsightRows {
    /// The terms under which they were derived; `None`: nothing was derived yet.
    pub terms: Option<TermsRow>,
    /// Cycles of issues and pull requests.
    pub units: Vec<UnitRow>,
    /// Changes that went live.
    pub changes: Vec<ChangeRow>,
    /// Deployments.
    pub deployments: Vec<DeploymentRow>,
    /// Times that conditions of gates blocked commits.
    pub gates: Vec<GateRow>,
    /// Cycles of incidents.
    pub incidents: Vec<IncidentRow>,
    /// Overrides of gates.
    pub overrides: Vec<OverrideRow>,
}

impl InsightRows {
    /// Adds a stored row. Returns `false` if this version can't read it.
    pub fn add(&mut self, kind: RowKind, body: &str) -> bool {
        fn push<T: DeserializeOwned>(rows: &mut Vec<T>, body: &str) -> bool {
            serde_json::from_str(body).map(|row| rows.push(row)).is_ok()
        }
        match kind {
            RowKind::Terms => {
                self.terms = serde_json::from_str(body).ok();
                self.terms.is_some()
            }
            RowKind::Unit => push(&mut self.units, body),
            RowKind::Change => push(&mut self.changes, body),
            RowKind::Deployment => push(&mut self.deployments, body),
            RowKind::GateWait => push(&mut self.gates, body),
            RowKind::Incident => push(&mut self.incidents, body),
            RowKind::Override => push(&mut self.overrides, body),
            // No figure is computed from these.
            RowKind::Environment | RowKind::LiveGate => true,
        }
    }
}

/// The terms under which a repository's rows were derived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TermsRow {
    /// Version of the definitions: [`DEFINITION`].
    pub definition: u32,
    /// Version of the policy.
    pub policy: String,
    /// Name of the time zone of days and weeks.
    pub tz: String,
    /// Seconds after a deployment in which a revert makes it a failed one.
    pub rework_window: i64,
    /// Names of the phases, first to last.
    pub phases: Vec<String>,
    /// Phase that starts the cycle time.
    pub start: String,
    /// Phase that ends it.
    pub finish: String,
    /// Phases in which somebody works on an item.
    pub active: Vec<String>,
    /// Phases that the policy did not have from the beginning, and since when it has them.
    #[serde(default)]
    pub phases_since: Vec<(String, Timestamp)>,
    /// Names of the services.
    pub services: Vec<String>,
    /// Beginning of our record of the repository.
    pub recorded_since: Option<Timestamp>,
    /// Whether the repository is private; `None` if unknown.
    #[serde(default)]
    pub private: Option<bool>,
}

impl Row for TermsRow {
    fn owner(&self) -> String {
        String::new()
    }

    fn part(&self) -> String {
        String::new()
    }

    fn at(&self) -> Timestamp {
        OPEN
    }
}

impl TermsRow {
    /// Returns the terms of a repository of which nothing is known.
    pub(crate) fn none() -> Self {
        Self {
            definition: DEFINITION,
            policy: String::new(),
            tz: "UTC".to_owned(),
            rework_window: 0,
            phases: Vec::new(),
            start: String::new(),
            finish: String::new(),
            active: Vec::new(),
            phases_since: Vec::new(),
            services: Vec::new(),
            recorded_since: None,
            private: None,
        }
    }

    /// Returns the terms under which rows are derived.
    pub(crate) fn new(eval: &EvalContext<'_>) -> Self {
        let (rules, about) = (&eval.policy.insight, &eval.facts.about);
        let phases: Vec<String> = eval.policy.phases.iter().map(|phase| phase.name.clone()).collect();
        let first = about.phases.first().map(|(_, names)| names.as_slice()).unwrap_or_default();
        let since = |phase: &String| {
            let with = about.phases.iter().find(|(_, names)| names.contains(phase));
            with.filter(|_| !first.contains(phase)).map(|(at, _)| (phase.clone(), *at))
        };
        Self {
            definition: DEFINITION,
            policy: eval.policy.version.clone(),
            tz: rules.zone.iana_name().unwrap_or("UTC").to_owned(),
            rework_window: rules.rework_window.as_secs(),
            phases_since: phases.iter().filter_map(since).collect(),
            phases,
            start: rules.start.clone(),
            finish: rules.finish.clone(),
            active: rules.active.clone(),
            services: eval.policy.services.keys().cloned().collect(),
            recorded_since: about.recorded_since,
            private: about.private.as_ref().map(|private| private.value),
        }
    }

    /// Returns them as the only row of their kind.
    pub(crate) fn group(&self) -> RowGroup {
        RowGroup { kind: RowKind::Terms, owner: String::new(), from: String::new(), rows: vec![self.stored()] }
    }
}

/// Most lists of phases that are remembered.
const MOST_LISTS: usize = 50;

/// Records the phases of the policy in force. Returns whether they changed.
pub(crate) fn note_phases(facts: &mut RepoFacts, policy: &Policy, now: Timestamp) -> bool {
    let names = policy.phases.iter().map(|phase| &phase.name);
    let lists = &mut facts.about.phases;
    if lists.last().is_some_and(|(_, known)| known.iter().eq(names.clone())) {
        return false;
    }
    if lists.len() >= MOST_LISTS {
        lists.remove(1);
    }
    lists.push((now, names.cloned().collect()));
    true
}
