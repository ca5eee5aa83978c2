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
mod due;
mod failure;
pub mod figures;
mod former;
mod incident;
pub mod overrides;
mod recent;
mod repair;
pub mod retro;
pub mod row;
pub mod rows;
mod settled;
pub mod standing;
mod statistic;
mod suspicion;
mod touched;
mod unit;
mod walk;
pub mod window;

use jiff::{SignedDuration, Timestamp};

pub use crate::insight::{
    figures::{Figures, Query, figures, select, series},
    retro::Summary,
    rows::{InsightRows, TermsRow},
    statistic::{Share, Spread},
    walk::Walk,
    window::{Step, Window},
};
pub(crate) use crate::insight::{former::Former, rows::note_phases};
use crate::{
    context::EvalContext,
    domain::{
        decision::GateName,
        derived::Derived,
        fact::{DocumentKey, RepoFacts, gate::GateFacts},
        insight::{RowGroup, RowKind},
        policy::Policy,
    },
    insight::{
        row::{GateRow, Row as _},
        touched::Touched,
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
    let has_other_terms = known.as_ref() != Some(&now);
    if has_other_terms {
        touched.every_environment();
    }
    let mut groups = touched.rows();
    if has_other_terms {
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
