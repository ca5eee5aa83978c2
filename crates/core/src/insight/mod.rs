//! Delivery metrics and flow: rows derived from facts, and figures computed from rows.
//!
//! **Rows** ([`row`], [`rows`]) are what happened, one for each cycle of an item, change in an
//! environment, deployment, gate wait and cycle of an incident. A decision derives those that its
//! changes concern ([`changed_rows`]), and the store keeps them in the decision's transaction.
//! [`all_rows`] derives every row of a repository. Both give the same rows, in whatever order the
//! events arrived.
//!
//! **Figures** ([`figures()`]) are a pure function of rows and a [`Query`]. Everything that shows a
//! figure calls it: `phasebot report`, the API, the pages, the weekly issue and `/metrics`.
//!
//! ```text
//! let rows = store.insight(repo, window.from) …;         // InsightRows, by InsightRows::add
//! let query = Query::new(Window::last(90, now, &zone), now).service("web");
//! let figures = figures(&rows, &query);                  // one window
//! let weeks = series(&rows, &query, Step::Week);         // the same by week
//! ```
//!
//! Each figure has its rows: [`select`] returns those that a figure counts, so that a reader can
//! ask which ones they are.

mod change;
pub mod definitions;
mod deployment;
mod failure;
pub mod figures;
mod incident;
pub mod row;
pub mod rows;
mod statistic;
mod unit;
pub mod window;

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

pub(crate) use crate::insight::rows::note_phases;
pub use crate::insight::{
    figures::{Figures, Query, figures, select, series},
    rows::{InsightRows, TermsRow},
    statistic::{Share, Spread},
    window::{Step, Window},
};
use crate::{
    commits::landing::Work,
    context::EvalContext,
    domain::{
        decision::GateName,
        derived::Derived,
        event::DeployState,
        fact::{DocumentKey, RepoFacts, command::CommandAction, gate::GateFacts},
        id::ItemId,
        insight::{RowGroup, RowKind},
        needs::Need,
        policy::Policy,
        rule::name_key,
    },
    evidence::shipped::first,
    incident::shown_by,
    insight::{
        deployment::AllDue,
        incident::Blame,
        row::{GateRow, Row as _},
    },
    phase,
    plan::DecisionContext,
};

/// Derives the rows that changed documents and newly derived items concern. `known` holds the terms
/// as they were last stored.
pub(crate) fn changed_rows<'k>(
    facts: &RepoFacts,
    changed: impl Iterator<Item = &'k DocumentKey>,
    items: &[Derived],
    terms: &DecisionContext<'_>,
    known: &mut Option<TermsRow>,
) -> Vec<RowGroup> {
    let eval = EvalContext::new(facts, terms.policy, terms.now);
    let mut touched = Touched::new(&eval);
    for key in changed {
        touched.document(&eval, key);
    }
    for derived in items {
        touched.item(&eval, derived);
    }
    let now = TermsRow::new(&eval);
    let mut groups = touched.rows(&eval);
    if known.as_ref() != Some(&now) {
        groups.push(now.group());
        *known = Some(now);
    }
    groups
}

/// Derives every row of a repository.
pub fn all_rows(facts: &RepoFacts, policy: &Policy, now: Timestamp) -> Vec<RowGroup> {
    let mut groups = rows_of_items(facts, &facts.items.keys().copied().collect(), policy, now);
    groups.extend(rows_of_repository(facts, policy, now));
    groups
}

/// Derives the rows of items, without those of the deployments that brought them.
pub fn rows_of_items(facts: &RepoFacts, items: &BTreeSet<ItemId>, policy: &Policy, now: Timestamp) -> Vec<RowGroup> {
    let eval = EvalContext::new(facts, policy, now);
    let mut touched = Touched::new(&eval);
    for derived in phase::derive_all(facts, items, policy, now) {
        touched.item(&eval, &derived);
    }
    touched.due = AllDue::new(&eval);
    touched.incidents.clear();
    touched.rows(&eval)
}

/// Derives the rows of everything but items.
pub fn rows_of_repository(facts: &RepoFacts, policy: &Policy, now: Timestamp) -> Vec<RowGroup> {
    let eval = EvalContext::new(facts, policy, now);
    let mut touched = Touched::new(&eval);
    touched.deployments.extend(facts.deployments.keys().copied());
    for environment in eval.environments() {
        touched.due.since(environment.name, Timestamp::MIN);
    }
    touched.incidents.extend(facts.incidents.keys().cloned());
    touched.groups.extend(facts.gates.values().filter(|gate| counts(&eval, gate)).map(gate_rows));
    let mut groups = touched.rows(&eval);
    groups.push(TermsRow::new(&eval).group());
    groups
}

/// Derives the rows that the five delivery metrics since a time rest on: deployments, and the changes
/// that they brought. For a command, which knows the facts alone.
pub(crate) fn delivery_rows(facts: &RepoFacts, policy: &Policy, now: Timestamp, since: Timestamp) -> InsightRows {
    let eval = EvalContext::new(facts, policy, now);
    let mut touched = Touched::new(&eval);
    // Several environments take a commit over within a day.
    let since = since.checked_sub(SignedDuration::from_hours(24)).unwrap_or(since);
    for environment in eval.environments() {
        touched.due.since(environment.name, since);
    }
    let groups = touched.rows(&eval);
    let mut rows = InsightRows { terms: Some(TermsRow::new(&eval)), ..InsightRows::default() };
    for (kind, row) in groups.iter().flat_map(|group| group.rows.iter().map(|row| (group.kind, row))) {
        rows.add(kind, &row.body);
    }
    rows
}

/// What a decision concerns.
struct Touched {
    works: BTreeSet<Work>,
    /// Deployments whose rows may have to go.
    deployments: BTreeSet<u64>,
    /// Deployments that are derived again.
    due: AllDue,
    incidents: BTreeSet<String>,
    groups: Vec<RowGroup>,
}

impl Touched {
    fn new(eval: &EvalContext<'_>) -> Self {
        Self {
            works: BTreeSet::new(),
            deployments: BTreeSet::new(),
            due: AllDue::new(eval),
            incidents: BTreeSet::new(),
            groups: Vec::new(),
        }
    }

    fn item(&mut self, eval: &EvalContext<'_>, derived: &Derived) {
        self.groups.push(unit::unit_rows(eval, derived));
        self.incidents.extend(shown_by(eval.facts, derived.item).map(str::to_owned));
        let Some(pull) = eval.facts.pull(derived.item) else { return };
        let work = Work::Pull(derived.item);
        if pull.merged.is_none() && eval.landings(&work).is_empty() {
            return;
        }
        // What it says of the deployment that brought it may have changed, such as a label; and which
        // deployment repaired that one.
        let reverters = eval.reverters(&work, &eval.own_landings(&work));
        for environment in eval.environments() {
            let works = reverters.iter().chain([&work]);
            for (run, _) in works.filter_map(|work| change::first_run(eval, environment, work)) {
                self.due.at(environment.name, run.from);
            }
        }
        self.groups.extend(change::no_rows_of_commits(eval, derived.item, pull));
        self.works.insert(work);
    }

    fn document(&mut self, eval: &EvalContext<'_>, key: &DocumentKey) {
        let facts = eval.facts;
        match key {
            DocumentKey::Deployment(id) => self.deployment(eval, *id),
            DocumentKey::Request(id) => {
                let request = facts.requests.get(id);
                let made = request.into_iter().flat_map(|request| request.linked.iter().chain(&request.deployment));
                for id in made {
                    self.deployment(eval, *id);
                }
            }
            // A deployment of a job may count only from now on, or no longer.
            DocumentKey::Run(run) => {
                for id in facts.deployments.index().by_run.of(run) {
                    self.deployment(eval, *id);
                }
            }
            // It may show what a deployment brought.
            DocumentKey::Answer(Need::Commits { base, head }) => {
                for sha in base.iter().chain([head]) {
                    for id in facts.deployments.index().by_commit.of(sha) {
                        self.deployment(eval, *id);
                    }
                }
            }
            DocumentKey::Answer(Need::FilesOfPull { pull }) => drop(self.works.insert(Work::Pull(*pull))),
            DocumentKey::Answer(Need::FilesOfCommit { sha }) => drop(self.works.insert(Work::Commit(sha.clone()))),
            DocumentKey::Incident(id) => drop(self.incidents.insert(id.clone())),
            DocumentKey::Command(id) => {
                let action = facts.commands.get(id).and_then(|command| command.action.as_ref());
                if matches!(action, Some(CommandAction::Cause { .. } | CommandAction::Resolve)) {
                    self.incidents.extend(shown_by(facts, id.item).map(str::to_owned));
                }
            }
            DocumentKey::Gate(gate, sha) => {
                let gate = facts.gates.get(&(gate.clone(), sha.clone()));
                self.groups.extend(gate.filter(|gate| counts(eval, gate)).map(gate_rows));
            }
            DocumentKey::About
            | DocumentKey::Item(_)
            | DocumentKey::Commit(_)
            | DocumentKey::Push(..)
            | DocumentKey::Ref(_)
            | DocumentKey::Tags
            | DocumentKey::Release(_)
            | DocumentKey::Checks(_)
            | DocumentKey::Verdicts(_)
            | DocumentKey::Group(_)
            | DocumentKey::Storm(_)
            | DocumentKey::Feedback(_)
            | DocumentKey::Heartbeat(_)
            | DocumentKey::WaitingCommand(_)
            | DocumentKey::WaitingJob(..)
            | DocumentKey::Publication(_)
            | DocumentKey::Answer(_)
            | DocumentKey::Policy => {}
        }
    }

    fn deployment(&mut self, eval: &EvalContext<'_>, id: u64) {
        let Some(deployment) = eval.facts.deployments.get(&id) else { return };
        self.deployments.insert(id);
        let begun = deployment.statuses.first().map_or(deployment.created_at, |status| status.at);
        let ran = first(deployment, DeployState::Success).unwrap_or(begun).min(begun).min(deployment.created_at);
        // It may bring the revert of what an earlier one brought.
        let window: SignedDuration = eval.policy.insight.rework_window;
        let since = ran.checked_sub(window).unwrap_or(Timestamp::MIN);
        self.due.since(&name_key(&deployment.environment), since);
    }

    fn rows(mut self, eval: &EvalContext<'_>) -> Vec<RowGroup> {
        let blame = if self.incidents.is_empty() && self.due.is_empty() { Blame::default() } else { Blame::new(eval) };
        for id in &self.incidents {
            blame.concerned(eval, id, &mut self.due);
        }
        self.incidents.extend(blame.of_due(&self.due).map(str::to_owned));
        self.groups.extend(self.incidents.iter().filter_map(|id| blame.group(eval.facts, id)));
        let mut derived = deployment::Derived::default();
        for environment in eval.environments() {
            if let Some(due) = self.due.take(environment.name) {
                deployment::derive_due(eval, environment, due, &blame, &mut derived);
            }
        }
        let shown: BTreeSet<&str> = derived.groups.iter().map(|group| group.owner.as_str()).collect();
        let gone = self.deployments.iter().filter(|id| !shown.contains(id.to_string().as_str()));
        self.groups.extend(gone.map(|id| deployment::group(*id, None)));
        self.works.append(&mut derived.works);
        self.groups.append(&mut derived.groups);
        self.groups.extend(self.works.iter().map(|work| change::change_rows(eval, work)));
        self.groups
    }
}

/// Returns whether the waits of a gate count: those of an environment that is made for a pull request
/// do not.
fn counts(eval: &EvalContext<'_>, gate: &GateFacts) -> bool {
    match &gate.decision.gate {
        GateName::Deploy(environment) => eval.policy.instance(environment).is_none(),
        GateName::Release(_) => true,
    }
}

/// Returns the rows of a gate on a commit.
fn gate_rows(gate: &GateFacts) -> RowGroup {
    let (name, commit) = (gate.decision.gate.check(), gate.decision.sha.to_string());
    let rows = gate.waits.iter().map(|(condition, wait)| GateRow {
        gate: name.clone(),
        commit: commit.clone(),
        condition: condition.clone(),
        code: wait.code.clone(),
        from: wait.from,
        until: wait.until,
        blocked: wait.blocked,
        since: wait.since,
    });
    let rows = rows.map(|row| row.stored()).collect();
    RowGroup { kind: RowKind::GateWait, owner: GateRow::owner_of(&name, &commit), from: String::new(), rows }
}
