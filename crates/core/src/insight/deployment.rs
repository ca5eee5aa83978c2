//! Rows of deployments.

use std::collections::BTreeSet;

use crate::{
    commits::landing::Work,
    context::EvalContext,
    domain::{
        event::DeployState,
        insight::{KEEPS_ALL, RowGroup, RowKind},
        rule::name_key,
        service::Scope,
    },
    environment::Environment,
    evidence::shipped::first,
    insight::{
        due::Due,
        failure::{self, Failed, Failures},
        incident::Blame,
        recent::{Brought, Recent, Turn},
        row::{DeploymentKind, DeploymentRow, Row as _},
        settled::is_settled,
    },
};

/// Returns the services that an environment belongs to; `None`: the repository has none.
fn services(eval: &EvalContext<'_>, environment: &str) -> Option<BTreeSet<String>> {
    let policy = eval.policy;
    let takes = |name: &&String| policy.scope_takes_environment(Scope::Service(name), environment);
    (!policy.services.is_empty()).then(|| policy.services.keys().filter(takes).cloned().collect())
}

/// Rows of deployments, and the changes that these brought.
#[derive(Default)]
pub(crate) struct Derived {
    pub(crate) groups: Vec<RowGroup>,
    pub(crate) works: BTreeSet<Work>,
}

/// Adds the rows of the deployments to an environment that are due, and of earlier ones whose
/// failure follows from them.
pub(crate) fn derive_due<'f>(
    eval: &EvalContext<'f>,
    environment: &Environment<'f>,
    mut due: Due,
    blame: &Blame<'_, 'f>,
    out: &mut Derived,
) {
    let mut recent = Recent::new(eval, environment, &due);
    let mut failures = Failures::default();
    loop {
        let mut more = failure::victims(&recent, blame, &due);
        more.extend(failure::repaired(&recent, &due));
        more.extend(failures.reverted(&recent, &due));
        if more.is_empty() {
            break;
        }
        due.at.extend(more);
        recent = Recent::new(eval, environment, &due);
    }
    failures.find(&recent, blame, &due);
    let services = services(eval, environment.name);
    for turn in recent.turns.iter().filter(|turn| due.covers(turn.run.from)) {
        let brought = failures.brought.get(&turn.run.deployment).cloned().unwrap_or_default();
        let failed = failures.failed.get(&turn.run.deployment).cloned().unwrap_or_default();
        let row = row(&recent, turn, services.clone(), &brought, failed, &failures.fixes);
        out.groups.push(group(eval, turn.run.deployment, Some(&row)));
        out.works.extend(brought.works);
    }
    for place in recent.exchanges(&due) {
        out.works.append(&mut recent.exchanged(place));
    }
}

/// Returns the row of a deployment that never succeeded; `None` if it succeeded, or deployed nothing.
pub(crate) fn attempt_row(eval: &EvalContext<'_>, id: u64) -> Option<DeploymentRow> {
    let facts = eval.facts.deployments.get(&id).filter(|facts| first(facts, DeployState::Success).is_none())?;
    let name = name_key(&facts.environment);
    let environment = eval.environments().iter().find(|place| place.name == name)?;
    let attempt = eval.history(environment.name).attempt(id)?;
    Some(DeploymentRow {
        id,
        environment: name,
        production: environment.production,
        services: services(eval, environment.name),
        commit: attempt.commit.map(ToString::to_string),
        kind: DeploymentKind::Attempt,
        at: attempt.begun,
        brought: 0,
        failures: Vec::new(),
        hurt: None,
        alerted: None,
        restored: None,
        rework: false,
    })
}

/// Returns the rows of one deployment: none if it deployed nothing.
pub(crate) fn group(eval: &EvalContext<'_>, id: u64, row: Option<&DeploymentRow>) -> RowGroup {
    let settled = row.is_some_and(|row| is_settled(eval, row.at));
    let from = if settled { KEEPS_ALL.to_owned() } else { String::new() };
    let rows = row.map(DeploymentRow::stored).into_iter().collect();
    RowGroup { kind: RowKind::Deployment, owner: id.to_string(), from, rows }
}

fn row(
    recent: &Recent<'_, '_>,
    turn: &Turn<'_>,
    services: Option<BTreeSet<String>>,
    brought: &Brought,
    failed: Failed,
    fixes: &BTreeSet<u64>,
) -> DeploymentRow {
    let kind = recent.kind(turn);
    let is_forward = kind == DeploymentKind::Forward;
    DeploymentRow {
        id: turn.run.deployment,
        environment: recent.environment.name.to_owned(),
        production: recent.environment.production,
        services,
        commit: turn.run.commit.map(ToString::to_string),
        kind,
        at: turn.run.from,
        brought: u32::try_from(brought.works.len()).unwrap_or(u32::MAX),
        failures: failed.reasons.into_iter().collect(),
        hurt: failed.hurt,
        alerted: failed.alerted,
        restored: failed.restored,
        rework: kind == DeploymentKind::Rollback
            || (is_forward && (brought.repairs || fixes.contains(&turn.run.deployment))),
    }
}
