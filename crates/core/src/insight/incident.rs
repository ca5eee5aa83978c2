//! Incidents and what caused them: the deployment that `/cause` names, else the only suspect.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::{
    commits::landing::Work,
    context::EvalContext,
    domain::{
        event::DeployState,
        fact::RepoFacts,
        id::Sha,
        insight::{RowGroup, RowKind},
        rule::name_key,
    },
    evidence::shipped::first,
    incident::{self, IncidentCycle},
    insight::{
        change::first_run,
        deployment::AllDue,
        row::{IncidentRow, Row as _, sortable},
    },
};

/// Most runs of an environment that are searched for a commit that people named.
const MOST_RUNS: usize = 500;

/// The causes of all incidents on record.
#[derive(Default)]
pub(crate) struct Blame {
    cycles: Vec<(IncidentCycle, Cause)>,
    by_deployment: BTreeMap<u64, Vec<usize>>,
}

/// The cause of one cycle of an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// People named it; `None`: no change caused it, or one that no deployment here brought.
    Named(Option<u64>),
    /// It is the only suspect.
    OnlySuspect(u64),
    /// It is not known.
    Open,
}

impl Cause {
    fn deployment(self) -> Option<u64> {
        match self {
            Self::Named(id) => id,
            Self::OnlySuspect(id) => Some(id),
            Self::Open => None,
        }
    }
}

impl Blame {
    pub(crate) fn new(eval: &EvalContext<'_>) -> Self {
        let mut blame = Self::default();
        for id in eval.facts.incidents.keys() {
            for cycle in incident::cycles_of(eval, id) {
                let cause = cause(eval, &cycle);
                if let Some(deployment) = cause.deployment() {
                    blame.by_deployment.entry(deployment).or_default().push(blame.cycles.len());
                }
                blame.cycles.push((cycle, cause));
            }
        }
        blame
    }

    /// Returns the incidents that a deployment caused.
    pub(crate) fn caused_by(&self, deployment: u64) -> impl Iterator<Item = &IncidentCycle> {
        let places = self.by_deployment.get(&deployment).into_iter().flatten();
        places.map(|place| &self.cycles[*place].0)
    }

    /// Returns the deployments that people named as the cause of the last incident in an environment
    /// that began in this time: none if they named no change. `None`: they named nothing.
    pub(crate) fn named_between(&self, environment: &str, from: Option<Timestamp>, to: Timestamp) -> Option<Vec<u64>> {
        let here = self.cycles.iter().filter(|(cycle, _)| {
            cycle.environment.as_deref() == Some(environment)
                && from.is_none_or(|from| cycle.began >= from)
                && cycle.began <= to
        });
        let named = here.filter_map(|(cycle, cause)| match cause {
            Cause::Named(id) => Some((cycle.began, *id)),
            Cause::OnlySuspect(_) | Cause::Open => None,
        });
        named.max_by_key(|(began, _)| *began).map(|(_, id)| id.into_iter().collect())
    }

    /// Returns the rows of an incident; `None` if it is not on record any more.
    pub(crate) fn group(&self, facts: &RepoFacts, id: &str) -> Option<RowGroup> {
        let episodes = &facts.incidents.get(id)?.episodes;
        // Earlier cycles may have been forgotten.
        let first = episodes.iter().filter_map(|(key, episode)| Some(episode.fired?.min(key.from))).min()?;
        let rows = self.cycles.iter().filter(|(cycle, _)| cycle.id == id).map(|known| row(known).stored()).collect();
        Some(RowGroup { kind: RowKind::Incident, owner: id.to_owned(), from: sortable(first), rows })
    }

    /// Returns the incidents that a deployment which is due may have caused.
    pub(crate) fn of_due(&self, due: &AllDue) -> impl Iterator<Item = &str> {
        let concerns = |cycle: &IncidentCycle| match &cycle.environment {
            Some(name) => due.take(name).is_some_and(|due| cycle.began >= due.earliest()),
            // People may have named a change that a deployment brought.
            None => !cycle.causes.is_empty(),
        };
        self.cycles.iter().map(|(cycle, _)| cycle).filter(move |cycle| concerns(cycle)).map(|cycle| cycle.id.as_str())
    }

    /// Adds the deployments that an incident is, or was, blamed on, and those since it began: a
    /// rollback may have taken out another one.
    pub(crate) fn concerned(&self, eval: &EvalContext<'_>, id: &str, due: &mut AllDue) {
        for (cycle, _) in self.cycles.iter().filter(|(cycle, _)| cycle.id == id) {
            let named = cycle.causes.iter().flatten().filter_map(|name| resolve(eval, cycle, name));
            let suspects = cycle.environment.iter().flat_map(|name| incident::suspects_of(eval, name, cycle.began));
            for deployment in named.chain(suspects) {
                let Some(facts) = eval.facts.deployments.get(&deployment) else { continue };
                if let Some(at) = first(facts, DeployState::Success) {
                    due.at(&name_key(&facts.environment), at);
                }
            }
            if let Some(name) = &cycle.environment {
                due.since(name, cycle.began);
            }
        }
    }
}

fn row((cycle, cause): &(IncidentCycle, Cause)) -> IncidentRow {
    IncidentRow {
        id: cycle.id.clone(),
        environment: cycle.environment.clone(),
        began: cycle.began,
        ended: cycle.ended,
        deployment: cause.deployment(),
        loop_closed: cycle.loop_closed,
    }
}

fn cause(eval: &EvalContext<'_>, cycle: &IncidentCycle) -> Cause {
    match cycle.causes.last() {
        Some(None) => Cause::Named(None),
        Some(Some(name)) => Cause::Named(resolve(eval, cycle, name)),
        None => {
            let suspects = cycle.environment.as_ref().map(|name| incident::suspects_of(eval, name, cycle.began));
            match suspects.as_deref() {
                Some([only]) => Cause::OnlySuspect(*only),
                _ => Cause::Open,
            }
        }
    }
}

/// Returns the deployment that brought the change that people named: to the incident's environment,
/// else to production.
fn resolve(eval: &EvalContext<'_>, cycle: &IncidentCycle, name: &str) -> Option<u64> {
    let places = eval.environments().iter().filter(|place| match &cycle.environment {
        Some(environment) => place.name == environment,
        None => place.production,
    });
    let name = name.trim_matches('`');
    let pull = name.strip_prefix('#').and_then(|digits| digits.parse().ok());
    let tagged = eval.tag_commit(name);
    let mut found: Vec<(Timestamp, u64)> = Vec::new();
    for place in places {
        if let Some(number) = pull {
            found.extend(first_run(eval, place, &Work::Pull(number)).map(|(run, _)| (run.from, run.deployment)));
            continue;
        }
        let is_it = |commit: &Sha| tagged == Some(commit) || commit.to_string().starts_with(&name.to_ascii_lowercase());
        let mut runs = eval.history(place.name).backwards().take(MOST_RUNS);
        let run = runs.find(|run| run.from <= cycle.began && run.commit.is_some_and(is_it));
        found.extend(run.map(|run| (run.from, run.deployment)));
    }
    found.into_iter().min().map(|(_, deployment)| deployment)
}
