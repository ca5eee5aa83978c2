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
pub mod retro;
pub mod row;
pub mod rows;
mod statistic;
mod unit;
mod walk;
pub mod window;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

pub use crate::insight::{
    figures::{Figures, Query, figures, select, series},
    retro::Summary,
    rows::{InsightRows, TermsRow},
    statistic::{Share, Spread},
    walk::Walk,
    window::{Step, Window},
};
pub(crate) use crate::insight::{incident::Former, rows::note_phases};
use crate::{
    commits::landing::Work,
    context::EvalContext,
    domain::{
        decision::GateName,
        derived::Derived,
        event::DeployState,
        fact::{DocumentKey, RepoFacts, command::CommandAction, deployment::DeploymentFacts, gate::GateFacts},
        id::ItemId,
        insight::{RowGroup, RowKind},
        needs::Need,
        policy::Policy,
        rule::name_key,
        when::earlier,
    },
    evidence::shipped::first,
    incident::{shown_by, shown_cycle},
    insight::{
        deployment::AllDue,
        incident::Blame,
        row::{GateRow, Row as _},
    },
    plan::DecisionContext,
};

/// Derives the rows that changed documents and newly derived items concern. `former` holds what events
/// replaced, and `known` the terms as they were last stored.
pub(crate) fn changed_rows<'k>(
    facts: &RepoFacts,
    changed: impl Iterator<Item = &'k DocumentKey>,
    former: &Former,
    items: &[Derived],
    terms: &DecisionContext<'_>,
    known: &mut Option<TermsRow>,
) -> Vec<RowGroup> {
    let eval = EvalContext::new(facts, terms.policy, terms.now);
    let mut touched = Touched::new(&eval, former);
    for key in changed {
        touched.document(key);
    }
    for derived in items {
        touched.item(derived);
    }
    let now = TermsRow::new(&eval);
    let mut groups = touched.rows();
    if known.as_ref() != Some(&now) {
        groups.push(now.group());
        *known = Some(now);
    }
    groups
}

/// Derives every row of a repository.
pub fn all_rows(facts: &RepoFacts, policy: &Policy, now: Timestamp) -> Vec<RowGroup> {
    let (mut groups, mut next) = (Vec::new(), Some(Walk::default()));
    while let Some(walk) = next {
        let (found, rest) = walk.step(facts, policy, now);
        groups.extend(found);
        next = rest;
    }
    groups
}

/// Derives the rows that the five delivery metrics since a time rest on: deployments, and the changes
/// that they brought. For a command, which knows the facts alone.
pub(crate) fn delivery_rows(facts: &RepoFacts, policy: &Policy, now: Timestamp, since: Timestamp) -> InsightRows {
    let eval = EvalContext::new(facts, policy, now);
    let former = Former::default();
    let mut touched = Touched::new(&eval, &former);
    // Several environments take a commit over within a day.
    let since = since.checked_sub(SignedDuration::from_hours(24)).unwrap_or(since);
    for environment in eval.environments() {
        touched.due.since(environment.name, since);
        touched.deployments.extend(eval.history(environment.name).attempts_since(since).map(|one| one.deployment));
    }
    let groups = touched.rows();
    let mut rows = InsightRows { terms: Some(TermsRow::new(&eval)), ..InsightRows::default() };
    for (kind, row) in groups.iter().flat_map(|group| group.rows.iter().map(|row| (group.kind, row))) {
        rows.add(kind, &row.body);
    }
    rows
}

/// What a decision concerns.
struct Touched<'e, 'f> {
    eval: &'e EvalContext<'f>,
    /// What events replaced.
    former: &'e Former,
    works: BTreeSet<Work>,
    /// Deployments whose rows may have to go.
    deployments: BTreeSet<u64>,
    /// Deployments that are derived again.
    due: AllDue,
    /// Incidents, each with the time from which it is derived again.
    incidents: BTreeMap<String, Timestamp>,
    /// Times between which incidents may have been suspected to follow from something else.
    suspected: Vec<(Timestamp, Timestamp)>,
    /// Time from which people may have named something else as a cause.
    named: Option<Timestamp>,
    groups: Vec<RowGroup>,
}

impl<'e, 'f> Touched<'e, 'f> {
    fn new(eval: &'e EvalContext<'f>, former: &'e Former) -> Self {
        Self {
            eval,
            former,
            works: BTreeSet::new(),
            deployments: BTreeSet::new(),
            due: AllDue::default(),
            incidents: BTreeMap::new(),
            suspected: Vec::new(),
            named: None,
            groups: Vec::new(),
        }
    }

    fn item(&mut self, derived: &Derived) {
        let eval = self.eval;
        self.groups.push(unit::unit_rows(eval, derived));
        self.feedback_issue(derived.item);
        let Some(pull) = eval.facts.pull(derived.item) else { return };
        let work = Work::Pull(derived.item);
        if pull.merged.is_none() && eval.landings(&work).is_empty() {
            return;
        }
        // What it says of the deployment that brought it may have changed, such as a label; which
        // deployment repaired that one; and what it reverts, or did before an edit.
        let mut works = eval.reverters(&work, &eval.own_landings(&work));
        works.extend(change::reverted_by(eval, &work));
        works.extend(self.former.reverts.get(&derived.item).into_iter().flatten().copied().map(Work::Pull));
        works.insert(work.clone());
        for environment in eval.environments() {
            for (run, _) in works.iter().filter_map(|work| change::first_run(eval, environment, work)) {
                self.due.at(environment.name, run.from);
                self.named = earlier(self.named, Some(incident::suspected_for(eval, run.facts).0));
            }
        }
        self.groups.extend(change::no_rows_of_commits(eval, derived.item, pull));
        self.works.insert(work);
    }

    fn document(&mut self, key: &DocumentKey) {
        let facts = self.eval.facts;
        match key {
            DocumentKey::Deployment(id) => self.deployment(*id),
            DocumentKey::Request(id) => {
                let request = facts.requests.get(id);
                let made = request.into_iter().flat_map(|request| request.linked.iter().chain(&request.deployment));
                for id in made {
                    self.deployment(*id);
                }
            }
            // A deployment of a job may count only from now on, or no longer.
            DocumentKey::Run(run) => {
                for id in facts.deployments.index().by_run.of(run) {
                    self.deployment(*id);
                }
            }
            // It may show what a deployment brought.
            DocumentKey::Answer(Need::Commits { base, head }) => {
                for sha in base.iter().chain([head]) {
                    for id in facts.deployments.index().by_commit.of(sha) {
                        self.deployment(*id);
                    }
                }
            }
            DocumentKey::Answer(Need::FilesOfPull { pull }) => drop(self.works.insert(Work::Pull(*pull))),
            DocumentKey::Answer(Need::FilesOfCommit { sha }) => drop(self.works.insert(Work::Commit(sha.clone()))),
            DocumentKey::Incident(id) => self.incident(id, incident::first_difference(self.eval, id, self.former)),
            DocumentKey::Command(id) => {
                let action = facts.commands.get(id).and_then(|command| command.action.as_ref());
                if matches!(action, Some(CommandAction::Cause { .. } | CommandAction::Resolve)) {
                    self.feedback_issue(id.item);
                }
            }
            DocumentKey::Gate(gate, sha) => {
                let gate = facts.gates.get(&(gate.clone(), sha.clone()));
                self.groups.extend(gate.filter(|gate| counts(self.eval, gate)).map(gate_rows));
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

    /// Adds the incident that an issue shows, from the cycle on that it shows.
    fn feedback_issue(&mut self, issue: ItemId) {
        let facts = self.eval.facts;
        let Some(id) = shown_by(facts, issue) else { return };
        self.incident(id, shown_cycle(facts, id, issue).unwrap_or(Timestamp::MIN));
    }

    fn incident(&mut self, id: &str, since: Timestamp) {
        self.incidents.entry(id.to_owned()).and_modify(|known| *known = since.min(*known)).or_insert(since);
    }

    fn deployment(&mut self, id: u64) {
        let eval = self.eval;
        let Some(deployment) = eval.facts.deployments.get(&id) else { return };
        self.deployments.insert(id);
        if let Some(succeeded) = first(deployment, DeployState::Success) {
            self.succeeded(id, deployment, succeeded);
        }
        if let Some((from, to)) = self.former.suspected_for(eval, id) {
            self.suspected.push((from, to));
            self.named = earlier(self.named, Some(from));
        }
    }

    /// Adds a deployment that succeeded, and those whose rows may change with it.
    fn succeeded(&mut self, id: u64, deployment: &DeploymentFacts, at: Timestamp) {
        let environment = name_key(&deployment.environment);
        let newest = self.eval.history(&environment).backwards().next();
        if newest.is_some_and(|run| run.deployment == id && run.from == at) {
            // Of the earlier ones, it concerns those that it takes out, repairs or reverts.
            self.due.since(&environment, at);
            return;
        }
        // It came late, or does not count any more: another one may have seemed to do so.
        let begun = deployment.statuses.first().map_or(deployment.created_at, |status| status.at);
        let ran = at.min(begun).min(deployment.created_at);
        let window: SignedDuration = self.eval.policy.insight.rework_window;
        self.due.since(&environment, ran.checked_sub(window).unwrap_or(Timestamp::MIN));
    }

    fn rows(mut self) -> Vec<RowGroup> {
        let eval = self.eval;
        let blame = Blame::new(eval);
        for (from, to) in std::mem::take(&mut self.suspected) {
            for id in blame.begun_between(from, to) {
                self.incident(id, from);
            }
        }
        for (id, since) in self.named.map(|at| blame.named_since(at)).unwrap_or_default() {
            self.incident(id, since);
        }
        for (id, since) in &self.incidents {
            blame.concerned(id, *since, &mut self.due);
            if let Some(Some(before)) = self.former.incidents.get(id) {
                blame.suspected(id, before, *since, &mut self.due);
            }
        }
        self.groups.extend(self.incidents.iter().filter_map(|(id, since)| blame.group(id, *since)));
        let mut derived = deployment::Derived::default();
        for environment in eval.environments() {
            if let Some(due) = self.due.take(environment.name) {
                deployment::derive_due(eval, environment, due, &blame, &mut derived);
            }
        }
        let shown: BTreeSet<&str> = derived.groups.iter().map(|group| group.owner.as_str()).collect();
        let others = self.deployments.iter().filter(|id| !shown.contains(id.to_string().as_str()));
        self.groups.extend(others.map(|id| deployment::group(eval, *id, deployment::attempt_row(eval, *id).as_ref())));
        self.works.append(&mut derived.works);
        self.groups.append(&mut derived.groups);
        self.groups.extend(self.works.iter().map(|work| change::change_rows(eval, work)));
        self.groups
    }
}

/// Returns whether the waits of a gate count: those of an environment that is made for a pull request
/// do not.
pub(crate) fn counts(eval: &EvalContext<'_>, gate: &GateFacts) -> bool {
    match &gate.decision.gate {
        GateName::Deploy(environment) => eval.policy.instance(environment).is_none(),
        GateName::Release(_) => true,
    }
}

/// Returns the rows of a gate on a commit.
pub(crate) fn gate_rows(gate: &GateFacts) -> RowGroup {
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
        spans: wait.spans.clone(),
    });
    let rows = rows.map(|row| row.stored()).collect();
    RowGroup { kind: RowKind::GateWait, owner: GateRow::owner_of(&name, &commit), from: String::new(), rows }
}
